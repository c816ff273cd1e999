//! What can be taken out: records as OTLP/JSON lines or Parquet, and copies of the store.

use crate::params::Params;
use crate::problem::Problem;
use meshscope_model::TraceId;
use serde::{Deserialize, Serialize};

/// A kind of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportSignal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Metric data points.
    Metrics,
}

impl ExportSignal {
    /// All of them, in the order in which they are exported.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Logs, Self::Metrics];

    /// `traces`, `logs` or `metrics`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// One OTLP export request in JSON a line.
    #[default]
    Otlp,
    /// A Parquet file of one signal.
    Parquet,
}

impl ExportFormat {
    /// `otlp` or `parquet`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Otlp => "otlp",
            Self::Parquet => "parquet",
        }
    }
}

/// Which records; an absent filter lets all through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExportQuery {
    /// Which signals; empty is all.
    pub signals: Vec<ExportSignal>,
    /// How they are written.
    pub format: ExportFormat,
    /// Only this project.
    pub project: Option<String>,
    /// Only this session.
    pub session: Option<String>,
    /// Only this trace: its spans and log records.
    pub trace_id: Option<TraceId>,
    /// First moment, ns since the epoch.
    pub from: Option<i64>,
    /// First moment after the range, ns since the epoch.
    pub to: Option<i64>,
}

impl ExportQuery {
    /// Reads a query string; the error names the parameter.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        params.only(&["signal", "format", "project", "session", "trace_id", "from", "to"])?;
        let text = |name: &str| params.get(name).map(str::to_owned);
        let signals = params.get("signal").unwrap_or_default().split(',');
        let signals = signals.filter(|name| !name.is_empty()).map(|name| {
            let found = ExportSignal::ALL
                .into_iter()
                .find(|signal| signal.as_str() == name.trim());
            found.ok_or_else(|| {
                Problem::invalid_parameter("signal", format!("{name:?} is not one of traces, logs, metrics"))
            })
        });
        let trace_id = params.get("trace_id").map(str::parse).transpose();
        let query = Self {
            signals: signals.collect::<Result<_, _>>()?,
            format: match params.one_of("format", &["otlp", "parquet"])? {
                Some("parquet") => ExportFormat::Parquet,
                _ => ExportFormat::Otlp,
            },
            project: text("project").filter(|project| project != "*"),
            session: text("session"),
            trace_id: trace_id.map_err(|error| Problem::invalid_parameter("trace_id", format!("{error}")))?,
            from: params.time("from")?,
            to: params.time("to")?,
        };
        if query.format == ExportFormat::Parquet && query.signals.len() != 1 {
            return Err(Problem::invalid_parameter(
                "signal",
                "a Parquet file holds one signal: give traces, logs or metrics",
            ));
        }
        Ok(query)
    }

    /// The query string that [`ExportQuery::read`] reads.
    #[must_use]
    pub fn to_params(&self) -> Params {
        let mut params = Params::default();
        let signals: Vec<_> = self.signals.iter().map(|signal| signal.as_str()).collect();
        params.set(
            "signal",
            Some(signals.join(",")).filter(|signals| !signals.is_empty()),
        );
        params.set("format", Some(self.format.as_str()));
        params.set("project", self.project.as_deref());
        params.set("session", self.session.as_deref());
        params.set("trace_id", self.trace_id);
        params.set("from", self.from);
        params.set("to", self.to);
        params
    }

    /// The signals that are asked for.
    #[must_use]
    pub fn wanted(&self) -> Vec<ExportSignal> {
        let all = || ExportSignal::ALL.to_vec();
        if self.signals.is_empty() {
            all()
        } else {
            self.signals.clone()
        }
    }
}

/// Body of `POST /api/v1/backup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BackupRequest {
    /// Absolute path of a directory on the server's machine that is empty or not there yet.
    pub destination: String,
}

/// A copy of the store that was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BackupReport {
    /// The directory; a server started with it as its data directory goes on from there.
    pub path: String,
    /// Bytes of its files.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub size_bytes: u64,
    /// Spans in it.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub spans: u64,
    /// Log records in it.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub logs: u64,
    /// Metric data points in it.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub metric_points: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_survives_its_string_and_errors_name_the_parameter() {
        let query = ExportQuery {
            signals: vec![ExportSignal::Logs],
            format: ExportFormat::Parquet,
            session: Some("a b&c".to_owned()),
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".parse().ok(),
            from: Some(0),
            ..ExportQuery::default()
        };
        let text = query.to_params().to_query();
        assert_eq!(ExportQuery::read(&Params::parse(&text)).unwrap(), query);
        for (text, parameter) in [
            ("signal=spans", "signal"),
            ("format=parquet", "signal"),
            ("format=csv", "format"),
            ("trace_id=1", "trace_id"),
            ("trace=1", "trace"),
        ] {
            let problem = ExportQuery::read(&Params::parse(text)).unwrap_err();
            assert_eq!(problem.parameter.as_deref(), Some(parameter), "{text}");
        }
    }
}
