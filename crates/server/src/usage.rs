//! `/api/v1/usage`: figures, their rows, how long things took, and what a "what if" is computed from.

use crate::api::parameters::{ListFilters, Paging, UsageFormat, UsageOf, Within};
use crate::api::{Answer, Failure, json, params};
use crate::app::{App, now};
use crate::life::{Passing, send_file};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures_util::stream;
use meshscope_analysis::{Prices, cost};
use meshscope_api::usage_export::{Table, group_table, row_table};
use meshscope_api::usage_query::LatencyOf;
use meshscope_api::{
    AppliedPrice, Params, Problem, UsageHeatMap, UsageQuery, UsageReport, UsageRow, UsageRowPage,
};
use meshscope_model::{CostSource, Usage};
use meshscope_store::{Store, StoreError};
use std::sync::Arc;

/// Rows of one piece of an export.
const PIECE: u32 = 10_000;
/// The most groups of an export.
const GROUPS: u32 = meshscope_api::usage_query::MAX_TOP;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Parquet,
}

/// Takes `format` out of the parameters; without it `Accept` decides.
fn format(params: &mut Params, headers: &HeaderMap) -> Result<Format, Problem> {
    let named = params.one_of("format", &["json", "csv", "parquet"])?;
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or_default();
    let format = match named {
        Some("csv") => Format::Csv,
        Some("parquet") => Format::Parquet,
        Some(_) => Format::Json,
        None if accepts.contains("application/vnd.apache.parquet") => Format::Parquet,
        None if accepts.contains("text/csv") => Format::Csv,
        None => Format::Json,
    };
    params.0.retain(|(key, _)| key != "format");
    Ok(format)
}

/// Usage in buckets, groups and totals, from the ledger.
///
/// `q status has_error blocked min_cost_usd min_duration_ms attr` choose sessions as the list of sessions does, and
/// with them all their calls; the other filters choose calls. The paths below take the same parameters; what one
/// does not show is without effect there. With `format=csv` or `parquet` (or `Accept`) the groups
/// alone, as a table.
#[utoipa::path(get, path = "/api/v1/usage",
    params(Within, UsageOf, ListFilters, Paging, UsageFormat),
    responses((status = 200, body = UsageReport), (status = 400, body = Problem)))]
pub(crate) async fn usage(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
    let mut params = params(query);
    let format = format(&mut params, &headers)?;
    let mut query = UsageQuery::read(&params)?;
    if format != Format::Json && query.top.is_none() {
        query.top = Some(GROUPS);
    }
    let by = query.by.clone();
    let report = app.ask(move |store| store.usage(&query, now())).await?;
    match format {
        Format::Json => json(&report),
        Format::Csv => Ok(csv("usage.csv", Body::from(group_table(&by, &report).csv(true)))),
        Format::Parquet => parquet(&app, group_table(&by, &report), |_| Ok(None)).await,
    }
}

/// How long calls, or runs, took: counts by bucket of time and class of durations. Takes the filters of
/// `/usage`.
#[utoipa::path(get, path = "/api/v1/usage/latency",
    params(
        ("of" = Option<String>, Query, description = "`calls` (the default), `first_token` or `runs`"),
        Within, UsageOf, ListFilters, Paging,
    ),
    responses((status = 200, body = UsageHeatMap), (status = 400, body = Problem)))]
pub(crate) async fn usage_latency(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let mut params = params(query);
    let of = LatencyOf::take(&mut params)?;
    let query = UsageQuery::read(&params)?;
    json(
        &app.ask(move |store| store.usage_latency(&query, of, now()))
            .await?,
    )
}

/// The calls of a selection as compact columns, for computing what they would have cost. Takes the
/// filters of `/usage`.
#[utoipa::path(get, path = "/api/v1/usage/calls",
    params(Within, UsageOf, ListFilters, Paging),
    responses((status = 200, content((Vec<u8> = "application/vnd.meshscope.calls"))), (status = 400, body = Problem)))]
pub(crate) async fn usage_calls(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Answer {
    let query = UsageQuery::read(&params(query))?;
    let calls = app
        .ask(move |store| store.usage_calls(&query, now()).map(|calls| calls.encode()))
        .await?;
    let types = [
        (header::CONTENT_TYPE, meshscope_api::usage_calls::MEDIA_TYPE),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((types, calls).into_response())
}

/// The ledger rows under a figure of `/usage`; takes the same filters.
///
/// With `format=csv` or `parquet` (or `Accept`) all of them, as a table.
#[utoipa::path(get, path = "/api/v1/usage/rows",
    params(Within, UsageOf, ListFilters, Paging, UsageFormat),
    responses((status = 200, body = UsageRowPage), (status = 400, body = Problem)))]
pub(crate) async fn usage_rows(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Answer {
    let mut params = params(query);
    let format = format(&mut params, &headers)?;
    let mut query = UsageQuery::read_rows(&params)?;
    if format == Format::Json {
        let mut page = page(&app, query).await?;
        let prices = app.prices();
        for row in &mut page.rows {
            row.price = applied(&prices, row);
        }
        return json(&page);
    }
    query.list.limit = PIECE;
    // The range stays as it is while pages are read.
    query.list.range = meshscope_api::TimeRange {
        from: Some(query.list.range.bounds(now()).0.max(0)),
        to: query.list.range.to,
    };
    if format == Format::Csv {
        return Ok(csv("usage-rows.csv", stream_csv(app, query).await?));
    }
    let mut next = Some(query);
    parquet(&app, row_table(&[]), move |store| {
        let Some(query) = next.take() else {
            return Ok(None);
        };
        let page = store.usage_rows(&query, now())?;
        next = after(query, page.next_cursor);
        Ok(Some(row_table(&page.rows)))
    })
    .await
}

/// The question for the next page, if there is one.
fn after(mut query: UsageQuery, cursor: Option<String>) -> Option<UsageQuery> {
    query.list.cursor = Some(cursor?);
    Some(query)
}

/// A page of rows.
async fn page(app: &App, query: UsageQuery) -> Result<UsageRowPage, Problem> {
    app.ask(move |store| store.usage_rows(&query, now())).await
}

/// The price that a row's cost was computed by, as it is now.
fn applied(prices: &Prices, row: &UsageRow) -> Option<AppliedPrice> {
    let Some(CostSource::PriceTable(version)) = &row.cost_source else {
        return None;
    };
    let model = row.model.as_deref()?;
    let entry = prices.find_in(version, row.provider.as_deref(), model, row.time)?;
    let usage = Usage {
        tokens: row.tokens,
        characters: row.characters,
        audio_ns: row.audio_ns,
        batch: row.batch,
        ..Usage::default()
    };
    Some(AppliedPrice {
        table: version.clone(),
        own: prices.own().is_some_and(|own| own.version == *version),
        above_input_tokens: cost::tier(entry, &usage).map(|tier| tier.above_input_tokens),
        gives_pico_usd: cost::cost(entry, &usage),
        entry: entry.clone(),
    })
}

/// Rows as lines, a page at a time, for as long as they are read. The first page comes with the answer, so
/// that what is wrong with the question is said.
async fn stream_csv(app: Arc<App>, query: UsageQuery) -> Result<Body, Failure> {
    let first = page(&app, query.clone()).await?;
    let head = Bytes::from(row_table(&first.rows).csv(true));
    let rest = stream::unfold((app, after(query, first.next_cursor)), |(app, next)| async move {
        let query = next?;
        match page(&app, query.clone()).await {
            Ok(page) => {
                let lines = Bytes::from(row_table(&page.rows).csv(false));
                Some((Ok(lines), (app, after(query, page.next_cursor))))
            }
            Err(problem) => {
                tracing::error!(%problem.detail, "an export broke off");
                Some((Err(std::io::Error::other(problem.detail)), (app, None)))
            }
        }
    });
    let all = futures_util::StreamExt::chain(stream::once(async { Ok(head) }), rest);
    Ok(Body::from_stream(all))
}

fn csv(name: &str, body: Body) -> axum::response::Response {
    let types = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    (types, body).into_response()
}

/// A table as a file, and after its rows those that `more` gives page by page.
async fn parquet(
    app: &App,
    table: Table,
    mut more: impl FnMut(&dyn Store) -> Result<Option<Table>, StoreError> + Send + 'static,
) -> Answer {
    let file = Passing::new(&app.config.data_dir);
    let path = file.0.clone();
    app.ask_long(move |store| store.write_table(&table, &mut || more(store), &path))
        .await?;
    send_file(file).await
}
