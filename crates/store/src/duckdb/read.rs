//! What all queries share: filters with parameters, cursors, and reading rows.

use super::append::Columns;
use super::slots::Slots;
use super::{engine_error, parts, value};
use crate::StoreError;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use hashbrown::HashMap;
use meshscope_api::session::Quantiles;
use meshscope_model::{
    Attributes, Call, CostSource, KeyValue, Operation, Origin, Resource, Scope, Span, SpanEntry, SpanFacts,
    SpanId, SpanKind, Status, StatusCode, System, Tokens, TraceId, Usage,
};
use std::sync::Arc;

/// Conditions of a query with their parameters.
#[derive(Clone, Default)]
pub(super) struct Filter {
    conditions: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Filter {
    /// Adds a condition; each `?` in it takes one of `values`.
    pub(super) fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.conditions.push(format!("({condition})"));
        self.values.extend(values);
    }

    /// Adds `column = text` when there is a text.
    pub(super) fn equal(&mut self, column: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.add(&format!("{column} = ?"), [Value::Text(text.to_owned())]);
        }
    }

    /// Adds a condition in which every `?` is the same text.
    pub(super) fn text(&mut self, condition: &str, text: Option<&str>) {
        if let Some(text) = text {
            let count = condition.matches('?').count();
            self.add(
                condition,
                std::iter::repeat_n(Value::Text(text.to_owned()), count),
            );
        }
    }

    /// `a AND b`, or `true` when there is no condition.
    pub(super) fn sql(&self) -> String {
        if self.conditions.is_empty() {
            "true".to_owned()
        } else {
            self.conditions.join(" AND ")
        }
    }
}

/// A text as SQL writes it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Adds what free text asks of rows of the roll-up: that their words hold it, or that it is of
/// their trace id.
pub(super) fn text(filter: &mut Filter, q: Option<&str>) {
    let hex = |q: &str| q.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    match q {
        Some(q) if hex(q) => {
            let id = q.replace('-', "").to_lowercase();
            let either = "contains(words, lower(?)) OR contains(replace(trace_id::VARCHAR, '-', ''), ?)";
            filter.add(either, [Value::Text(q.to_owned()), Value::Text(id)]);
        }
        _ => filter.text("contains(words, lower(?))", q),
    }
}

/// Reads with several statements what is there at one moment. Nothing is written within: what `read`
/// makes for itself is gone with the end. Others write and make checkpoints meanwhile.
pub(super) fn as_of_now<T>(
    connection: &Connection,
    read: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let run = |sql| {
        connection
            .execute_batch(sql)
            .map_err(engine_error("read as of one moment"))
    };
    run("BEGIN TRANSACTION")?;
    match (read(), run("ROLLBACK")) {
        (Ok(read), Ok(())) => Ok(read),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Every row of a query, read by `read`.
pub(super) fn rows<T>(
    connection: &Connection,
    doing: &'static str,
    sql: &str,
    values: Vec<Value>,
    mut read: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare(sql).map_err(engine_error(doing))?;
    let mut rows = statement
        .query(duckdb::params_from_iter(values))
        .map_err(engine_error(doing))?;
    let mut read_rows = Vec::new();
    while let Some(row) = rows.next().map_err(engine_error(doing))? {
        read_rows.push(read(row).map_err(engine_error(doing))?);
    }
    Ok(read_rows)
}

/// Where a page ended: the sort key of its last entry.
pub(super) fn write_cursor(key: &impl serde::Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// The sort key in a cursor.
pub(super) fn read_cursor<T: serde::de::DeserializeOwned>(
    cursor: Option<&str>,
) -> Result<Option<T>, StoreError> {
    let Some(cursor) = cursor else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| StoreError::Cursor)?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|_| StoreError::Cursor)
}

/// A trace id out of the engine's text of a UUID.
pub(super) fn trace_id_of(uuid: &str) -> TraceId {
    uuid.replace('-', "").parse().unwrap_or_default()
}

/// The texts of a list.
pub(super) fn texts(value: Value) -> Vec<String> {
    let (Value::List(items) | Value::Array(items)) = value else {
        return Vec::new();
    };
    let text = |item| match item {
        Value::Text(text) => Some(text),
        _ => None,
    };
    items.into_iter().filter_map(text).collect()
}

/// A whole number of any of the engine's widths.
pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::BigInt(n) => Some(*n),
        Value::HugeInt(n) => i64::try_from(*n).ok(),
        Value::UBigInt(n) => i64::try_from(*n).ok(),
        Value::Int(n) => Some(i64::from(*n)),
        Value::Double(x) => Some(x.round() as i64),
        _ => None,
    }
}

/// Median, 95th and 99th percentile out of a list of three.
pub(super) fn quantiles(value: Value) -> Quantiles {
    let (Value::List(items) | Value::Array(items)) = value else {
        return Quantiles::default();
    };
    let at = |index: usize| items.get(index).and_then(number);
    Quantiles {
        p50: at(0),
        p95: at(1),
        p99: at(2),
    }
}

/// SQL of the three quantiles of a column.
pub(super) fn quantiles_of(column: &str) -> String {
    format!("quantile_disc({column}, [0.5, 0.95, 0.99])")
}

/// SQL of a sum that cannot overflow.
pub(super) fn sum_of(column: &str) -> String {
    format!(
        "CASE WHEN sum({column}) > 9223372036854775807 THEN 9223372036854775807 ELSE sum({column})::BIGINT END"
    )
}

/// SQL of a span's place in the order of spans: its start, and of spans that start together the
/// id, so that the first of them does not depend on the order of arrival.
pub(super) const PLACE: &str = "(start_time::HUGEINT * 4294967296 + (span_id % 4294967296)::HUGEINT)";

/// SQL of the sums of the token classes, in the order of [`Tokens::classes`].
pub(super) fn token_sums() -> String {
    TOKEN_COLUMNS.map(sum_of).join(", ")
}

/// Columns of the token classes, in the order of [`Tokens::classes`].
pub(super) const TOKEN_COLUMNS: [&str; 8] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "total_tokens",
];

/// Tokens out of eight columns from `first` on.
pub(super) fn tokens(row: &Row<'_>, first: usize) -> duckdb::Result<Tokens> {
    let mut classes = [None; 8];
    for (offset, class) in classes.iter_mut().enumerate() {
        *class = row.get(first + offset)?;
    }
    Ok(Tokens::from_classes(classes))
}

/// Attributes out of the JSON of their list.
pub(super) fn attributes(json: Option<&str>) -> Attributes {
    #[derive(serde::Deserialize)]
    struct Entry {
        k: String,
        v: String,
    }
    let entries: Vec<Entry> = json
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    entries
        .into_iter()
        .map(|entry| KeyValue {
            key: entry.k,
            value: value::read(&entry.v),
        })
        .collect()
}

/// A list out of its JSON.
pub(super) fn list<T: serde::de::DeserializeOwned>(json: Option<&str>) -> Vec<T> {
    json.and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}

/// A resource or scope out of its JSON.
pub(super) fn emitter<T: serde::de::DeserializeOwned + Default>(json: Option<&str>) -> T {
    json.and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}

/// The system stored as a number.
pub(super) fn system(n: u8) -> System {
    System::ALL.get(usize::from(n)).copied().unwrap_or_default()
}

/// Which spans to read.
pub(super) struct Wanted<'a> {
    /// Tables, the spans as `s`.
    pub(super) source: &'a str,
    /// First and last moment in which they start: the engine leaves out what lies outside.
    pub(super) window: (i64, i64),
    /// Condition on them.
    pub(super) condition: &'a str,
}

/// A window without bounds; the smallest integer has no literal of its own.
pub(super) const ANY_TIME: (i64, i64) = (i64::MIN + 1, i64::MAX);

/// SQL that selects spans in full; columns are read by [`span_entry`].
fn span_sql(slots: &Slots, wanted: &Wanted<'_>) -> String {
    let Wanted {
        source,
        window: (first, last),
        condition,
    } = wanted;
    let columns = slots.columns("s");
    format!(
        "WITH s AS MATERIALIZED (SELECT s.* FROM {source} WHERE s.start_time BETWEEN {first} AND {last} AND ({condition})),
    t AS (SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions
        WHERE trace_id IN (SELECT trace_id FROM s) GROUP BY trace_id),
    u AS (SELECT * FROM usage WHERE source = 0 AND time BETWEEN {first} AND {last} AND trace_id IN (SELECT trace_id FROM s)),
    k AS (SELECT * FROM calls WHERE trace_id IN (SELECT trace_id FROM s))
    SELECT s.trace_id::VARCHAR, s.span_id, s.parent_span_id, s.start_time, s.end_time, s.name, s.kind, s.status,
    s.status_message, s.trace_state, s.flags, s.project, s.system, s.room, s.session, s.fallback_session, s.agent,
    s.operation, s.role, s.tool, s.model, s.provider, s.conversation, s.user_id, s.title, s.verdict, s.blocked,
    s.error, s.time_to_first_token, s.reported_duration, s.noise, to_json(s.attributes)::VARCHAR, s.events, s.links,
    s.dropped_attributes, s.dropped_events, s.dropped_links, r.content, c.content,
    coalesce(s.session, t.session, s.fallback_session, CASE WHEN NOT s.noise THEN replace(s.trace_id::VARCHAR, '-', '') END),
    u.sequence, u.input_tokens, u.cached_input_tokens, u.cache_write_tokens, u.output_tokens, u.reasoning_tokens,
    u.audio_input_tokens, u.audio_output_tokens, u.total_tokens, u.characters, u.audio_ns, u.cost, u.cost_source,
    u.carbon, u.claim, s.interrupted, s.uncertainty, k.call, k.call_source, u.batch{columns}
    FROM s LEFT JOIN t ON t.trace_id = s.trace_id
    LEFT JOIN k ON k.trace_id = s.trace_id AND k.span_id = s.span_id
    LEFT JOIN u ON u.trace_id = s.trace_id AND u.span_id = s.span_id
    LEFT JOIN emitters r ON r.id = s.resource
    LEFT JOIN emitters c ON c.id = s.scope
    ORDER BY s.start_time, s.span_id"
    )
}

/// Where the slots stand among the columns of [`span_sql`].
const FIRST_SLOT: usize = 60;

/// A span in full, with the session it belongs to as known now.
pub(super) struct KeptSpan {
    pub(super) entry: SpanEntry,
    pub(super) session_id: Option<String>,
}

/// Spans in full, in the order of (start, span id).
pub(super) fn spans(
    connection: &Connection,
    slots: &Slots,
    wanted: &Wanted<'_>,
) -> Result<Vec<KeptSpan>, StoreError> {
    rows(
        connection,
        "read spans",
        &span_sql(slots, wanted),
        Vec::new(),
        |row| span_entry(row, slots),
    )
}

/// The attributes of a span, by key: those of its slots, which stand in columns from `first_slot` on, and those
/// of its list, in column `list`. Of a repeated key the one that was sent first stands first.
pub(super) fn span_attributes(
    row: &Row<'_>,
    slots: &Slots,
    list: usize,
    first_slot: usize,
) -> duckdb::Result<Attributes> {
    let mut all = Attributes::default();
    for (index, key) in slots.keys().iter().enumerate() {
        if let Some(text) = row.get::<_, Option<String>>(first_slot + index)? {
            all.0.push(KeyValue {
                key: key.clone(),
                value: value::read(&text),
            });
        }
    }
    all.0
        .extend(attributes(row.get::<_, Option<String>>(list)?.as_deref()).0);
    all.0.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(all)
}

fn span_entry(row: &Row<'_>, slots: &Slots) -> duckdb::Result<KeptSpan> {
    let text = |index: usize| row.get::<_, Option<String>>(index);
    let kind: u8 = row.get(6)?;
    let span = Span {
        trace_id: trace_id_of(&row.get::<_, String>(0)?),
        span_id: SpanId::from_u64(row.get(1)?),
        parent_span_id: row.get::<_, Option<u64>>(2)?.map(SpanId::from_u64),
        start_time: row.get(3)?,
        end_time: row.get(4)?,
        name: row.get(5)?,
        kind: SpanKind::from_number(i64::from(kind)),
        status: Status {
            code: StatusCode::from_number(i64::from(row.get::<_, u8>(7)?)),
            message: text(8)?.unwrap_or_default(),
        },
        trace_state: text(9)?.unwrap_or_default(),
        flags: row.get(10)?,
        attributes: span_attributes(row, slots, 31, FIRST_SLOT)?,
        events: list(text(32)?.as_deref()),
        links: list(text(33)?.as_deref()),
        dropped_attributes_count: row.get(34)?,
        dropped_events_count: row.get(35)?,
        dropped_links_count: row.get(36)?,
        resource: Arc::new(emitter::<Resource>(text(37)?.as_deref())),
        scope: Arc::new(emitter::<Scope>(text(38)?.as_deref())),
    };
    let facts = SpanFacts {
        origin: Origin {
            project: text(11)?,
            system: system(row.get(12)?),
            room: text(13)?,
            session: text(14)?,
            fallback_session: text(15)?,
            agent: text(16)?,
        },
        operation: Operation::from_number(row.get(17)?),
        role: text(18)?,
        tool: text(19)?,
        model: text(20)?,
        provider: text(21)?,
        conversation: text(22)?,
        user: text(23)?,
        title: text(24)?,
        verdict: text(25)?,
        blocked: row.get(26)?,
        error: text(27)?,
        time_to_first_token: row.get(28)?,
        reported_duration: row.get(29)?,
        noise: row.get(30)?,
        interrupted: row.get(55)?,
        uncertainty: row.get(56)?,
        call: row
            .get::<_, Option<u64>>(57)?
            .zip(row.get(58)?)
            .map(|(key, source)| Call { key, source }),
        usage: span_usage(row)?,
    };
    Ok(KeptSpan {
        entry: SpanEntry { span, facts },
        session_id: text(39)?,
    })
}

fn span_usage(row: &Row<'_>) -> duckdb::Result<Option<Usage>> {
    if row.get::<_, Option<i64>>(40)?.is_none() {
        return Ok(None);
    }
    Ok(Some(Usage {
        tokens: tokens(row, 41)?,
        characters: row.get(49)?,
        audio_ns: row.get(50)?,
        cost_pico_usd: row.get(51)?,
        cost_source: row.get::<_, Option<String>>(52)?.map(cost_source),
        carbon_ug: row.get(53)?,
        claim: row.get::<_, Option<bool>>(54)?.unwrap_or(false),
        batch: row.get::<_, Option<bool>>(59)?.unwrap_or(false),
    }))
}

/// Where a cost comes from, out of its column.
pub(super) fn cost_source(text: String) -> CostSource {
    if text == "reported" {
        CostSource::Reported
    } else {
        CostSource::PriceTable(text)
    }
}

/// The kept spans with the identities of `wanted`.
pub(super) fn spans_by_id(
    connection: &Connection,
    slots: &Slots,
    wanted: &[&SpanEntry],
) -> Result<HashMap<(TraceId, SpanId), SpanEntry>, StoreError> {
    let mut found = HashMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let fill = "CREATE TEMP TABLE IF NOT EXISTS wanted_spans (trace_id UUID, span_id UBIGINT); DELETE FROM wanted_spans";
    connection
        .execute_batch(fill)
        .map_err(engine_error("look for repeated spans"))?;
    let mut c = Columns::default();
    c.trace_ids(wanted.iter().map(|entry| Some(entry.span.trace_id)));
    c.u64(wanted.iter().map(|entry| Some(entry.span.span_id.as_u64())));
    c.append(connection, "wanted_spans")?;
    let Some(window) = parts::window(connection, "wanted_spans")? else {
        return Ok(found);
    };
    let all = Wanted {
        source: "spans s SEMI JOIN wanted_spans w ON w.trace_id = s.trace_id AND w.span_id = s.span_id",
        window,
        condition: "true",
    };
    for kept in spans(connection, slots, &all)? {
        let id = (kept.entry.span.trace_id, kept.entry.span.span_id);
        found.insert(id, kept.entry);
    }
    Ok(found)
}
