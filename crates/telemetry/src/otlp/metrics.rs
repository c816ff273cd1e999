//! `ExportMetricsServiceRequest`.

use super::common::{
    COUNT_FIELD, Context, Kept, REASON_FIELD, Reason, each, json_reason, key_value, name_of, pointer,
    resource, scope, span_id, time, trace_id,
};
use crate::wire::{Field, Reader, WireError};
use meshscope_model::metric::{Exemplar, ExponentialHistogram, Histogram, Summary};
use meshscope_model::{
    Attributes, Metric, MetricKind, MetricPoint, Origin, PointEntry, PointValue, Resource, Scope, Temporality,
};
use std::sync::Arc;

pub(super) fn decode(
    body: &[u8],
    context: &mut Context,
    into: &mut Vec<PointEntry>,
) -> Result<(), WireError> {
    each(body, 1, |resource_metrics| {
        let resource = resource(resource_metrics, context)?;
        each(resource_metrics, 2, |scope_metrics| {
            let scope = scope(scope_metrics, context)?;
            each(scope_metrics, 2, |bytes| {
                match describe(bytes, context) {
                    Ok((metric, data)) => points(data, &Arc::new(metric), &resource, &scope, context, into)?,
                    Err(reason) => {
                        context.reject_all(count_points(bytes), "metric", &name_of(bytes, 1), &reason);
                    }
                }
                Ok(())
            })
        })
    })
}

/// The field of `Metric` that holds points of a kind.
fn kind_of(number: u32) -> Option<MetricKind> {
    match number {
        5 => Some(MetricKind::Gauge),
        7 => Some(MetricKind::Sum),
        9 => Some(MetricKind::Histogram),
        10 => Some(MetricKind::ExponentialHistogram),
        11 => Some(MetricKind::Summary),
        _ => None,
    }
}

/// How many points are lost with a metric that cannot be read; one at least.
fn count_points(bytes: &[u8]) -> u64 {
    let mut count = 0;
    let mut reader = Reader(bytes);
    while let Ok(Some(field)) = reader.next() {
        match (field.number, field.bytes()) {
            (COUNT_FIELD, _) => count += field.varint().unwrap_or(0),
            (number, Ok(data)) if kind_of(number).is_some() => {
                let mut points = Reader(data);
                while let Ok(Some(point)) = points.next() {
                    count += u64::from(point.number == 1);
                }
            }
            _ => {}
        }
    }
    count.max(1)
}

/// Reads what describes a metric, which may stand after its points, and finds the points.
fn describe<'a>(bytes: &'a [u8], context: &mut Context) -> Kept<(Metric, &'a [u8])> {
    let mut metric = Metric::default();
    let mut data: &[u8] = &[];
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => metric.name = context.text(field.bytes()?),
            2 => metric.description = context.text(field.bytes()?),
            3 => metric.unit = context.text(field.bytes()?),
            12 => metric.metadata.push(key_value(field.bytes()?, context, 0)?),
            REASON_FIELD => return json_reason(field),
            number => {
                if let Some(kind) = kind_of(number) {
                    metric.kind = kind;
                    data = field.bytes()?;
                }
            }
        }
    }
    let mut reader = Reader(data);
    while let Some(field) = reader.next()? {
        match field.number {
            2 => metric.temporality = Temporality::from_number(field.int64()?),
            3 => metric.monotonic = field.varint()? != 0,
            _ => {}
        }
    }
    Ok((metric, data))
}

fn points(
    data: &[u8],
    metric: &Arc<Metric>,
    resource: &Arc<Resource>,
    scope: &Arc<Scope>,
    context: &mut Context,
    into: &mut Vec<PointEntry>,
) -> Result<(), WireError> {
    each(data, 1, |bytes| {
        context.begin();
        let mut point = MetricPoint {
            resource: Arc::clone(resource),
            scope: Arc::clone(scope),
            metric: Arc::clone(metric),
            attributes: Attributes::default(),
            start_time: 0,
            time: 0,
            flags: 0,
            value: PointValue::None,
            exemplars: Vec::new(),
        };
        let read = match metric.kind {
            MetricKind::Gauge | MetricKind::Sum => number(bytes, &mut point, context),
            MetricKind::Histogram => histogram(bytes, &mut point, context),
            MetricKind::ExponentialHistogram => exponential(bytes, &mut point, context),
            MetricKind::Summary => summary(bytes, &mut point, context),
        };
        match read {
            Ok(()) => into.push(PointEntry {
                point,
                origin: Origin::default(),
                usage: None,
                identity: None,
                call: None,
            }),
            Err(reason) => context.reject("data point of metric", &metric.name, &reason),
        }
        Ok(())
    })
}

/// Field numbers that differ between the kinds of points.
struct Shared {
    attributes: u32,
    exemplars: u32,
    flags: u32,
}

/// Reads what all points have; false when the field is the kind's own.
fn shared(field: Field<'_>, numbers: &Shared, point: &mut MetricPoint, context: &mut Context) -> Kept<bool> {
    match field.number {
        2 => point.start_time = time(field, "start_time_unix_nano")?,
        3 => point.time = time(field, "time_unix_nano")?,
        REASON_FIELD => return json_reason(field),
        n if n == numbers.attributes => point.attributes.0.push(key_value(field.bytes()?, context, 0)?),
        n if n == numbers.exemplars => point.exemplars.push(exemplar(field.bytes()?, context)?),
        n if n == numbers.flags => point.flags = field.uint32()?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn number(bytes: &[u8], point: &mut MetricPoint, context: &mut Context) -> Kept<()> {
    let numbers = Shared {
        attributes: 7,
        exemplars: 5,
        flags: 8,
    };
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        if shared(field, &numbers, point, context)? {
            continue;
        }
        match field.number {
            4 => point.value = PointValue::Double(field.double()?),
            6 => point.value = PointValue::Int(field.fixed64()? as i64),
            _ => {}
        }
    }
    Ok(())
}

fn histogram(bytes: &[u8], point: &mut MetricPoint, context: &mut Context) -> Kept<()> {
    let numbers = Shared {
        attributes: 9,
        exemplars: 8,
        flags: 10,
    };
    let mut value = Histogram::default();
    let mut bounds = Vec::new();
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        if shared(field, &numbers, point, context)? {
            continue;
        }
        match field.number {
            4 => value.count = field.fixed64()?,
            5 => value.sum = Some(field.double()?),
            6 => field.packed_fixed64(&mut value.bucket_counts)?,
            7 => field.packed_fixed64(&mut bounds)?,
            11 => value.min = Some(field.double()?),
            12 => value.max = Some(field.double()?),
            _ => {}
        }
    }
    value.explicit_bounds = bounds.into_iter().map(f64::from_bits).collect();
    if !value.bucket_counts.is_empty() && value.bucket_counts.len() != value.explicit_bounds.len() + 1 {
        return Err(Reason(format!(
            "bucket_counts has {} entries for {} explicit_bounds; it must have one more than there are bounds",
            value.bucket_counts.len(),
            value.explicit_bounds.len()
        )));
    }
    point.value = PointValue::Histogram(value);
    Ok(())
}

fn exponential(bytes: &[u8], point: &mut MetricPoint, context: &mut Context) -> Kept<()> {
    let numbers = Shared {
        attributes: 1,
        exemplars: 11,
        flags: 10,
    };
    let mut value = ExponentialHistogram::default();
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        if shared(field, &numbers, point, context)? {
            continue;
        }
        match field.number {
            4 => value.count = field.fixed64()?,
            5 => value.sum = Some(field.double()?),
            6 => value.scale = field.sint32()?,
            7 => value.zero_count = field.fixed64()?,
            8 => (value.positive_offset, value.positive_counts) = buckets(field.bytes()?)?,
            9 => (value.negative_offset, value.negative_counts) = buckets(field.bytes()?)?,
            12 => value.min = Some(field.double()?),
            13 => value.max = Some(field.double()?),
            14 => value.zero_threshold = field.double()?,
            _ => {}
        }
    }
    point.value = PointValue::ExponentialHistogram(value);
    Ok(())
}

fn buckets(bytes: &[u8]) -> Kept<(i32, Vec<u64>)> {
    let (mut offset, mut counts) = (0, Vec::new());
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => offset = field.sint32()?,
            2 => field.packed_varint(&mut counts)?,
            _ => {}
        }
    }
    Ok((offset, counts))
}

fn summary(bytes: &[u8], point: &mut MetricPoint, context: &mut Context) -> Kept<()> {
    let numbers = Shared {
        attributes: 7,
        exemplars: 0,
        flags: 8,
    };
    let mut value = Summary::default();
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        if shared(field, &numbers, point, context)? {
            continue;
        }
        match field.number {
            4 => value.count = field.fixed64()?,
            5 => value.sum = field.double()?,
            6 => {
                let mut quantile = (0.0, 0.0);
                let mut nested = Reader(field.bytes()?);
                while let Some(field) = nested.next()? {
                    match field.number {
                        1 => quantile.0 = field.double()?,
                        2 => quantile.1 = field.double()?,
                        _ => {}
                    }
                }
                value.quantiles.push(quantile);
            }
            _ => {}
        }
    }
    point.value = PointValue::Summary(value);
    Ok(())
}

fn exemplar(bytes: &[u8], context: &mut Context) -> Kept<Exemplar> {
    let mut exemplar = Exemplar {
        time: 0,
        value: PointValue::None,
        trace_id: None,
        span_id: None,
        filtered_attributes: Attributes::default(),
    };
    let mut reader = Reader(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            2 => exemplar.time = time(field, "exemplars.time_unix_nano")?,
            3 => exemplar.value = PointValue::Double(field.double()?),
            4 => exemplar.span_id = pointer(field.bytes()?, context, |id| span_id(id, "exemplars.span_id")),
            5 => exemplar.trace_id = pointer(field.bytes()?, context, trace_id),
            6 => exemplar.value = PointValue::Int(field.fixed64()? as i64),
            7 => exemplar
                .filtered_attributes
                .0
                .push(key_value(field.bytes()?, context, 0)?),
            _ => {}
        }
    }
    Ok(exemplar)
}
