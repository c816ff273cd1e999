//! The answers of MCP Mesh's own API (its registry's `/trace/*`, its UI server's
//! `/api/trace/*`), in its shapes: Go's names, RFC 3339 times, plain numbers, null for absent.

use meshscope_model::time::to_rfc3339;
use meshscope_model::{Attributes, Span, SpanEntry, SpanFacts};
use serde::{Serialize, Serializer};

const MS: i64 = 1_000_000;

/// What `/trace/search` looks for. A trace must meet all of it; each condition on spans may be
/// met by another span.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceSearch {
    /// A span has this parent.
    pub parent_span_id: Option<u64>,
    /// A span is of this agent.
    pub agent_name: Option<String>,
    /// A span's operation contains this text.
    pub operation: Option<String>,
    /// Every span succeeded, or not.
    pub success: Option<bool>,
    /// It starts then or later, ns since the epoch.
    pub start_time: Option<i64>,
    /// It ends then or earlier, ns since the epoch.
    pub end_time: Option<i64>,
    /// It takes at least so many ms.
    pub min_duration_ms: Option<i64>,
    /// It takes at most so many ms.
    pub max_duration_ms: Option<i64>,
    /// Traces of the answer.
    pub limit: u32,
    /// Traces left out before them.
    pub offset: u32,
}

/// Traces that met a search, the latest end first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoundTraces {
    /// The traces of this page.
    pub traces: Vec<CompletedTrace>,
    /// How many met it in all.
    pub total: u64,
}

/// A time in ns since the epoch, written as Go does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoTime(pub i64);

impl Serialize for GoTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_rfc3339(self.0))
    }
}

/// A span of [`CompletedTrace`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)]
pub struct TraceSpan {
    #[serde(rename = "TraceID")]
    pub trace_id: String,
    #[serde(rename = "SpanID")]
    pub span_id: String,
    pub parent_span: Option<String>,
    pub agent_name: String,
    #[serde(rename = "AgentID")]
    pub agent_id: String,
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    pub operation: String,
    pub start_time: GoTime,
    pub end_time: Option<GoTime>,
    /// Whole milliseconds, cut off.
    #[serde(rename = "DurationMS")]
    pub duration_ms: Option<i64>,
    /// Null while it runs.
    pub success: Option<bool>,
    pub error_message: Option<String>,
    pub capability: Option<String>,
    pub target_agent: Option<String>,
    pub runtime: String,
}

/// A trace as `/trace/{id}`, `/trace/list` and `/trace/search` have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)]
pub struct CompletedTrace {
    #[serde(rename = "TraceID")]
    pub trace_id: String,
    /// By start. Hidden ones are there: `meshctl` leaves them out itself.
    pub spans: Vec<TraceSpan>,
    pub start_time: GoTime,
    pub end_time: GoTime,
    /// ns.
    pub duration: i64,
    pub success: bool,
    pub span_count: usize,
    pub agent_count: usize,
    /// Alphabetical.
    pub agents: Vec<String>,
}

impl CompletedTrace {
    /// The trace of these spans, which are in the order of their start; `None` without any.
    #[must_use]
    pub fn new(spans: &[SpanEntry]) -> Option<Self> {
        let spans: Vec<TraceSpan> = spans
            .iter()
            .map(|entry| trace_span(&entry.span, &entry.facts))
            .collect();
        let start = spans.iter().map(|span| span.start_time).min()?;
        let end = spans.iter().filter_map(|span| span.end_time).max();
        let end = end.map_or(start, |end| end.max(start));
        let mut agents: Vec<String> = spans.iter().map(|span| span.agent_name.clone()).collect();
        agents.sort_unstable();
        agents.dedup();
        Some(Self {
            trace_id: spans.first()?.trace_id.clone(),
            start_time: start,
            end_time: end,
            duration: end.0.saturating_sub(start.0),
            success: spans.iter().all(|span| span.success != Some(false)),
            span_count: spans.len(),
            agent_count: agents.len(),
            agents,
            spans,
        })
    }
}

fn trace_span(span: &Span, facts: &SpanFacts) -> TraceSpan {
    let (a, r) = (&span.attributes, &span.resource.attributes);
    let text = |attributes: &Attributes, names: &[&str]| {
        let found = names.iter().find_map(|name| attributes.text(name))?;
        Some(found.to_owned()).filter(|text| text != "null")
    };
    let duration = facts.reported_duration.unwrap_or_else(|| span.duration());
    // An id that is not one of OpenTelemetry's is kept as it was sent.
    let id = |name: &str, id: String| text(a, &[name]).unwrap_or(id);
    TraceSpan {
        trace_id: id("trace_id", span.trace_id.to_string()),
        span_id: id("span_id", span.span_id.to_string()),
        parent_span: span
            .parent_span_id
            .map(|parent| id("parent_span", parent.to_string())),
        agent_name: facts.origin.agent.clone().unwrap_or_default(),
        agent_id: text(r, &["agent_id"])
            .or_else(|| text(a, &["mcp.agent.id"]))
            .unwrap_or_default(),
        ip_address: text(r, &["ip_address", "agent_ip"])
            .or_else(|| text(a, &["mcp.ip.address", "mcp.agent.ip"]))
            .unwrap_or_default(),
        operation: span.name.clone(),
        start_time: GoTime(span.start_time),
        end_time: span.end_time.map(GoTime),
        duration_ms: span.end_time.map(|_| duration / MS),
        success: match &facts.error {
            Some(_) => Some(false),
            None => span.end_time.map(|_| true),
        },
        error_message: facts.error.clone().filter(|error| !error.is_empty()),
        capability: text(a, &["capability", "mcp.capability"]),
        target_agent: text(a, &["target_agent", "mcp.target.agent", "mcp.target_agent"]),
        runtime: text(r, &["runtime"])
            .or_else(|| text(a, &["mcp.runtime"]))
            .unwrap_or_else(|| "unknown".to_owned()),
    }
}

/// A trace of `/api/trace/recent`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct RecentTrace {
    pub trace_id: String,
    pub root_agent: String,
    pub root_operation: String,
    pub duration_ms: i64,
    pub start_time: GoTime,
    pub span_count: usize,
    pub agent_count: usize,
    pub success: bool,
    pub agents: Vec<String>,
}

impl From<CompletedTrace> for RecentTrace {
    fn from(trace: CompletedTrace) -> Self {
        // Without a root the earliest span stands for it: a caller outside the mesh has the root.
        let root = trace
            .spans
            .iter()
            .find(|span| span.parent_span.is_none())
            .or(trace.spans.first());
        let named = |read: fn(&TraceSpan) -> &String| root.map(read).cloned().unwrap_or_default();
        Self {
            root_agent: named(|span| &span.agent_name),
            root_operation: named(|span| &span.operation),
            duration_ms: trace.duration / MS,
            start_time: trace.start_time,
            span_count: trace.span_count,
            agent_count: trace.agent_count,
            success: trace.success,
            agents: trace.agents,
            trace_id: trace.trace_id,
        }
    }
}

/// The figures of `/trace/stats`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs)]
pub struct TraceStats {
    pub total_traces: u64,
    pub success_traces: u64,
    pub failed_traces: u64,
    pub total_spans: u64,
    pub total_duration_ms: i64,
    pub avg_duration_ms: f64,
    /// Alphabetical.
    pub agents_seen: Vec<String>,
    /// Start of the first.
    pub first_trace: Option<GoTime>,
    /// End of the last.
    pub last_trace: Option<GoTime>,
}

/// Calls of one agent's function by another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct EdgeStats {
    pub source: String,
    pub target: String,
    pub target_function: String,
    pub call_count: u64,
    pub error_count: u64,
    /// Per cent.
    pub error_rate: f64,
    pub avg_latency_ms: f64,
    pub p99_latency_ms: f64,
    pub max_latency_ms: i64,
    pub min_latency_ms: i64,
}

/// What one agent did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct AgentStats {
    pub agent_name: String,
    pub span_count: u64,
    pub total_input_tokens: i64,
    pub total_output_tokens: i64,
    pub total_request_bytes: i64,
    pub total_response_bytes: i64,
}

/// Calls of one model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct ModelStats {
    /// `provider/model`, as MCP Mesh names it.
    pub model: String,
    pub provider: String,
    pub call_count: u64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub total_tokens: i64,
}

/// What passed between agents since some moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Traffic {
    /// Traces.
    pub total_calls: u64,
    /// Traces with a failed span.
    pub total_errors: u64,
    /// Most calls first.
    pub edges: Vec<EdgeStats>,
    /// Most spans first.
    pub agents: Vec<AgentStats>,
    /// Most tokens first.
    pub models: Vec<ModelStats>,
}

/// Traces with spans in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ActiveTraces {
    /// How many.
    pub traces: u64,
    /// Spans of theirs.
    pub spans: u64,
    /// Start of the oldest, ns since the epoch.
    pub oldest: Option<i64>,
}
