//! Tables of the embedded engine. Columns of spans that are asked for often are columns of
//! their own; all attributes stand in a typed list (see [`super::value`]).

/// Version of the schema below.
pub(super) const VERSION: u32 = 6;
/// The first version with the roll-up.
pub(super) const FIRST_WITH_PARTS: u32 = 4;

/// Makes the tables of version 1.
pub(super) const CREATE: &str = "
CREATE TABLE meta (key VARCHAR, value VARCHAR);

-- Who emitted: each stored once, named by a hash of its content.
CREATE TABLE emitters (id UBIGINT, content VARCHAR);

CREATE TABLE spans (
    sequence BIGINT, received BIGINT,
    trace_id UUID, span_id UBIGINT, parent_span_id UBIGINT,
    start_time BIGINT, end_time BIGINT, duration BIGINT, last_time BIGINT,
    name VARCHAR, service VARCHAR, kind UTINYINT, status UTINYINT, status_message VARCHAR,
    trace_state VARCHAR, flags UINTEGER, resource UBIGINT, scope UBIGINT,
    project VARCHAR, system UTINYINT, room VARCHAR, session VARCHAR, fallback_session VARCHAR, agent VARCHAR,
    operation UTINYINT, role VARCHAR, tool VARCHAR, model VARCHAR, provider VARCHAR, conversation VARCHAR,
    user_id VARCHAR, title VARCHAR, verdict VARCHAR, blocked BOOLEAN, error VARCHAR,
    time_to_first_token BIGINT, reported_duration BIGINT, noise BOOLEAN,
    attributes STRUCT(k VARCHAR, v VARCHAR)[], events VARCHAR, links VARCHAR,
    dropped_attributes UINTEGER, dropped_events UINTEGER, dropped_links UINTEGER
);

-- The sessions that the records of a trace name; a trace and session at most once.
CREATE TABLE trace_sessions (trace_id UUID, session VARCHAR, fallback_session VARCHAR);

CREATE TABLE logs (
    sequence BIGINT, received BIGINT, fingerprint UBIGINT,
    time BIGINT, own_time BIGINT, observed_time BIGINT, severity_number UTINYINT, severity_text VARCHAR,
    body VARCHAR, attributes STRUCT(k VARCHAR, v VARCHAR)[], dropped_attributes UINTEGER, event_name VARCHAR,
    flags UINTEGER, trace_id UUID, span_id UBIGINT, service VARCHAR, resource UBIGINT, scope UBIGINT,
    project VARCHAR, system UTINYINT, room VARCHAR, session VARCHAR, fallback_session VARCHAR, agent VARCHAR
);

CREATE TABLE metric_points (
    sequence BIGINT, received BIGINT, fingerprint UBIGINT, series UBIGINT,
    name VARCHAR, description VARCHAR, unit VARCHAR, kind UTINYINT, temporality UTINYINT, monotonic BOOLEAN,
    metadata VARCHAR, service VARCHAR, resource UBIGINT, scope UBIGINT,
    project VARCHAR, system UTINYINT, room VARCHAR, session VARCHAR, fallback_session VARCHAR, agent VARCHAR,
    attributes STRUCT(k VARCHAR, v VARCHAR)[], start_time BIGINT, time BIGINT, flags UINTEGER,
    number DOUBLE, value VARCHAR, exemplars VARCHAR
);

-- The ledger: one row a model call or other priced act, or a claim over such rows.
CREATE TABLE usage (
    sequence BIGINT, source UTINYINT, time BIGINT, trace_id UUID, span_id UBIGINT,
    project VARCHAR, system UTINYINT, room VARCHAR, session VARCHAR, fallback_session VARCHAR,
    service VARCHAR, agent VARCHAR, role VARCHAR, operation UTINYINT, tool VARCHAR, model VARCHAR, provider VARCHAR,
    duration BIGINT, time_to_first_token BIGINT, error BOOLEAN,
    input_tokens BIGINT, cached_input_tokens BIGINT, cache_write_tokens BIGINT, output_tokens BIGINT,
    reasoning_tokens BIGINT, audio_input_tokens BIGINT, audio_output_tokens BIGINT, total_tokens BIGINT,
    characters BIGINT, audio_ns BIGINT, cost BIGINT, cost_source VARCHAR, carbon BIGINT, claim BOOLEAN
);
";

/// What leads to `version` from the one before; an empty file goes through all of them. Every
/// statement may run again on a file that has it already.
pub(super) fn upgrade_to(version: u32) -> String {
    match version {
        2 => CALLS.to_owned(),
        3 => "ALTER TABLE usage ADD COLUMN IF NOT EXISTS batch BOOLEAN DEFAULT false;".to_owned(),
        4 => SLOTS_AND_PARTS.to_owned(),
        5 => SUMS.to_owned(),
        _ => RECORDINGS.to_owned(),
    }
}

/// Version 2: what several records say of one call.
const CALLS: &str = "
ALTER TABLE spans ADD COLUMN IF NOT EXISTS interrupted BOOLEAN DEFAULT false;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS uncertainty DOUBLE;
ALTER TABLE metric_points ADD COLUMN IF NOT EXISTS call UBIGINT;
ALTER TABLE usage ADD COLUMN IF NOT EXISTS call UBIGINT;
ALTER TABLE usage ADD COLUMN IF NOT EXISTS call_source UTINYINT;

-- The spans that describe a call which other records describe as well.
CREATE TABLE IF NOT EXISTS calls (call UBIGINT, call_source UTINYINT, trace_id UUID, span_id UBIGINT);
";

/// Version 4: which frequent attributes have columns (see [`super::slots`]), and the roll-up (see
/// [`super::parts`]), which is made when it is there first.
const SLOTS_AND_PARTS: &str = "
CREATE TABLE IF NOT EXISTS slots (slot UTINYINT, key VARCHAR, since BIGINT);
CREATE TABLE IF NOT EXISTS parts (
    trace_id UUID, project VARCHAR, session_id VARCHAR, system UTINYINT, room VARCHAR, first BIGINT, last BIGINT,
    spans UINTEGER DEFAULT 0, errors UINTEGER DEFAULT 0, blocked UINTEGER DEFAULT 0, interrupted UINTEGER DEFAULT 0,
    open UINTEGER DEFAULT 0, open_since BIGINT, roots UINTEGER DEFAULT 0,
    place HUGEINT, name VARCHAR, service VARCHAR, root_place HUGEINT, root_name VARCHAR, root_service VARCHAR,
    last_root_place HUGEINT, root_failed BOOLEAN, call_place HUGEINT, call_failed BOOLEAN, title_place HUGEINT, title VARCHAR,
    error_place HUGEINT, error VARCHAR, any_error VARCHAR, agents VARCHAR[], models VARCHAR[],
    logs UINTEGER DEFAULT 0, log_errors UINTEGER DEFAULT 0, blocked_logs UINTEGER DEFAULT 0,
    points UINTEGER DEFAULT 0, interrupted_points UINTEGER DEFAULT 0, words VARCHAR
);
";

/// Version 5: who asked and which version of a service answered, in the ledger; and sums of it by the
/// hour (see [`super::sums`]).
const SUMS: &str = "
ALTER TABLE usage ADD COLUMN IF NOT EXISTS version VARCHAR;
ALTER TABLE usage ADD COLUMN IF NOT EXISTS user_id VARCHAR;
ALTER TABLE parts ADD COLUMN IF NOT EXISTS sequence BIGINT DEFAULT 0;
UPDATE usage SET user_id = s.user_id FROM spans s
    WHERE usage.source = 0 AND s.trace_id = usage.trace_id AND s.span_id = usage.span_id AND s.user_id IS NOT NULL;
UPDATE usage SET version = e.version FROM spans s JOIN (
        SELECT id, list_filter(content::JSON->'$.attributes[*]', lambda a: a->>'$.key' = 'service.version')[1]->>'$.value.stringValue' AS version
        FROM emitters) e ON e.id = s.resource
    WHERE usage.source = 0 AND s.trace_id = usage.trace_id AND s.span_id = usage.span_id AND e.version <> '';

CREATE TABLE IF NOT EXISTS usage_hours (
    hour BIGINT, claim BOOLEAN, project VARCHAR, system UTINYINT, room VARCHAR, service VARCHAR, version VARCHAR,
    agent VARCHAR, role VARCHAR, operation UTINYINT, tool VARCHAR, model VARCHAR, provider VARCHAR,
    input_tokens BIGINT, cached_input_tokens BIGINT, cache_write_tokens BIGINT, output_tokens BIGINT,
    reasoning_tokens BIGINT, audio_input_tokens BIGINT, audio_output_tokens BIGINT, total_tokens BIGINT,
    cost BIGINT, carbon BIGINT, characters BIGINT, audio_ns BIGINT,
    calls UBIGINT, errors UBIGINT, unpriced UBIGINT, reported UBIGINT, first BIGINT, durations BLOB, first_tokens BLOB
);
CREATE TABLE IF NOT EXISTS open_claims AS SELECT * FROM usage LIMIT 0;
CREATE TABLE IF NOT EXISTS runs (
    trace_id UUID, project VARCHAR, session_id VARCHAR, system UTINYINT, room VARCHAR, start BIGINT, duration BIGINT,
    spans BIGINT, errors BIGINT, blocked BIGINT
);
CREATE TABLE IF NOT EXISTS presence (
    hour BIGINT, project VARCHAR, session_id VARCHAR, system UTINYINT, room VARCHAR
);
CREATE TABLE IF NOT EXISTS presence_agents (hour BIGINT, project VARCHAR, system UTINYINT, room VARCHAR, agent VARCHAR);
-- Hours whose sums do not hold any more.
CREATE TABLE IF NOT EXISTS stale (hour BIGINT);
";

/// Version 6: recordings. `started_at` is a moment, or else `start_offset` counts from the first
/// moment of the session as known when it is asked.
const RECORDINGS: &str = "
CREATE TABLE IF NOT EXISTS recordings (
    id UUID, project VARCHAR, session_id VARCHAR, kind VARCHAR, participant VARCHAR, name VARCHAR, content_type VARCHAR,
    started_at BIGINT, start_offset BIGINT, duration BIGINT, size BIGINT, complete BOOLEAN, url VARCHAR, created_at BIGINT
);
";

/// Makes the views over records anew, over the tables of the present version.
pub(super) const VIEWS: &str = "
-- The session of a trace as known now: what its records name, the smallest where they differ,
-- so that the order of arrival does not matter.
CREATE OR REPLACE VIEW trace_session AS
SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions GROUP BY trace_id;

-- The trace of a call, for records that name the call and no trace.
CREATE OR REPLACE VIEW call_trace AS SELECT call, min(trace_id) AS trace_id FROM calls GROUP BY call;

-- A view does not outlive a column that its table gets: that of spans was one up to version 4.
DROP VIEW IF EXISTS session_spans;

CREATE OR REPLACE VIEW session_logs AS
SELECT l.*, coalesce(l.session, t.session, l.fallback_session, replace(l.trace_id::VARCHAR, '-', '')) AS session_id
FROM logs l LEFT JOIN trace_session t ON t.trace_id = l.trace_id;

CREATE OR REPLACE VIEW session_points AS
SELECT p.*, coalesce(p.session, t.session, p.fallback_session, replace(k.trace_id::VARCHAR, '-', '')) AS session_id
FROM metric_points p LEFT JOIN call_trace k ON k.call = p.call LEFT JOIN trace_session t ON t.trace_id = k.trace_id;
";

/// Spans with their sessions. A framework's own spans make no session: they belong to that of their
/// trace, or to none.
pub(super) const SESSION_SPANS: &str = "(SELECT s.*, coalesce(s.session, t.session, s.fallback_session,
    CASE WHEN NOT s.noise THEN replace(s.trace_id::VARCHAR, '-', '') END) AS session_id
FROM spans s LEFT JOIN trace_session t ON t.trace_id = s.trace_id)";
