//! Tables of the embedded engine. Columns of spans that are asked for often are columns of
//! their own; all attributes stand in a typed list (see [`super::value`]).

/// Version of the schema below.
pub(super) const VERSION: u32 = UPGRADES.len() as u32 + 1;

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

/// What leads from each version to the next; an empty file goes through all of them. Every
/// statement may run again on a file that has it already.
pub(super) const UPGRADES: &[&str] = &[
    "
ALTER TABLE spans ADD COLUMN IF NOT EXISTS interrupted BOOLEAN DEFAULT false;
ALTER TABLE spans ADD COLUMN IF NOT EXISTS uncertainty DOUBLE;
ALTER TABLE metric_points ADD COLUMN IF NOT EXISTS call UBIGINT;
ALTER TABLE usage ADD COLUMN IF NOT EXISTS call UBIGINT;
ALTER TABLE usage ADD COLUMN IF NOT EXISTS call_source UTINYINT;

-- The spans that describe a call which other records describe as well.
CREATE TABLE IF NOT EXISTS calls (call UBIGINT, call_source UTINYINT, trace_id UUID, span_id UBIGINT);
",
    "
ALTER TABLE usage ADD COLUMN IF NOT EXISTS batch BOOLEAN DEFAULT false;
",
];

/// Makes the views anew, over the tables of the present version.
pub(super) const VIEWS: &str = "
-- The session of a trace as known now: what its records name, the smallest where they differ,
-- so that the order of arrival does not matter.
CREATE OR REPLACE VIEW trace_session AS
SELECT trace_id, coalesce(min(session), min(fallback_session)) AS session FROM trace_sessions GROUP BY trace_id;

-- The trace of a call, for records that name the call and no trace.
CREATE OR REPLACE VIEW call_trace AS SELECT call, min(trace_id) AS trace_id FROM calls GROUP BY call;

-- A framework's own spans make no session: they belong to that of their trace, or to none.
CREATE OR REPLACE VIEW session_spans AS
SELECT s.*, coalesce(s.session, t.session, s.fallback_session,
    CASE WHEN NOT s.noise THEN replace(s.trace_id::VARCHAR, '-', '') END) AS session_id
FROM spans s LEFT JOIN trace_session t ON t.trace_id = s.trace_id;

CREATE OR REPLACE VIEW session_logs AS
SELECT l.*, coalesce(l.session, t.session, l.fallback_session, replace(l.trace_id::VARCHAR, '-', '')) AS session_id
FROM logs l LEFT JOIN trace_session t ON t.trace_id = l.trace_id;

CREATE OR REPLACE VIEW session_points AS
SELECT p.*, coalesce(p.session, t.session, p.fallback_session, replace(k.trace_id::VARCHAR, '-', '')) AS session_id
FROM metric_points p LEFT JOIN call_trace k ON k.call = p.call LEFT JOIN trace_session t ON t.trace_id = k.trace_id;

-- Claims that calls below them report as well. A claim is over its trace; of MeshFlow (system 4),
-- which makes a trace of every step, it is over the session.
CREATE OR REPLACE VIEW covered AS
SELECT * FROM usage c WHERE claim AND system <> 4
    AND EXISTS (SELECT 1 FROM usage u WHERE u.trace_id = c.trace_id AND NOT u.claim)
UNION ALL
SELECT * FROM usage c WHERE claim AND system = 4 AND EXISTS (SELECT 1 FROM usage u
    WHERE u.system = 4 AND u.project = c.project AND coalesce(u.session, u.trace_id::VARCHAR) = coalesce(c.session, c.trace_id::VARCHAR)
    AND NOT u.claim);

-- Calls told by counters, one row each: the classes of a call are points of their own and may
-- come apart. They have the span of their exemplar in common, or else the time.
CREATE OR REPLACE VIEW counter_calls AS
SELECT min(sequence) AS sequence, source, min(time) AS time, trace_id, span_id, project, system, room, session,
    fallback_session, service, agent, role, operation, tool, model, provider, max(duration) AS duration,
    min(time_to_first_token) AS time_to_first_token, bool_or(error) AS error,
    sum(input_tokens)::BIGINT AS input_tokens, sum(cached_input_tokens)::BIGINT AS cached_input_tokens, sum(cache_write_tokens)::BIGINT AS cache_write_tokens,
    sum(output_tokens)::BIGINT AS output_tokens, sum(reasoning_tokens)::BIGINT AS reasoning_tokens, sum(audio_input_tokens)::BIGINT AS audio_input_tokens,
    sum(audio_output_tokens)::BIGINT AS audio_output_tokens, sum(total_tokens)::BIGINT AS total_tokens, sum(characters)::BIGINT AS characters,
    sum(audio_ns)::BIGINT AS audio_ns, sum(cost)::BIGINT AS cost, sum(carbon)::BIGINT AS carbon,
    max(cost_source) AS cost_source, claim, call, call_source, bool_or(batch) AS batch
FROM usage WHERE source = 1 AND NOT claim AND call IS NULL
GROUP BY source, trace_id, span_id, CASE WHEN span_id IS NULL THEN time END, project, system, room, session,
    fallback_session, service, agent, role, operation, tool, model, provider, claim, call, call_source;

-- What counts: calls, each once however many sources describe it, and of claims that no call
-- covers only the largest. The n-th row of a source and the n-th of another are the same call.
CREATE OR REPLACE VIEW counted AS
SELECT * FROM usage WHERE NOT claim AND call IS NULL AND source = 0
UNION ALL BY NAME
SELECT * FROM counter_calls
UNION ALL BY NAME
SELECT * EXCLUDE (nth) REPLACE (coalesce(time_to_first_token,
        max(time_to_first_token) OVER (PARTITION BY call, nth)) AS time_to_first_token)
FROM (SELECT *, row_number() OVER (PARTITION BY call, call_source ORDER BY time, sequence) AS nth
    FROM usage WHERE NOT claim AND call IS NOT NULL)
QUALIFY row_number() OVER (PARTITION BY call, nth ORDER BY call_source, time, sequence) = 1
UNION ALL
SELECT * FROM usage c WHERE claim AND system <> 4
    AND NOT EXISTS (SELECT 1 FROM usage u WHERE u.trace_id = c.trace_id AND NOT u.claim)
QUALIFY row_number() OVER (PARTITION BY trace_id ORDER BY total_tokens DESC NULLS LAST, cost DESC NULLS LAST, time, span_id) = 1
UNION ALL
SELECT * FROM usage c WHERE claim AND system = 4 AND NOT EXISTS (SELECT 1 FROM usage u
    WHERE u.system = 4 AND u.project = c.project AND coalesce(u.session, u.trace_id::VARCHAR) = coalesce(c.session, c.trace_id::VARCHAR)
    AND NOT u.claim)
QUALIFY row_number() OVER (PARTITION BY project, coalesce(session, trace_id::VARCHAR)
    ORDER BY total_tokens DESC NULLS LAST, cost DESC NULLS LAST, time, span_id) = 1;

CREATE OR REPLACE VIEW ledger AS
SELECT u.*, coalesce(u.session, t.session, u.fallback_session,
    replace(coalesce(u.trace_id, k.trace_id)::VARCHAR, '-', '')) AS session_id
FROM counted u LEFT JOIN call_trace k ON k.call = u.call
LEFT JOIN trace_session t ON t.trace_id = coalesce(u.trace_id, k.trace_id);

CREATE OR REPLACE VIEW claims AS
SELECT u.*,
    coalesce(u.session, t.session, u.fallback_session, replace(u.trace_id::VARCHAR, '-', '')) AS session_id
FROM covered u LEFT JOIN trace_session t ON t.trace_id = u.trace_id;
";
