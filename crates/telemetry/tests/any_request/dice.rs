//! Random OTLP requests from a seed.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::prelude::*;

/// A source of random choices.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    state: u64,
    /// No NaN, infinities or negative zero: other encoders lose them on their way to JSON or protobuf.
    pub(crate) finite: bool,
}

impl Arbitrary for Dice {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        any::<u64>().prop_map(Self::new).boxed()
    }
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed,
            finite: false,
        }
    }

    /// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn chance(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }

    fn some<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance().then(|| make(self))
    }

    /// Up to three of something.
    fn few<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| make(self)).collect()
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn text(&mut self) -> String {
        self.pick(&[
            "",
            "a",
            "gen_ai.usage.input_tokens",
            "session.id",
            "\0",
            "é\u{1f300}",
            "<script>",
            "x\ny\"z\\",
        ])
        .to_owned()
    }

    fn id(&mut self, length: usize) -> Vec<u8> {
        let mut id: Vec<u8> = (0..length).map(|_| self.next() as u8).collect();
        id[0] |= 1;
        id
    }

    fn maybe_id(&mut self, length: usize) -> Vec<u8> {
        self.some(|dice| dice.id(length)).unwrap_or_default()
    }

    fn time(&mut self) -> u64 {
        let any = self.next() >> 1;
        self.pick(&[0, 1, 1_795_220_548_168_533_800, i64::MAX as u64, any])
    }

    fn int(&mut self) -> i64 {
        let any = self.next() as i64;
        self.pick(&[0, 1, -1, 123, i64::MAX, i64::MIN, any])
    }

    fn double(&mut self) -> f64 {
        let any = (self.next() as i64) as f64 / 1e6;
        let finite = self.pick(&[0.0, 0.1, -2.5, 1e300, f64::MIN_POSITIVE, any]);
        let odd = self.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, finite]);
        if self.finite { finite } else { odd }
    }

    fn count(&mut self) -> u64 {
        let any = self.next();
        self.pick(&[0, 1, 127, 128, u64::MAX, any])
    }

    fn small(&mut self) -> u32 {
        self.pick(&[0, 0, 1, 300, u32::MAX])
    }

    fn value(&mut self, depth: usize) -> AnyValue {
        let value = match self.below(if depth < 4 { 8 } else { 6 }) {
            0 => None,
            1 => Some(Value::StringValue(self.text())),
            2 => Some(Value::BoolValue(self.chance())),
            3 => Some(Value::IntValue(self.int())),
            4 => Some(Value::DoubleValue(self.double())),
            5 => Some(Value::BytesValue(self.maybe_id(5))),
            6 => {
                let values = self.few(|dice| dice.value(depth + 1));
                Some(Value::ArrayValue(ArrayValue { values }))
            }
            _ => {
                let values = self.few(|dice| dice.key_value(depth + 1));
                Some(Value::KvlistValue(KeyValueList { values }))
            }
        };
        AnyValue { value }
    }

    fn key_value(&mut self, depth: usize) -> KeyValue {
        KeyValue {
            key: self.text(),
            value: Some(self.value(depth)),
            ..KeyValue::default()
        }
    }

    fn attributes(&mut self) -> Vec<KeyValue> {
        self.few(|dice| dice.key_value(0))
    }

    fn resource(&mut self) -> Option<Resource> {
        self.some(|dice| Resource {
            attributes: dice.attributes(),
            dropped_attributes_count: dice.small(),
            entity_refs: Vec::new(),
        })
    }

    fn scope(&mut self) -> Option<InstrumentationScope> {
        self.some(|dice| InstrumentationScope {
            name: dice.text(),
            version: dice.text(),
            attributes: dice.attributes(),
            dropped_attributes_count: dice.small(),
        })
    }

    pub(crate) fn traces(&mut self) -> ExportTraceServiceRequest {
        let resource_spans = self.few(|dice| ResourceSpans {
            resource: dice.resource(),
            scope_spans: dice.few(|dice| ScopeSpans {
                scope: dice.scope(),
                spans: dice.few(Self::span),
                schema_url: dice.text(),
            }),
            schema_url: dice.text(),
        });
        ExportTraceServiceRequest { resource_spans }
    }

    pub(crate) fn span(&mut self) -> Span {
        Span {
            trace_id: self.id(16),
            span_id: self.id(8),
            trace_state: self.text(),
            parent_span_id: self.maybe_id(8),
            flags: self.small(),
            name: self.text(),
            kind: self.below(6) as i32,
            start_time_unix_nano: self.time(),
            end_time_unix_nano: self.time(),
            attributes: self.attributes(),
            dropped_attributes_count: self.small(),
            events: self.few(|dice| span::Event {
                time_unix_nano: dice.time(),
                name: dice.text(),
                attributes: dice.attributes(),
                dropped_attributes_count: dice.small(),
            }),
            dropped_events_count: self.small(),
            links: self.few(|dice| span::Link {
                trace_id: dice.maybe_id(16),
                span_id: dice.maybe_id(8),
                trace_state: dice.text(),
                attributes: dice.attributes(),
                dropped_attributes_count: dice.small(),
                flags: dice.small(),
            }),
            dropped_links_count: self.small(),
            status: self.some(|dice| Status {
                message: dice.text(),
                code: dice.below(3) as i32,
            }),
        }
    }

    pub(crate) fn logs(&mut self) -> ExportLogsServiceRequest {
        let resource_logs = self.few(|dice| ResourceLogs {
            resource: dice.resource(),
            scope_logs: dice.few(|dice| ScopeLogs {
                scope: dice.scope(),
                log_records: dice.few(Self::log_record),
                schema_url: dice.text(),
            }),
            schema_url: dice.text(),
        });
        ExportLogsServiceRequest { resource_logs }
    }

    pub(crate) fn log_record(&mut self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.time(),
            observed_time_unix_nano: self.time(),
            severity_number: self.below(25) as i32,
            severity_text: self.text(),
            body: self.some(|dice| dice.value(0)),
            attributes: self.attributes(),
            dropped_attributes_count: self.small(),
            flags: self.small(),
            trace_id: self.maybe_id(16),
            span_id: self.maybe_id(8),
            event_name: self.text(),
        }
    }

    pub(crate) fn metrics(&mut self) -> ExportMetricsServiceRequest {
        let resource_metrics = self.few(|dice| ResourceMetrics {
            resource: dice.resource(),
            scope_metrics: dice.few(|dice| ScopeMetrics {
                scope: dice.scope(),
                metrics: dice.few(Self::metric),
                schema_url: dice.text(),
            }),
            schema_url: dice.text(),
        });
        ExportMetricsServiceRequest { resource_metrics }
    }

    fn metric(&mut self) -> Metric {
        let aggregation_temporality = self.below(3) as i32;
        let data = match self.below(6) {
            0 => None,
            1 => Some(Data::Gauge(Gauge {
                data_points: self.few(Self::number_point),
            })),
            2 => Some(Data::Sum(Sum {
                data_points: self.few(Self::number_point),
                aggregation_temporality,
                is_monotonic: self.chance(),
            })),
            3 => Some(Data::Histogram(Histogram {
                data_points: self.few(Self::histogram_point),
                aggregation_temporality,
            })),
            4 => Some(Data::ExponentialHistogram(ExponentialHistogram {
                data_points: self.few(Self::exponential_point),
                aggregation_temporality,
            })),
            _ => Some(Data::Summary(Summary {
                data_points: self.few(Self::summary_point),
            })),
        };
        Metric {
            name: self.text(),
            description: self.text(),
            unit: self.text(),
            metadata: self.attributes(),
            data,
        }
    }

    fn number_point(&mut self) -> NumberDataPoint {
        NumberDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            exemplars: self.few(Self::exemplar),
            flags: self.small(),
            value: match self.below(3) {
                0 => None,
                1 => Some(number_data_point::Value::AsInt(self.int())),
                _ => Some(number_data_point::Value::AsDouble(self.double())),
            },
        }
    }

    pub(crate) fn histogram_point(&mut self) -> HistogramDataPoint {
        let explicit_bounds = self.few(Self::double);
        let buckets = explicit_bounds.len() + 1;
        HistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            count: self.count(),
            sum: self.some(Self::double),
            bucket_counts: (0..buckets).map(|_| self.count()).collect(),
            explicit_bounds,
            exemplars: self.few(Self::exemplar),
            flags: self.small(),
            min: self.some(Self::double),
            max: self.some(Self::double),
        }
    }

    fn exponential_point(&mut self) -> ExponentialHistogramDataPoint {
        let scale = self.int() as i32;
        let buckets = |dice: &mut Self| {
            dice.some(|dice| Buckets {
                offset: dice.int() as i32,
                bucket_counts: dice.few(Self::count),
            })
        };
        ExponentialHistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            count: self.count(),
            sum: self.some(Self::double),
            scale,
            zero_count: self.count(),
            positive: buckets(self),
            negative: buckets(self),
            flags: self.small(),
            exemplars: self.few(Self::exemplar),
            min: self.some(Self::double),
            max: self.some(Self::double),
            zero_threshold: self.double(),
        }
    }

    fn summary_point(&mut self) -> SummaryDataPoint {
        SummaryDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.time(),
            time_unix_nano: self.time(),
            count: self.count(),
            sum: self.double(),
            quantile_values: self.few(|dice| ValueAtQuantile {
                quantile: dice.double(),
                value: dice.double(),
            }),
            flags: self.small(),
        }
    }

    fn exemplar(&mut self) -> Exemplar {
        Exemplar {
            filtered_attributes: self.attributes(),
            time_unix_nano: self.time(),
            span_id: self.maybe_id(8),
            trace_id: self.maybe_id(16),
            value: match self.below(3) {
                0 => None,
                1 => Some(exemplar::Value::AsInt(self.int())),
                _ => Some(exemplar::Value::AsDouble(self.double())),
            },
        }
    }
}
