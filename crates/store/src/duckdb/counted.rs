//! What counts of the ledger's rows: every call once, whatever was told of it and by whom.
//!
//! The SQL is made for all rows (as views) and for those of a page (see [`of_page`]), which are
//! few, so that a list does not sum up the whole ledger.

use super::sums;

/// Where the ledger's rows are read from: tables or named queries.
pub(super) struct From<'a> {
    /// Plain calls: rows of spans that nothing else describes.
    pub(super) plain: &'a str,
    /// All rows.
    pub(super) usage: &'a str,
    /// Claims.
    pub(super) claims: &'a str,
}

impl<'a> From<'a> {
    /// All from one table.
    fn one(usage: &'a str) -> Self {
        Self {
            plain: usage,
            usage,
            claims: usage,
        }
    }
}

/// Claims that calls below them report as well. A claim is over its trace; of MeshFlow (system 4),
/// which makes a trace of every step, it is over the session.
pub(super) fn covered(from: &From<'_>) -> String {
    let From { usage, claims, .. } = from;
    format!(
        "SELECT * FROM {claims} c WHERE claim AND system <> 4
    AND EXISTS (SELECT 1 FROM {usage} u WHERE u.trace_id = c.trace_id AND NOT u.claim)
UNION ALL
SELECT * FROM {claims} c WHERE claim AND system = 4 AND EXISTS (SELECT 1 FROM {usage} u
    WHERE u.system = 4 AND u.project = c.project AND coalesce(u.session, u.trace_id::VARCHAR) = coalesce(c.session, c.trace_id::VARCHAR)
    AND NOT u.claim)"
    )
}

/// Calls told by counters, one row each: the classes of a call are points of their own and may
/// come apart. They have the span of their exemplar in common, or else the time.
fn counter_calls(usage: &str) -> String {
    format!(
        "SELECT min(sequence) AS sequence, source, min(time) AS time, trace_id, span_id, project, system, room, session,
    fallback_session, service, version, agent, role, operation, tool, model, provider, min(user_id) AS user_id, max(duration) AS duration,
    min(time_to_first_token) AS time_to_first_token, bool_or(error) AS error,
    sum(input_tokens)::BIGINT AS input_tokens, sum(cached_input_tokens)::BIGINT AS cached_input_tokens, sum(cache_write_tokens)::BIGINT AS cache_write_tokens,
    sum(output_tokens)::BIGINT AS output_tokens, sum(reasoning_tokens)::BIGINT AS reasoning_tokens, sum(audio_input_tokens)::BIGINT AS audio_input_tokens,
    sum(audio_output_tokens)::BIGINT AS audio_output_tokens, sum(total_tokens)::BIGINT AS total_tokens, sum(characters)::BIGINT AS characters,
    sum(audio_ns)::BIGINT AS audio_ns, sum(cost)::BIGINT AS cost, sum(carbon)::BIGINT AS carbon,
    max(cost_source) AS cost_source, claim, call, call_source, bool_or(batch) AS batch
FROM {usage} WHERE source = 1 AND NOT claim AND call IS NULL
GROUP BY source, trace_id, span_id, CASE WHEN span_id IS NULL THEN time END, project, system, room, session,
    fallback_session, service, version, agent, role, operation, tool, model, provider, claim, call, call_source"
    )
}

/// What counts: calls, each once however many sources describe it, and of claims that no call
/// covers only the largest. The n-th row of a source and the n-th of another are the same call.
pub(super) fn counted(from: &From<'_>) -> String {
    let From { plain, usage, claims } = from;
    format!(
        "SELECT * FROM {plain} WHERE NOT claim AND call IS NULL AND source = 0
UNION ALL BY NAME
SELECT * FROM ({})
UNION ALL BY NAME
SELECT * EXCLUDE (nth) REPLACE (coalesce(time_to_first_token,
        max(time_to_first_token) OVER (PARTITION BY call, nth)) AS time_to_first_token)
FROM (SELECT *, row_number() OVER (PARTITION BY call, call_source ORDER BY time, sequence) AS nth
    FROM {usage} WHERE NOT claim AND call IS NOT NULL)
QUALIFY row_number() OVER (PARTITION BY call, nth ORDER BY call_source, time, sequence) = 1
UNION ALL BY NAME
SELECT * FROM {claims} c WHERE claim AND system <> 4
    AND NOT EXISTS (SELECT 1 FROM {usage} u WHERE u.trace_id = c.trace_id AND NOT u.claim)
QUALIFY row_number() OVER (PARTITION BY trace_id ORDER BY total_tokens DESC NULLS LAST, cost DESC NULLS LAST, time, span_id) = 1
UNION ALL BY NAME
SELECT * FROM {claims} c WHERE claim AND system = 4 AND NOT EXISTS (SELECT 1 FROM {usage} u
    WHERE u.system = 4 AND u.project = c.project AND coalesce(u.session, u.trace_id::VARCHAR) = coalesce(c.session, c.trace_id::VARCHAR)
    AND NOT u.claim)
QUALIFY row_number() OVER (PARTITION BY project, coalesce(session, trace_id::VARCHAR)
    ORDER BY total_tokens DESC NULLS LAST, cost DESC NULLS LAST, time, span_id) = 1",
        counter_calls(usage)
    )
}

/// The ledger: what counts, with the session it belongs to as known now.
fn ledger(counted: &str, sessions: &str) -> String {
    format!(
        "SELECT u.*, coalesce(u.session, t.session, u.fallback_session,
    replace(coalesce(u.trace_id, k.trace_id)::VARCHAR, '-', '')) AS session_id
FROM {counted} u LEFT JOIN call_trace k ON k.call = u.call
LEFT JOIN {sessions} t ON t.trace_id = coalesce(u.trace_id, k.trace_id)"
    )
}

/// SQL of the ledger, without the calls that only a span outside of `first..=last` tells. All other rows are
/// few, and which of them count does not depend on when: so of traces that lie within nothing is missing.
pub(super) fn ledger_within((first, last): (i64, i64)) -> String {
    let usage = format!(
        "(SELECT * FROM usage WHERE time BETWEEN {first} AND {last} UNION ALL
        SELECT * FROM usage WHERE NOT (time BETWEEN {first} AND {last}) AND (source <> 0 OR call IS NOT NULL))"
    );
    ledger(&format!("({})", counted(&From::one(&usage))), "trace_session")
}

/// SQL of the claims that may count: those that are not summed up as covered.
fn open_claims() -> String {
    let hour = sums::hour_sql("time");
    format!(
        "SELECT * FROM usage WHERE claim AND (NOT {} OR {hour} IN (SELECT hour FROM stale))
        UNION ALL BY NAME SELECT * FROM open_claims WHERE {hour} NOT IN (SELECT hour FROM stale)",
        sums::SUMMED
    )
}

/// Makes the views `counted`, `covered`, `ledger` and `claims` over the whole ledger; the last
/// two have sessions, which cost the most.
pub(super) fn views() -> String {
    let counting = From {
        claims: &format!("({})", open_claims()),
        ..From::one("usage")
    };
    format!(
        "CREATE OR REPLACE VIEW counted AS {};
        CREATE OR REPLACE VIEW covered AS {};
        CREATE OR REPLACE VIEW ledger AS {};
        CREATE OR REPLACE VIEW claims AS SELECT u.*, coalesce(u.session, t.session, u.fallback_session,
            replace(u.trace_id::VARCHAR, '-', '')) AS session_id
        FROM covered u LEFT JOIN trace_session t ON t.trace_id = u.trace_id;",
        counted(&counting),
        covered(&From::one("usage")),
        ledger("counted", "trace_session"),
    )
}

/// Named queries that end with `page_ledger` and `page_claims`: the ledger's rows of the traces in
/// `page_traces(trace_id)` and of the sessions in `page_sessions(project, session_id)`, which
/// must stand before them. The traces lie in `window`. Whatever decides over a row that counts is
/// among what is looked at: all that was told of a call, and of MeshFlow, whose claims are over a
/// session, the whole session.
pub(super) fn of_page((first, last): (i64, i64)) -> String {
    let traces = "trace_id IN (SELECT trace_id FROM page_traces)";
    let sessions =
        "(project, coalesce(session, fallback_session)) IN (SELECT (project, session_id) FROM page_sessions)";
    format!(
        "page_calls AS (SELECT DISTINCT call FROM calls WHERE {traces}),
    page_flows AS (SELECT DISTINCT project, coalesce(session, trace_id::VARCHAR) AS flow FROM usage
        WHERE system = 4 AND {traces}),
    page_usage AS MATERIALIZED (
        SELECT * FROM usage WHERE system <> 4 AND call IS NULL AND source = 0 AND time BETWEEN {first} AND {last} AND {traces}
        UNION ALL SELECT * FROM usage WHERE system <> 4 AND call IS NULL AND source <> 0 AND ({traces} OR {sessions})
        UNION ALL SELECT * FROM usage WHERE system <> 4 AND call IS NOT NULL
            AND (call IN (SELECT call FROM page_calls) OR {sessions})
        UNION ALL SELECT * FROM usage WHERE system = 4 AND ({sessions}
            OR (project, coalesce(session, trace_id::VARCHAR)) IN (SELECT (project, flow) FROM page_flows))),
    page_counted AS ({}),
    page_trace_session AS (SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions
        WHERE trace_id IN (SELECT trace_id FROM page_usage UNION ALL SELECT trace_id FROM page_traces) GROUP BY trace_id),
    page_ledger AS ({}),
    page_claims AS (SELECT u.*, coalesce(u.session, t.session, u.fallback_session,
            replace(u.trace_id::VARCHAR, '-', '')) AS session_id
        FROM ({}) u LEFT JOIN page_trace_session t ON t.trace_id = u.trace_id)",
        counted(&From::one("page_usage")),
        ledger("page_counted", "page_trace_session"),
        covered(&From::one("page_usage"))
    )
}
