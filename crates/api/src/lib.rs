//! Requests, responses, deltas and errors shared by server and studio.
//!
//! JSON rules: 64-bit integers (times in ns, durations, tokens, pico-dollars) are decimal
//! strings, counts of at most 32 bits are numbers, ids are lower-case hex, and what is not
//! known is absent.

pub mod accepted;
pub mod attribute;
pub mod budgets;
pub mod columns;
pub mod conversation;
pub mod export;
pub mod live;
pub mod logs;
pub mod mcp_mesh;
pub mod metrics;
pub mod params;
pub mod preview;
pub mod prices;
pub mod problem;
pub mod query;
pub mod recording;
pub mod search;
pub mod services;
pub mod session;
pub mod session_view;
pub mod span;
pub mod sse;
pub mod status;
pub mod stream;
pub mod trace;
pub mod usage;
pub mod usage_calls;
pub mod usage_export;
pub mod usage_query;
pub mod usage_rows;

pub use accepted::Accepted;
pub use attribute::{AttributeFilter, Comparison};
pub use conversation::{Conversation, ConversationQuery};
pub use live::{Delta, Gap, GapReason, LivePoint, LiveSpan, Position};
pub use logs::{Log, LogPage};
pub use metrics::{Increase, MetricDetail, MetricInfo, MetricList, MetricSample, MetricSeries};
pub use params::Params;
pub use problem::Problem;
pub use query::{ListQuery, LogQuery, SeriesQuery, TimeRange};
pub use recording::{NewRecording, Recording, RecordingKind, RecordingList, RecordingState};
pub use services::{Service, ServiceList, ServiceQuery};
pub use session::{Project, ProjectList, Quantiles, Session, SessionDetail, SessionPage, SessionStatus};
pub use session_view::{
    BriefLog, GraphEdge, GraphNode, Lifecycle, SessionEvent, SessionEvents, SessionGraph, SessionLogQuery,
    SessionLogs, SessionOrder, SessionTotals,
};
pub use span::{SpanDetail, SpanMeaning};
pub use status::{
    Commits, Counts, IngestProblem, Listener, LiveStatus, Queue, Rates, Received, ServerStatus, StoreStatus,
};
pub use stream::StreamQuery;
pub use trace::{TraceDetail, TracePage, TraceSummary};
pub use usage::{
    HeatCell, RunLatencyBucket, UsageBucket, UsageGroup, UsageHeatMap, UsageMeasures, UsagePeriod,
    UsageReport, UsageTotals,
};
pub use usage_calls::UsageCalls;
pub use usage_query::{Bucket, UsageGroupBy, UsageKey, UsageOrder, UsageQuery};
pub use usage_rows::{AppliedPrice, UsageDispute, UsageRow, UsageRowPage, UsageSource};

/// Media type of [`columns`].
pub const COLUMNS_MEDIA_TYPE: &str = "application/vnd.meshscope.columns";
