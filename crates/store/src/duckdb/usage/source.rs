//! Which rows of the ledger a question is about, and where they come from.

use super::super::read::{self, Filter};
use super::super::slots::Slots;
use super::super::{attribute, counted, engine_error, parts, sessions};
use super::rolled::Rolled;
use crate::StoreError;
use duckdb::types::Value;
use duckdb::{Connection, Row};
use meshscope_api::attribute::{AttributeFilter, Comparison};
use meshscope_api::usage_query::{UsageGroupBy, UsageKey, UsageQuery};
use meshscope_api::{ListQuery, TimeRange};
use meshscope_model::time::HOUR;

/// Column or expression of a known key over the ledger's rows.
pub(super) fn column(by: UsageGroupBy) -> String {
    let named = |names: Vec<&str>, column: &str| {
        let names: Vec<String> = names.iter().map(|name| read::quoted(name)).collect();
        format!("[{}][{column} + 1]", names.join(", "))
    };
    match by {
        UsageGroupBy::Session => "session_id".to_owned(),
        UsageGroupBy::User => "user_id".to_owned(),
        UsageGroupBy::Trace => "replace(trace_id::VARCHAR, '-', '')".to_owned(),
        UsageGroupBy::System => named(
            meshscope_model::System::ALL
                .map(meshscope_model::System::as_str)
                .to_vec(),
            "system",
        ),
        UsageGroupBy::Operation => named(
            meshscope_model::Operation::ALL
                .map(meshscope_model::Operation::as_str)
                .to_vec(),
            "operation",
        ),
        other => other.as_str().to_owned(),
    }
}

/// Expression of a key as text, empty for what has none; `n` is the place of the key in the question.
pub(super) fn key_sql(key: &UsageKey, n: usize) -> String {
    match key {
        UsageKey::By(by) => format!("coalesce({}, '')", column(*by)),
        UsageKey::Attribute(_) => format!("coalesce(attribute{n}, '')"),
    }
}

/// Conditions on calls; every name is a column of the ledger.
pub(super) fn call_filter(slots: &Slots, query: &UsageQuery, (from, to): (i64, i64)) -> Filter {
    let mut filter = named_filter(query);
    filter.add(
        "time >= ? AND time <= ?",
        [Value::BigInt(from), Value::BigInt(to)],
    );
    filter.equal("session_id", query.list.session.as_deref());
    if let Some(trace) = query.trace {
        filter.add(&format!("trace_id = '{trace}'::UUID"), []);
    }
    for (key, value) in &query.attributes {
        where_attribute(&mut filter, slots, key, value);
    }
    filter
}

/// The conditions among these that sums by the hour have columns for.
pub(super) fn named_filter(query: &UsageQuery) -> Filter {
    let mut filter = Filter::default();
    add_texts(&mut filter, query);
    filter.equal("agent", query.list.agent.as_deref());
    filter.equal("version", query.version.as_deref());
    for key in &query.none {
        filter.add(&format!("coalesce({}, '') = ''", column(*key)), []);
    }
    filter
}

/// What calls and spans have columns for by the same name.
fn add_texts(filter: &mut Filter, query: &UsageQuery) {
    let list = &query.list;
    for (column, text) in [
        ("project", &list.project),
        ("room", &list.room),
        ("model", &list.model),
        ("provider", &query.provider),
        ("tool", &query.tool),
        ("service", &query.service),
        ("role", &query.role),
        ("user_id", &query.user),
    ] {
        filter.equal(column, text.as_deref());
    }
    if let Some(system) = list.system {
        filter.add("system = ?", [Value::UTinyInt(system as u8)]);
    }
    if let Some(operation) = query.operation {
        filter.add("operation = ?", [Value::UTinyInt(operation as u8)]);
    }
}

/// Calls whose span has a value of an attribute; with an empty value those without it.
fn where_attribute(filter: &mut Filter, slots: &Slots, key: &str, value: &str) {
    let asked = AttributeFilter {
        key: key.to_owned(),
        comparison: if value.is_empty() {
            Comparison::Exists
        } else {
            Comparison::Equal
        },
        value: value.to_owned(),
    };
    let (mut selects, mut values) = (Vec::new(), Vec::new());
    for spans in attribute::spans(slots, &[asked]) {
        selects.push(format!(
            "SELECT trace_id, span_id FROM spans s WHERE {}",
            spans.sql()
        ));
        values.extend(spans.values);
    }
    let not = if value.is_empty() { "NOT " } else { "" };
    let sql = format!(
        "{not}coalesce((trace_id, span_id) IN (SELECT (trace_id, span_id) FROM ({})), false)",
        selects.join(" UNION ALL ")
    );
    filter.add(&sql, values);
}

/// Condition that a row is of a session in `page_sessions`.
const OF_CHOSEN: &str = "(project, session_id) IN (SELECT (project, session_id) FROM page_sessions)";

/// Condition on a row with a session: it is of one that is chosen as in the list of sessions.
pub(super) fn of_chosen(query: &UsageQuery) -> &'static str {
    match session_query(query) {
        Some(_) => OF_CHOSEN,
        None => "true",
    }
}

/// Sessions that are chosen as in the list of sessions, if any filter does.
fn session_query(query: &UsageQuery) -> Option<ListQuery> {
    let list = &query.list;
    let chooses = list.q.is_some()
        || list.status.is_some()
        || list.has_error.is_some()
        || list.blocked.is_some()
        || list.min_cost_pico_usd.is_some()
        || list.min_duration_ns.is_some()
        || !list.attributes.is_empty();
    chooses.then(|| ListQuery {
        room: None,
        agent: None,
        model: None,
        system: None,
        cursor: None,
        ..list.clone()
    })
}

/// Where the rows come from: named queries, and the tables that they end in.
pub(super) struct Source {
    /// Named queries that must stand before a query, each with a comma after it.
    with: String,
    values: Vec<Value>,
    table: &'static str,
    claims: &'static str,
    /// Whether the rows have sessions.
    pub(super) has_sessions: bool,
    /// Whether only some sessions are asked for: `page_sessions` has them.
    pub(super) of_sessions: bool,
    /// Columns that are joined to the rows: attributes that are grouped by.
    attributes: String,
}

impl Source {
    /// All rows, with their sessions only when these are asked for; of chosen sessions only what belongs
    /// to them.
    pub(super) fn of(
        connection: &Connection,
        slots: &Slots,
        query: &UsageQuery,
        now: i64,
    ) -> Result<Self, StoreError> {
        let bounds = query.list.range.bounds(now);
        let attributes = attributes(slots, query, bounds);
        let chosen = session_query(query);
        if chosen.is_none() && query.list.session.is_none() {
            let by_session = UsageKey::By(UsageGroupBy::Session);
            let sessions = query.by.contains(&by_session) || query.none.contains(&UsageGroupBy::Session);
            return Ok(Self {
                with: String::new(),
                values: Vec::new(),
                table: if sessions { "ledger" } else { "counted" },
                claims: if sessions { "claims" } else { "covered" },
                has_sessions: sessions,
                of_sessions: false,
                attributes,
            });
        }
        let (sessions, values) = match &chosen {
            Some(list) => sessions::matching(slots, list, now),
            None => (
                format!(
                    "SELECT DISTINCT project, session_id FROM {} WHERE session_id = ?",
                    parts::all()
                ),
                query.list.session.iter().cloned().map(Value::Text).collect(),
            ),
        };
        let window = format!(
            "WITH page_sessions AS ({sessions}) SELECT min(first), max(last) FROM parts
            WHERE {OF_CHOSEN}"
        );
        let window = read::rows(connection, "find sessions", &window, values.clone(), |row| {
            Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?))
        })?;
        Ok(Self {
            with: format!(
                "page_sessions AS MATERIALIZED ({sessions}),
                page_traces AS (SELECT DISTINCT trace_id FROM parts
                    WHERE spans > 0 AND {OF_CHOSEN}),
                {}, chosen_ledger AS (SELECT * FROM page_ledger WHERE {OF_CHOSEN}),
                chosen_claims AS (SELECT * FROM page_claims WHERE {OF_CHOSEN}),",
                counted::of_page(window.into_iter().next().flatten().unwrap_or((0, 0)))
            ),
            values,
            table: "chosen_ledger",
            claims: "chosen_claims",
            has_sessions: true,
            of_sessions: true,
            attributes,
        })
    }

    /// All rows, without sessions.
    pub(super) fn everything() -> Self {
        Self {
            with: String::new(),
            values: Vec::new(),
            table: "counted",
            claims: "covered",
            has_sessions: false,
            of_sessions: false,
            attributes: String::new(),
        }
    }

    /// The rows that the roll-up does not tell.
    pub(super) fn beside(rolled: &Rolled) -> Self {
        Self {
            with: format!("{},", rolled.beside()),
            table: "beside",
            claims: "beside_covered",
            ..Self::everything()
        }
    }

    /// Every row of a query over `chosen`, the rows that `filter` chooses.
    pub(super) fn read<T>(
        &self,
        connection: &Connection,
        doing: &'static str,
        filter: &Filter,
        sql: &str,
        row: impl FnMut(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let (with, values) = self.chosen(filter);
        read::rows(connection, doing, &format!("{with} {sql}"), values, row)
    }

    /// `WITH` down to `chosen`, and its values.
    pub(super) fn chosen(&self, filter: &Filter) -> (String, Vec<Value>) {
        self.with(self.table, &self.attributes, filter)
    }

    /// The same, and `chosen_uncounted`: the claims that do not count.
    pub(super) fn both(&self, filter: &Filter) -> (String, Vec<Value>) {
        let (with, values) = self.chosen(filter);
        let sql = format!(
            "{with}, chosen_uncounted AS (SELECT * FROM {} WHERE {})",
            self.claims,
            filter.sql()
        );
        (
            sql,
            values.into_iter().chain(filter.values.iter().cloned()).collect(),
        )
    }

    /// The same over the claims that do not count.
    pub(super) fn chosen_claims(&self, filter: &Filter) -> (String, Vec<Value>) {
        self.with(self.claims, "", filter)
    }

    fn with(&self, table: &str, attributes: &str, filter: &Filter) -> (String, Vec<Value>) {
        let (name, joined) = match attributes {
            "" => ("chosen", String::new()),
            _ => ("chosen_calls", format!(", chosen AS (SELECT c.* {attributes})")),
        };
        let sql = format!(
            "WITH {} {name} AS (SELECT c.* FROM {table} c WHERE {}){joined}",
            self.with,
            filter.sql()
        );
        (sql, self.values.iter().chain(&filter.values).cloned().collect())
    }

    /// Named query of the chosen sessions with a comma after it, and its values; for questions about
    /// runs and sessions.
    pub(super) fn sessions(&self, query: &UsageQuery, slots: &Slots, now: i64) -> (String, Vec<Value>) {
        session_query(query).map_or_else(Default::default, |list| {
            let (sql, values) = sessions::matching(slots, &list, now);
            (format!("page_sessions AS MATERIALIZED ({sql}),"), values)
        })
    }
}

/// SQL that joins the attributes that are grouped by to the chosen calls; empty without any.
fn attributes(slots: &Slots, query: &UsageQuery, (from, to): (i64, i64)) -> String {
    let keys = query.by.iter().enumerate().filter_map(|(n, key)| match key {
        UsageKey::Attribute(key) => Some((n, key)),
        UsageKey::By(_) => None,
    });
    let (mut columns, mut values) = (String::new(), String::new());
    for (n, key) in keys {
        columns += &format!(", v.attribute{n}");
        values += &format!(", {} AS attribute{n}", attribute_text(slots, key));
    }
    if columns.is_empty() {
        return columns;
    }
    // A call may lie a little before or after the start of its span where a metric tells it.
    let (first, last) = (from.saturating_sub(HOUR), to.saturating_add(HOUR));
    let window = format!("s.start_time BETWEEN {} AND {last}", first.max(read::ANY_TIME.0));
    format!(
        "{columns} FROM chosen_calls c LEFT JOIN (SELECT s.trace_id, s.span_id{values} FROM spans s WHERE {window}) v
        ON v.trace_id = c.trace_id AND v.span_id = c.span_id"
    )
}

/// The value of an attribute of a span `s` as a person writes it.
fn attribute_text(slots: &Slots, key: &str) -> String {
    let quoted = read::quoted(key);
    let listed = format!("list_filter(s.attributes, lambda x: x.k = {quoted})[1].v");
    let written = match slots.of(key) {
        Some(slot) if slot.since <= 0 => format!("s.a{}", slot.index),
        Some(slot) => format!("coalesce(s.a{}, {listed})", slot.index),
        None => listed,
    };
    format!("(CASE {written} WHEN 't' THEN 'true' WHEN 'f' THEN 'false' ELSE substr({written}, 2) END)")
}

/// Conditions on rows of the roll-up of spans and logs, for what is counted by runs and sessions; after
/// [`find_traces`].
pub(super) fn part_filter(slots: &Slots, query: &UsageQuery, source: &Source) -> Filter {
    let list = &query.list;
    let mut filter = Filter::default();
    for (column, text) in [
        ("project", &list.project),
        ("session_id", &list.session),
        ("room", &list.room),
    ] {
        filter.equal(column, text.as_deref());
    }
    if let Some(system) = list.system {
        filter.add("system = ?", [Value::UTinyInt(system as u8)]);
    }
    if let Some(trace) = query.trace {
        filter.add(&format!("trace_id = '{trace}'::UUID"), []);
    }
    if source.of_sessions && session_query(query).is_some() {
        filter.add(OF_CHOSEN, []);
    }
    filter.text("list_contains(agents, ?)", list.agent.as_deref());
    if asked_traces(slots, query).is_some() {
        filter.add("trace_id IN (SELECT trace_id FROM asked_traces)", []);
    }
    filter
}

/// SQL of the traces that a question chooses by what the roll-up does not know, and its values: it is asked
/// of the spans, and what these do not know of the ledger.
fn asked_traces(slots: &Slots, query: &UsageQuery) -> Option<(String, Vec<Value>)> {
    let list = &query.list;
    let (mut selects, mut values) = (Vec::new(), Vec::new());
    let mut add = |table: &str, filter: Filter| {
        selects.push(format!("SELECT trace_id FROM {table} WHERE {}", filter.sql()));
        values.extend(filter.values);
    };
    let of_spans = [
        &list.model,
        &query.provider,
        &query.tool,
        &query.service,
        &query.role,
        &query.user,
    ];
    if of_spans.iter().any(|text| text.is_some()) || query.operation.is_some() {
        let mut spans = Filter::default();
        add_texts(&mut spans, query);
        spans.equal("agent", list.agent.as_deref());
        add("spans", spans);
    }
    let mut calls = Filter::default();
    calls.equal("version", query.version.as_deref());
    for key in query.none.iter().filter(|key| **key != UsageGroupBy::Session) {
        calls.add(&format!("coalesce({}, '') = ''", column(*key)), []);
    }
    for (key, value) in &query.attributes {
        where_attribute(&mut calls, slots, key, value);
    }
    if calls.sql() != "true" {
        add("usage", calls);
    }
    (!selects.is_empty()).then(|| (selects.join(" INTERSECT "), values))
}

/// Makes the temporary table `asked_traces` for [`part_filter`], once for a question: whatever its period,
/// the traces are the same.
pub(super) fn find_traces(
    connection: &Connection,
    slots: &Slots,
    query: &UsageQuery,
) -> Result<(), StoreError> {
    let doing = "find the runs of calls";
    let Some((sql, values)) = asked_traces(slots, query) else {
        return Ok(());
    };
    connection
        .execute_batch("CREATE OR REPLACE TEMP TABLE asked_traces (trace_id UUID)")
        .map_err(engine_error(doing))?;
    let fill = format!("INSERT INTO asked_traces SELECT DISTINCT trace_id FROM ({sql})");
    connection
        .execute(&fill, duckdb::params_from_iter(values))
        .map_err(engine_error(doing))?;
    Ok(())
}

/// Whether calls are chosen by more than a roll-up of runs and sessions knows.
pub(super) fn chooses_calls(query: &UsageQuery) -> bool {
    let list = &query.list;
    let texts = [
        &list.model,
        &list.agent,
        &query.provider,
        &query.tool,
        &query.service,
        &query.role,
        &query.user,
        &query.version,
    ];
    texts.iter().any(|text| text.is_some())
        || query.operation.is_some()
        || !query.none.is_empty()
        || !query.attributes.is_empty()
}

/// Whether sessions are chosen.
pub(super) fn chooses_sessions(query: &UsageQuery) -> bool {
    query.list.session.is_some() || session_query(query).is_some()
}

/// The range of a question as one of the list.
pub(super) fn within(query: &UsageQuery, from: i64, to: i64) -> UsageQuery {
    let mut query = query.clone();
    query.list.range = TimeRange {
        from: Some(from),
        to: Some(to),
    };
    query
}
