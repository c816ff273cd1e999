//! Sessions that the tests send: runs, calls, logs and gauges by rule.

use meshscope_tests::Server;
use serde_json::{Value, json};

/// Start of the sessions, ns since the epoch.
pub(crate) const START: u64 = 1_795_200_000_000_000_000;

pub(crate) fn time(ms: u64) -> String {
    (START + ms * 1_000_000).to_string()
}

pub(crate) fn attributes(pairs: &[(&str, Value)]) -> Value {
    let attribute = |(key, value): &(&str, Value)| {
        let value = match value {
            Value::String(text) => json!({"stringValue": text}),
            Value::Number(number) if number.is_f64() => json!({"doubleValue": number}),
            number => json!({"intValue": number.to_string()}),
        };
        json!({"key": key, "value": value})
    };
    pairs.iter().map(attribute).collect()
}

/// A span: its trace, its number, its parent's or 0, name, start and end in ms, or 0 while it is in progress.
pub(crate) fn span(
    session: &str,
    (trace, n, parent): (u64, u64, u64),
    name: &str,
    (start, end): (u64, u64),
    with: &[(&str, Value)],
) -> Value {
    let all: Vec<_> = [("session.id", json!(session))]
        .into_iter()
        .chain(with.iter().cloned())
        .collect();
    let mut span = json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{n:016x}"), "name": name, "kind": 1,
        "startTimeUnixNano": time(start), "attributes": attributes(&all),
    });
    if end > 0 {
        span["endTimeUnixNano"] = json!(time(end));
    }
    if parent > 0 {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    span
}

pub(crate) fn failed(mut span: Value, why: &str) -> Value {
    span["status"] = json!({"code": 2, "message": why});
    span
}

pub(crate) async fn send(server: &Server, spans: Vec<Value>) {
    let resource = json!({"attributes": attributes(&[("service.name", json!("svc"))])});
    let body =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": spans}]}]});
    let body = serde_json::to_vec(&body).unwrap();
    server.post("/v1/traces", "application/json", body).await;
}

/// Log records of a session at these ms, the last of them an error.
pub(crate) async fn log(server: &Server, session: &str, at: &[u64]) {
    let record = |(n, ms): (usize, &u64)| {
        let severity = if n + 1 == at.len() { 17 } else { 9 };
        json!({"timeUnixNano": time(*ms), "severityNumber": severity, "body": {"stringValue": format!("record at {ms}")},
            "attributes": attributes(&[("session.id", json!(session))])})
    };
    let records: Vec<Value> = at.iter().enumerate().map(record).collect();
    let resource = json!({"attributes": attributes(&[("service.name", json!("svc"))])});
    let body = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {}, "logRecords": records}]}]});
    let body = serde_json::to_vec(&body).unwrap();
    server.post("/v1/logs", "application/json", body).await;
}

pub(crate) fn chat(asked: &str, answered: &str, tokens: u64, cost: f64) -> Vec<(&'static str, Value)> {
    let said = |role: &str, text: &str| {
        json!([{"role": role, "parts": [{"type": "text", "content": text}]}]).to_string()
    };
    vec![
        ("gen_ai.operation.name", json!("chat")),
        ("gen_ai.request.model", json!("m")),
        ("gen_ai.usage.input_tokens", json!(tokens)),
        ("gen_ai.usage.output_tokens", json!(1)),
        ("gen_ai.usage.cost", json!(cost)),
        ("gen_ai.input.messages", json!(said("user", asked))),
        ("gen_ai.output.messages", json!(said("assistant", answered))),
    ]
}

pub(crate) fn agent(name: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("gen_ai.operation.name", json!("invoke_agent")),
        ("gen_ai.agent.name", json!(name)),
    ]
}

pub(crate) fn tool(name: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("gen_ai.operation.name", json!("execute_tool")),
        ("gen_ai.tool.name", json!(name)),
    ]
}

/// A session of two runs over ten seconds: 0 to 4 s and 6 to 10 s, with a log record each 100 ms.
pub(crate) async fn two_runs(server: &Server, session: &str) {
    let town = span(
        session,
        (2, 3, 1),
        "execute_tool lookup",
        (9_000, 9_500),
        &tool("lookup"),
    );
    send(
        server,
        vec![
            span(session, (1, 1, 0), "run one", (0, 4_000), &agent("planner")),
            span(
                session,
                (1, 2, 1),
                "chat",
                (500, 1_500),
                &chat("Where to?", "To Paris.", 99, 0.01),
            ),
            span(
                session,
                (1, 3, 1),
                "execute_tool search",
                (2_000, 3_000),
                &tool("search"),
            ),
            span(session, (2, 1, 0), "run two", (6_000, 10_000), &agent("critic")),
            span(
                session,
                (2, 2, 1),
                "chat",
                (6_500, 8_500),
                &chat("And then?", "To Lyon.", 199, 0.02),
            ),
            failed(town, "no such town"),
        ],
    )
    .await;
    let times: Vec<u64> = (0..=100).map(|n| n * 100).collect();
    log(server, session, &times).await;
}

/// A gauge of a session.
pub(crate) async fn gauge(server: &Server, session: &str, ms: u64, value: f64) {
    let point = json!({"timeUnixNano": time(ms), "asDouble": value, "attributes": attributes(&[("session.id", json!(session))])});
    let metric = json!({"name": "queue.length", "unit": "1", "gauge": {"dataPoints": [point]}});
    let resource = json!({"attributes": attributes(&[("service.name", json!("svc"))])});
    let body = json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": {}, "metrics": [metric]}]}]});
    let body = serde_json::to_vec(&body).unwrap();
    server.post("/v1/metrics", "application/json", body).await;
}
