//! What is alive: services and their instances.

use crate::params::Params;
use crate::problem::Problem;
use crate::query::{TimeRange, project, text};
use serde::{Deserialize, Serialize};

/// What the list of services can be asked for. The range is one of arrival, not of record time:
/// who sends old records is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceQuery {
    /// Only this project.
    pub project: Option<String>,
    /// Only what was sent from this room.
    pub room: Option<String>,
    /// When its records arrived.
    pub range: TimeRange,
}

impl ServiceQuery {
    /// Reads a query string.
    pub fn read(params: &Params) -> Result<Self, Problem> {
        params.only(&["project", "room", "from", "to"])?;
        Ok(Self {
            project: project(params),
            room: text(params, "room"),
            range: TimeRange::read(params)?,
        })
    }
}

/// Answer of `GET /api/v1/services`: what was heard of last comes first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceList {
    /// The instances.
    pub services: Vec<Service>,
    /// When it was answered, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub now: i64,
}

/// One instance of a service: what a project hears from one process, as its resource tells it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Service {
    /// The tenant.
    pub project: String,
    /// `service.name`.
    pub service: String,
    /// `service.instance.id`, else `process.pid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// `service.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `host.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `k8s.pod.name`, else `container.name`, else `container.id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// `telemetry.sdk.language` and `telemetry.sdk.name`, for example `python opentelemetry`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<String>,
    /// `telemetry.sdk.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk_version: Option<String>,
    /// When its first record of the range arrived, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub first_at: i64,
    /// When its latest record arrived, ns since the epoch.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub last_at: i64,
    /// Spans in the range.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub spans: i64,
    /// Spans that failed and were not blocked.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub errors: i64,
    /// Spans that arrived in the last minute of the range.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub spans_last_minute: i64,
    /// 95th percentile of the durations of its spans that ended, ns; absent when none did.
    #[serde(
        default,
        with = "meshscope_model::decimal::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub p95_ns: Option<i64>,
    /// Log records in the range.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub logs: i64,
    /// Metric points in the range.
    #[serde(with = "meshscope_model::decimal")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub metric_points: i64,
}
