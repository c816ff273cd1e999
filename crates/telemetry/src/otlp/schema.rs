//! The fields of OTLP's messages by their JSON names, as
//! <https://github.com/open-telemetry/opentelemetry-proto> has them.

/// How a field is written on the wire.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// An id of so many bytes: hex, or base64 when the text has that length.
    Id(usize),
    Base64,
    Bool,
    /// `uint32`.
    Varint,
    /// `int64`.
    Int64,
    Sint32,
    Fixed64,
    Sfixed64,
    Fixed32,
    Double,
    Enum(&'static [(&'static str, u64)]),
    PackedFixed64,
    PackedDouble,
    PackedVarint,
    /// A message; each item of an array.
    Message(&'static Schema),
    /// A record: what is wrong within it costs only it.
    Record(&'static Schema),
}

/// The fields of a message: JSON name, number, kind.
pub(super) struct Schema(pub(super) &'static [(&'static str, u32, Kind)]);

use Kind::{
    Base64, Bool, Double, Enum, Fixed32, Fixed64, Id, Int64, Message, PackedDouble, PackedFixed64,
    PackedVarint, Record, Sfixed64, Sint32, Text, Varint,
};

static ANY_VALUE: Schema = Schema(&[
    ("stringValue", 1, Text),
    ("boolValue", 2, Bool),
    ("intValue", 3, Int64),
    ("doubleValue", 4, Double),
    ("arrayValue", 5, Message(&ARRAY)),
    ("kvlistValue", 6, Message(&KVLIST)),
    ("bytesValue", 7, Base64),
]);
static ARRAY: Schema = Schema(&[("values", 1, Message(&ANY_VALUE))]);
static KVLIST: Schema = Schema(&[("values", 1, Message(&KEY_VALUE))]);
static KEY_VALUE: Schema = Schema(&[("key", 1, Text), ("value", 2, Message(&ANY_VALUE))]);
// An attribute of a resource or scope is a record of its own: it must not cost those below it.
static RESOURCE: Schema = Schema(&[
    ("attributes", 1, Record(&KEY_VALUE)),
    ("droppedAttributesCount", 2, Varint),
]);
static SCOPE: Schema = Schema(&[
    ("name", 1, Text),
    ("version", 2, Text),
    ("attributes", 3, Record(&KEY_VALUE)),
    ("droppedAttributesCount", 4, Varint),
]);

pub(super) static TRACES: Schema = Schema(&[("resourceSpans", 1, Message(&RESOURCE_SPANS))]);
pub(super) static RESOURCE_SPANS: Schema = Schema(&[
    ("resource", 1, Message(&RESOURCE)),
    ("scopeSpans", 2, Message(&SCOPE_SPANS)),
    ("instrumentationLibrarySpans", 2, Message(&SCOPE_SPANS)),
    ("schemaUrl", 3, Text),
]);
static SCOPE_SPANS: Schema = Schema(&[
    ("scope", 1, Message(&SCOPE)),
    ("instrumentationLibrary", 1, Message(&SCOPE)),
    ("spans", 2, Record(&SPAN)),
    ("schemaUrl", 3, Text),
]);
static SPAN_KINDS: [(&str, u64); 6] = [
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];
static SPAN: Schema = Schema(&[
    ("traceId", 1, Id(16)),
    ("spanId", 2, Id(8)),
    ("traceState", 3, Text),
    ("parentSpanId", 4, Id(8)),
    ("name", 5, Text),
    ("kind", 6, Enum(&SPAN_KINDS)),
    ("startTimeUnixNano", 7, Fixed64),
    ("endTimeUnixNano", 8, Fixed64),
    ("attributes", 9, Message(&KEY_VALUE)),
    ("droppedAttributesCount", 10, Varint),
    ("events", 11, Message(&EVENT)),
    ("droppedEventsCount", 12, Varint),
    ("links", 13, Message(&LINK)),
    ("droppedLinksCount", 14, Varint),
    ("status", 15, Message(&STATUS)),
    ("flags", 16, Fixed32),
]);
static EVENT: Schema = Schema(&[
    ("timeUnixNano", 1, Fixed64),
    ("name", 2, Text),
    ("attributes", 3, Message(&KEY_VALUE)),
    ("droppedAttributesCount", 4, Varint),
]);
static LINK: Schema = Schema(&[
    ("traceId", 1, Id(16)),
    ("spanId", 2, Id(8)),
    ("traceState", 3, Text),
    ("attributes", 4, Message(&KEY_VALUE)),
    ("droppedAttributesCount", 5, Varint),
    ("flags", 6, Fixed32),
]);
static STATUS_CODES: [(&str, u64); 3] = [
    ("STATUS_CODE_UNSET", 0),
    ("STATUS_CODE_OK", 1),
    ("STATUS_CODE_ERROR", 2),
];
static STATUS: Schema = Schema(&[("message", 2, Text), ("code", 3, Enum(&STATUS_CODES))]);

pub(super) static LOGS: Schema = Schema(&[("resourceLogs", 1, Message(&RESOURCE_LOGS))]);
pub(super) static RESOURCE_LOGS: Schema = Schema(&[
    ("resource", 1, Message(&RESOURCE)),
    ("scopeLogs", 2, Message(&SCOPE_LOGS)),
    ("instrumentationLibraryLogs", 2, Message(&SCOPE_LOGS)),
    ("schemaUrl", 3, Text),
]);
static SCOPE_LOGS: Schema = Schema(&[
    ("scope", 1, Message(&SCOPE)),
    ("instrumentationLibrary", 1, Message(&SCOPE)),
    ("logRecords", 2, Record(&LOG_RECORD)),
    ("schemaUrl", 3, Text),
]);
static SEVERITIES: [(&str, u64); 25] = [
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];
static LOG_RECORD: Schema = Schema(&[
    ("timeUnixNano", 1, Fixed64),
    ("observedTimeUnixNano", 11, Fixed64),
    ("severityNumber", 2, Enum(&SEVERITIES)),
    ("severityText", 3, Text),
    ("body", 5, Message(&ANY_VALUE)),
    ("attributes", 6, Message(&KEY_VALUE)),
    ("droppedAttributesCount", 7, Varint),
    ("flags", 8, Fixed32),
    ("traceId", 9, Id(16)),
    ("spanId", 10, Id(8)),
    ("eventName", 12, Text),
]);

pub(super) static METRICS: Schema = Schema(&[
    ("resourceMetrics", 1, Message(&RESOURCE_METRICS)),
    ("resource", 1, Message(&RESOURCE_METRICS)),
]);
pub(super) static RESOURCE_METRICS: Schema = Schema(&[
    ("resource", 1, Message(&RESOURCE)),
    ("scopeMetrics", 2, Message(&SCOPE_METRICS)),
    ("instrumentationLibraryMetrics", 2, Message(&SCOPE_METRICS)),
    ("schemaUrl", 3, Text),
]);
static SCOPE_METRICS: Schema = Schema(&[
    ("scope", 1, Message(&SCOPE)),
    ("instrumentationLibrary", 1, Message(&SCOPE)),
    ("metrics", 2, Record(&METRIC)),
    ("schemaUrl", 3, Text),
]);
static METRIC: Schema = Schema(&[
    ("name", 1, Text),
    ("description", 2, Text),
    ("unit", 3, Text),
    ("gauge", 5, Message(&NUMBERS)),
    ("sum", 7, Message(&NUMBERS)),
    ("histogram", 9, Message(&HISTOGRAMS)),
    ("exponentialHistogram", 10, Message(&EXPONENTIAL_HISTOGRAMS)),
    ("summary", 11, Message(&SUMMARIES)),
    ("metadata", 12, Message(&KEY_VALUE)),
]);
static TEMPORALITIES: [(&str, u64); 3] = [
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];
static NUMBERS: Schema = Schema(&[
    ("dataPoints", 1, Record(&NUMBER_POINT)),
    ("aggregationTemporality", 2, Enum(&TEMPORALITIES)),
    ("isMonotonic", 3, Bool),
]);
static HISTOGRAMS: Schema = Schema(&[
    ("dataPoints", 1, Record(&HISTOGRAM_POINT)),
    ("aggregationTemporality", 2, Enum(&TEMPORALITIES)),
]);
static EXPONENTIAL_HISTOGRAMS: Schema = Schema(&[
    ("dataPoints", 1, Record(&EXPONENTIAL_POINT)),
    ("aggregationTemporality", 2, Enum(&TEMPORALITIES)),
]);
static SUMMARIES: Schema = Schema(&[("dataPoints", 1, Record(&SUMMARY_POINT))]);
static NUMBER_POINT: Schema = Schema(&[
    ("attributes", 7, Message(&KEY_VALUE)),
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("asDouble", 4, Double),
    ("asInt", 6, Sfixed64),
    ("exemplars", 5, Message(&EXEMPLAR)),
    ("flags", 8, Varint),
]);
static HISTOGRAM_POINT: Schema = Schema(&[
    ("attributes", 9, Message(&KEY_VALUE)),
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("count", 4, Fixed64),
    ("sum", 5, Double),
    ("bucketCounts", 6, PackedFixed64),
    ("explicitBounds", 7, PackedDouble),
    ("exemplars", 8, Message(&EXEMPLAR)),
    ("flags", 10, Varint),
    ("min", 11, Double),
    ("max", 12, Double),
]);
static EXPONENTIAL_POINT: Schema = Schema(&[
    ("attributes", 1, Message(&KEY_VALUE)),
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("count", 4, Fixed64),
    ("sum", 5, Double),
    ("scale", 6, Sint32),
    ("zeroCount", 7, Fixed64),
    ("positive", 8, Message(&BUCKETS)),
    ("negative", 9, Message(&BUCKETS)),
    ("flags", 10, Varint),
    ("exemplars", 11, Message(&EXEMPLAR)),
    ("min", 12, Double),
    ("max", 13, Double),
    ("zeroThreshold", 14, Double),
]);
static BUCKETS: Schema = Schema(&[("offset", 1, Sint32), ("bucketCounts", 2, PackedVarint)]);
static SUMMARY_POINT: Schema = Schema(&[
    ("attributes", 7, Message(&KEY_VALUE)),
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("count", 4, Fixed64),
    ("sum", 5, Double),
    ("quantileValues", 6, Message(&QUANTILE)),
    ("flags", 8, Varint),
]);
static QUANTILE: Schema = Schema(&[("quantile", 1, Double), ("value", 2, Double)]);
static EXEMPLAR: Schema = Schema(&[
    ("filteredAttributes", 7, Message(&KEY_VALUE)),
    ("timeUnixNano", 2, Fixed64),
    ("asDouble", 3, Double),
    ("asInt", 6, Sfixed64),
    ("spanId", 4, Id(8)),
    ("traceId", 5, Id(16)),
]);

impl Schema {
    /// The field with this JSON name, in camel or snake case.
    pub(super) fn find(&self, name: &str) -> Option<(u32, Kind)> {
        self.0
            .iter()
            .find(|(known, ..)| same(name, known))
            .map(|(_, number, kind)| (*number, *kind))
    }
}

/// True when `name` is `known` in camel or snake case.
pub(super) fn same(name: &str, known: &str) -> bool {
    let flat = known.bytes().map(|b| b.to_ascii_lowercase());
    known == name || (name.contains('_') && flat.eq(name.bytes().filter(|b| *b != b'_')))
}
