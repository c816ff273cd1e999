//! The ledger's rows on their way in: one a call, read from a span or from the points of it.

use super::append::Columns;
use crate::StoreError;
use duckdb::Connection;
use hashbrown::HashMap;
use meshscope_model::usage::plus;
use meshscope_model::{Call, CostSource, Operation, Origin, PointEntry, SpanEntry, SpanId, TraceId, Usage};
use std::borrow::Cow;

/// A row of the ledger on its way in.
struct LedgerRow<'a> {
    source: u8,
    time: i64,
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    origin: &'a Origin,
    service: &'a str,
    version: Option<&'a str>,
    facts: Option<&'a meshscope_model::SpanFacts>,
    operation: Operation,
    model: Option<&'a str>,
    provider: Option<&'a str>,
    duration: Option<i64>,
    time_to_first_token: Option<i64>,
    call: Option<Call>,
    usage: Usage,
}

/// The points of one call have its exemplar's span in common, or else series resource and time.
fn point_rows<'a>(points: &[(&'a PointEntry, u64, u64)]) -> Vec<LedgerRow<'a>> {
    let mut rows: Vec<LedgerRow<'a>> = Vec::new();
    let mut by_call = HashMap::new();
    for (entry, ..) in points {
        let Some(used) = &entry.usage else { continue };
        let point = &entry.point;
        let exemplar = point
            .exemplars
            .iter()
            .find(|exemplar| exemplar.trace_id.is_some());
        let (trace_id, span_id) =
            exemplar.map_or((None, None), |exemplar| (exemplar.trace_id, exemplar.span_id));
        let time = exemplar.map_or(point.time, |exemplar| exemplar.time);
        let (model, provider) = (used.model.as_deref(), used.provider.as_deref());
        let place = if span_id.is_some() { 0 } else { point.time };
        let call = (
            trace_id,
            span_id,
            place,
            entry.origin.session.as_deref(),
            model,
            provider,
            entry.call.map(|call| call.key),
        );
        let index = *by_call.entry(call).or_insert(rows.len());
        if let Some(row) = rows.get_mut(index) {
            row.usage.tokens = row.usage.tokens.plus(&used.usage.tokens);
            row.usage.cost_pico_usd = plus(row.usage.cost_pico_usd, used.usage.cost_pico_usd);
            row.time = row.time.min(time);
            continue;
        }
        rows.push(LedgerRow {
            source: 1,
            time,
            trace_id,
            span_id,
            origin: &entry.origin,
            service: point.resource.service(),
            version: point.resource.version(),
            facts: None,
            operation: used.operation,
            model,
            provider,
            duration: used.duration,
            time_to_first_token: used.time_to_first_token,
            call: entry.call,
            usage: used.usage.clone(),
        });
    }
    rows
}

/// Appends the rows that the spans and points bring.
pub(super) fn append_usage(
    connection: &Connection,
    spans: &[Cow<'_, SpanEntry>],
    points: &[(&PointEntry, u64, u64)],
    sequence: i64,
) -> Result<(), StoreError> {
    let mut rows: Vec<LedgerRow<'_>> = spans
        .iter()
        .filter_map(|row| {
            let (span, facts) = (&row.span, &row.facts);
            Some(LedgerRow {
                source: 0,
                time: span.start_time,
                trace_id: Some(span.trace_id),
                span_id: Some(span.span_id),
                origin: &facts.origin,
                service: span.resource.service(),
                version: span.resource.version(),
                facts: Some(facts),
                operation: facts.operation,
                time_to_first_token: facts.time_to_first_token,
                call: facts.call,
                model: facts.model.as_deref(),
                provider: facts.provider.as_deref(),
                duration: Some(facts.reported_duration.unwrap_or_else(|| span.duration())),
                usage: facts.usage.clone()?,
            })
        })
        .collect();
    rows.append(&mut point_rows(points));
    if rows.is_empty() {
        return Ok(());
    }
    let mut c = Columns::default();
    c.i64((sequence + 1..).take(rows.len()).map(Some));
    c.u8(rows.iter().map(|row| row.source));
    c.i64(rows.iter().map(|row| Some(row.time)));
    c.trace_ids(rows.iter().map(|row| row.trace_id));
    c.u64(rows.iter().map(|row| row.span_id.map(|id| id.as_u64())));
    c.text(
        rows.iter()
            .map(|row| Some(row.origin.project.as_deref().unwrap_or("default"))),
    );
    c.u8(rows.iter().map(|row| row.origin.system as u8));
    c.text(rows.iter().map(|row| row.origin.room.as_deref()));
    c.text(rows.iter().map(|row| row.origin.session.as_deref()));
    c.text(rows.iter().map(|row| row.origin.fallback_session.as_deref()));
    c.text(rows.iter().map(|row| Some(row.service)));
    c.text(rows.iter().map(|row| row.origin.agent.as_deref()));
    c.text(
        rows.iter()
            .map(|row| row.facts.and_then(|facts| facts.role.as_deref())),
    );
    c.u8(rows.iter().map(|row| row.operation as u8));
    c.text(
        rows.iter()
            .map(|row| row.facts.and_then(|facts| facts.tool.as_deref())),
    );
    c.text(rows.iter().map(|row| row.model));
    c.text(rows.iter().map(|row| row.provider));
    c.i64(rows.iter().map(|row| row.duration));
    c.i64(rows.iter().map(|row| row.time_to_first_token));
    c.bool(
        rows.iter()
            .map(|row| row.facts.is_some_and(|facts| facts.error.is_some())),
    );
    let classes: Vec<_> = rows.iter().map(|row| row.usage.tokens.classes()).collect();
    for class in 0..8 {
        c.i64(
            classes
                .iter()
                .map(|classes| classes.get(class).copied().flatten()),
        );
    }
    c.i64(rows.iter().map(|row| row.usage.characters));
    c.i64(rows.iter().map(|row| row.usage.audio_ns));
    c.i64(rows.iter().map(|row| row.usage.cost_pico_usd));
    c.text(rows.iter().map(|row| match &row.usage.cost_source {
        None => None,
        Some(CostSource::Reported) => Some("reported"),
        Some(CostSource::PriceTable(version)) => Some(version.as_str()),
    }));
    c.i64(rows.iter().map(|row| row.usage.carbon_ug));
    c.bool(rows.iter().map(|row| row.usage.claim));
    c.u64(rows.iter().map(|row| row.call.map(|call| call.key)));
    c.optional_u8(rows.iter().map(|row| row.call.map(|call| call.source)));
    c.bool(rows.iter().map(|row| row.usage.batch));
    c.text(rows.iter().map(|row| row.version));
    c.text(
        rows.iter()
            .map(|row| row.facts.and_then(|facts| facts.user.as_deref())),
    );
    c.append(connection, "usage")
}

/// Notes which spans describe a call that other records may describe as well.
pub(super) fn append_calls(connection: &Connection, rows: &[Cow<'_, SpanEntry>]) -> Result<(), StoreError> {
    let calls: Vec<_> = rows
        .iter()
        .filter_map(|row| Some((row.facts.call?, &row.span)))
        .collect();
    if calls.is_empty() {
        return Ok(());
    }
    let mut c = Columns::default();
    c.u64(calls.iter().map(|(call, _)| Some(call.key)));
    c.u8(calls.iter().map(|(call, _)| call.source));
    c.trace_ids(calls.iter().map(|(_, span)| Some(span.trace_id)));
    c.u64(calls.iter().map(|(_, span)| Some(span.span_id.as_u64())));
    c.append(connection, "calls")
}
