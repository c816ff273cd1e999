//! One session as its viewer asks for it, and lists of sessions in any order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
#[allow(dead_code, unreachable_pub)]
#[path = "systems/replay.rs"]
mod replay;

use common::Server;
use meshscope_api::columns;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const START: u64 = 1_795_220_548_000_000_000;

async fn get(server: &Server, path: &str) -> Value {
    let request = server.client.get(format!("{}/api/v1/{path}", server.api));
    request.send().await.unwrap().json().await.unwrap()
}

/// A span of a session: the number of its trace, its own and its parent's, name, start and end in ms.
fn span(
    session: &str,
    (trace, n, parent): (u64, u64, u64),
    name: &str,
    (start, end): (u64, u64),
    more: &[(&str, Value)],
) -> Value {
    let time = |ms: u64| (START + ms * 1_000_000).to_string();
    let mut attributes = vec![attribute("session.id", &json!({"stringValue": session}))];
    attributes.extend(more.iter().map(|(key, value)| attribute(key, value)));
    let mut span = json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{n:016x}"), "name": name, "kind": 1,
        "startTimeUnixNano": time(start), "endTimeUnixNano": time(end), "attributes": attributes,
    });
    if parent > 0 {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    span
}

fn attribute(key: &str, value: &Value) -> Value {
    json!({"key": key, "value": value})
}

fn text(text: &str) -> Value {
    json!({"stringValue": text})
}

/// A log record of a session, with more fields on top.
fn log(session: &str, ms: u64, body: &Value, more: &Value) -> Value {
    let mut log = json!({
        "timeUnixNano": (START + ms * 1_000_000).to_string(), "severityNumber": 9, "body": body,
        "attributes": [attribute("session.id", &text(session))],
    });
    for (key, value) in more.as_object().unwrap() {
        log[key] = value.clone();
    }
    log
}

async fn keep_logs(server: &Server, logs: &[Value]) {
    let resource = json!({"attributes": [attribute("service.name", &text("svc"))]});
    let body =
        json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": {}, "logRecords": logs}]}]});
    assert_eq!(server.json("/v1/logs", &body).await, (200, json!({})));
}

async fn keep(server: &Server, spans: &[Value]) {
    assert_eq!(
        server.json("/v1/traces", &common::traces(spans)).await,
        (200, json!({}))
    );
}

fn said(role: &str, words: &str) -> Value {
    json!([{"role": role, "parts": [{"type": "text", "content": words}]}])
}

fn chat(asked: &[(&str, &str)], answered: &str, cost: f64) -> Vec<(&'static str, Value)> {
    let input: Vec<Value> = asked
        .iter()
        .map(|(role, words)| said(role, words)[0].clone())
        .collect();
    vec![
        ("gen_ai.operation.name", text("chat")),
        ("gen_ai.request.model", text("m")),
        ("gen_ai.usage.input_tokens", json!({"intValue": "10"})),
        ("gen_ai.usage.output_tokens", json!({"intValue": "5"})),
        ("gen_ai.usage.cost", json!({"doubleValue": cost})),
        ("gen_ai.input.messages", text(&json!(input).to_string())),
        (
            "gen_ai.output.messages",
            text(&said("assistant", answered).to_string()),
        ),
    ]
}

#[tokio::test]
async fn a_session_comes_with_all_its_runs_at_once() {
    let server = Server::start().await;
    let history = [("user", "one"), ("assistant", "first"), ("user", "two")];
    keep(
        &server,
        &[
            span("s", (1, 1, 0), "run one", (0, 100), &[]),
            span(
                "s",
                (1, 2, 1),
                "chat",
                (10, 60),
                &chat(&history[..1], "first", 0.01),
            ),
            // The second run has the ids of the first.
            span("s", (2, 1, 0), "run two", (200, 400), &[]),
            span(
                "s",
                (2, 2, 1),
                "chat",
                (210, 260),
                &chat(&history, "second", 0.02),
            ),
            span(
                "s",
                (2, 3, 1),
                "execute_tool search",
                (300, 350),
                &[
                    ("gen_ai.operation.name", text("execute_tool")),
                    ("gen_ai.tool.name", text("search")),
                ],
            ),
            span("other", (3, 1, 0), "another", (0, 5), &[]),
        ],
    )
    .await;
    let bytes = server
        .client
        .get(format!("{}/api/v1/sessions/s/spans", server.api));
    let bytes = bytes.send().await.unwrap().bytes().await.unwrap();
    let columns = columns::decode(&bytes).unwrap();
    let rows: Vec<(u128, u64, &str)> = (0..columns.len())
        .map(|row| {
            (
                u128::from_be_bytes(columns.trace_of(row).0),
                columns.span_id[row],
                columns.name(row),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (1, 1, "run one"),
            (1, 2, "chat"),
            (2, 1, "run two"),
            (2, 2, "chat"),
            (2, 3, "execute_tool search")
        ]
    );
    assert_eq!(
        (columns.total_tokens[1], columns.total_tokens[3], columns.cost[3]),
        (15, 15, 20_000_000_000)
    );
    let tree = meshscope_analysis::Tree::build(&columns);
    assert_eq!(
        (tree.roots(), tree.children(2)),
        (&[0, 2][..], &[3, 4][..]),
        "runs keep apart"
    );

    let talk = get(&server, "sessions/s/conversation").await;
    let turns: Vec<&str> = talk["turns"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|turn| turn["message"]["parts"][0]["content"].as_str())
        .collect();
    assert_eq!(
        turns[..4],
        ["one", "first", "two", "second"],
        "what is repeated stands once"
    );
    assert!(talk.get("trace_id").is_none());

    let events = get(&server, "sessions/s/events").await;
    let events: Vec<(&str, &str)> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["kind"].as_str().unwrap(), event["text"].as_str().unwrap()))
        .collect();
    assert_eq!(
        events,
        [
            ("started", "run one"),
            ("ended", "run one"),
            ("started", "run two"),
            ("tool", "search"),
            ("ended", "run two")
        ]
    );
    let graph = get(&server, "sessions/s/graph").await;
    let nodes: Vec<(&str, &str)> = graph["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["kind"].as_str().unwrap(), node["name"].as_str().unwrap()))
        .collect();
    assert!(
        nodes.contains(&("tool", "search")) && nodes.contains(&("model", "m")),
        "{nodes:?}"
    );
}

#[tokio::test]
async fn logs_come_in_short_in_the_order_of_time_and_only_the_new_ones_when_asked() {
    let server = Server::start().await;
    let long = "ü".repeat(1_000);
    let structured = json!({"kvlistValue": {"values": [attribute("a", &json!({"intValue": "1"}))]}});
    let ids = json!({"traceId": format!("{:032x}", 9), "spanId": format!("{:016x}", 8)});
    let joined = json!({"eventName": "participant.joined"});
    let logs = [
        log("s", 20, &text(&long), &joined),
        log("s", 10, &structured, &ids),
    ];
    keep_logs(&server, &logs).await;
    let came = get(&server, "sessions/s/logs").await;
    let [first, second] = &came["logs"].as_array().unwrap()[..] else {
        panic!("{came}")
    };
    assert_eq!(first["text"], json!("{\"a\":1}"));
    assert_eq!(first["span_id"], json!("0000000000000008"));
    assert_eq!(second["text"].as_str().unwrap().chars().count(), 240);
    let string = |log: &Value, name: &str| came["strings"][log[name].as_u64().unwrap() as usize].clone();
    assert_eq!(
        (string(second, "event"), string(second, "service")),
        (json!("participant.joined"), json!("svc"))
    );
    let latest = [first, second].map(|log| log["sequence"].as_str().unwrap().parse::<i64>().unwrap());
    keep_logs(&server, &[log("s", 5, &text("late"), &json!({}))]).await;
    let after = latest.into_iter().max().unwrap();
    let came = get(&server, &format!("sessions/s/logs?after={after}")).await;
    assert_eq!(
        (came["logs"].as_array().unwrap().len(), &came["logs"][0]["text"]),
        (1, &json!("late"))
    );
    let few = get(&server, "sessions/s/logs?limit=1").await;
    assert_eq!(
        (few["more"].as_bool(), &few["logs"][0]["text"]),
        (Some(true), &json!("late"))
    );
    // A session of logs alone has no spans, and that is not wrong.
    let spans = server
        .client
        .get(format!("{}/api/v1/sessions/s/spans", server.api));
    let bytes = spans.send().await.unwrap().bytes().await.unwrap();
    assert!(columns::decode(&bytes).unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_there_or_wrong_is_named() {
    let server = Server::start().await;
    for path in ["", "/spans", "/logs", "/events", "/conversation", "/graph"] {
        let request = server
            .client
            .get(format!("{}/api/v1/sessions/none{path}", server.api));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 404, "{path}");
        let problem: Value = answer.json().await.unwrap();
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("there is no session"),
            "{problem}"
        );
    }
    for (path, parameter) in [
        ("sessions?order=size", "order"),
        ("sessions?direction=up", "direction"),
        ("traces?order=cost", "order"),
        ("sessions/s/logs?after=x", "after"),
        ("sessions/s/logs?limit=0", "limit"),
        ("sessions/s/conversation?preview=1", "preview"),
        ("session-totals?status=gone", "status"),
    ] {
        let problem = get(&server, path).await;
        assert_eq!(problem["parameter"], json!(parameter), "{path}: {problem}");
    }
}

#[tokio::test]
async fn sessions_come_in_any_order_page_by_page() {
    let server = Server::start().await;
    let (mut spans, mut logs) = (Vec::new(), Vec::new());
    for n in 1..=7_u64 {
        let name = format!("s{n}");
        let times = (n * 10, n * 10 + (n * 37 % 11) * 100);
        // Of the last two nothing is known of the cost.
        let used = if n <= 5 {
            chat(&[], "x", (n * 3 % 5) as f64)
        } else {
            Vec::new()
        };
        spans.push(span(&name, (n, 1, 0), "work", times, &used));
        for child in 2..=n % 3 + 1 {
            let mut step = span(&name, (n, child, 1), "step", times, &[]);
            if n % 2 == 1 {
                step["status"] = json!({"code": 2});
            }
            spans.push(step);
        }
        if n % 3 == 0 {
            spans.push(span(&name, (n + 100, 1, 0), "again", times, &[]));
        }
        logs.extend((0..n * 3 % 5).map(|_| log(&name, n * 10, &text("said"), &json!({}))));
    }
    keep(&server, &spans).await;
    keep_logs(&server, &logs).await;
    let figure = |session: &Value, order: &str| -> Option<i64> {
        let text = |value: &Value| {
            value
                .as_str()
                .and_then(|text| text.parse().ok())
                .or_else(|| value.as_i64())
        };
        text(match order {
            "started" | "activity" => &session["started_at"],
            "duration" => &session["duration_ns"],
            "runs" => &session["traces"],
            "tokens" => &session["tokens"]["total"],
            "cost" => &session["cost_pico_usd"],
            other => &session[other],
        })
    };
    for order in [
        "started", "duration", "runs", "spans", "logs", "errors", "tokens", "cost",
    ] {
        for direction in ["asc", "desc"] {
            let path = format!("sessions?from=0&order={order}&direction={direction}&limit=3");
            let (mut all, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = get(&server, &format!("{path}{cursor}")).await;
                all.extend(page["sessions"].as_array().unwrap().clone());
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            let mut ids: Vec<&str> = all
                .iter()
                .map(|session| session["session_id"].as_str().unwrap())
                .collect();
            let figures: Vec<Option<i64>> = all.iter().map(|session| figure(session, order)).collect();
            let known = figures.iter().take_while(|figure| figure.is_some()).count();
            assert!(
                figures.iter().any(|figure| *figure != figures[0]),
                "{order}: nothing is ordered: {figures:?}"
            );
            assert!(
                figures[known..].iter().all(Option::is_none),
                "{order}: {figures:?}: unknown is last"
            );
            let ordered = if direction == "asc" {
                figures[..known].is_sorted()
            } else {
                figures[..known].iter().rev().is_sorted()
            };
            assert!(ordered, "{order} {direction}: {figures:?}");
            ids.sort_unstable();
            assert_eq!(
                ids,
                ["s1", "s2", "s3", "s4", "s5", "s6", "s7"],
                "{order} {direction}: each once"
            );
        }
    }
    let totals = get(&server, "session-totals?from=0").await;
    assert_eq!(totals["sessions"], json!(7));
    assert_eq!((&totals["runs"], &totals["spans"]), (&json!("9"), &json!("16")));
    assert_eq!(
        (&totals["tokens"]["total"], &totals["cost_pico_usd"]),
        (&json!("75"), &json!("10000000000000"))
    );
    let some = get(&server, "session-totals?from=0&min_cost_usd=3").await;
    assert_eq!(
        (&some["sessions"], &some["cost_pico_usd"]),
        (&json!(2), &json!("7000000000000"))
    );
}

#[tokio::test]
async fn an_active_session_stands_before_a_later_one_that_ended() {
    let server = Server::start().await;
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let minutes = |n: u64| now - n * 60_000_000_000;
    let made = |session: &str, trace: u64, start: u64, end: u64| {
        let mut made = span(session, (trace, 1, 0), "work", (0, 0), &[]);
        made["startTimeUnixNano"] = json!(start.to_string());
        made["endTimeUnixNano"] = json!(end.to_string());
        made
    };
    // It runs still, since half an hour; the other one ended ten minutes ago.
    keep(
        &server,
        &[
            made("runs", 1, minutes(30), 0),
            made("over", 2, minutes(12), minutes(10)),
        ],
    )
    .await;
    let page = get(&server, "sessions?from=0&order=activity").await;
    let ids: Vec<&Value> = page["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| &session["session_id"])
        .collect();
    assert_eq!(ids, ["runs", "over"]);
    assert_eq!(page["sessions"][0]["status"], json!("active"));
}

#[tokio::test]
async fn the_captures_of_every_otlp_client_have_events_and_a_conversation() {
    for (system, kinds, said) in [
        ("dexto", &["started", "tool", "ended"][..], "Paris"),
        ("meshagent", &["started", "tool", "ended"], "Costa Mesa"),
        ("meshflow", &["started", "blocked", "ended"], "web_search"),
        ("reference", &["started", "tool", "ended"], "weather in Paris?"),
        (
            "videosdk",
            &["started", "turn", "tool", "failed", "ended"],
            "It is 21 degrees in Paris.",
        ),
    ] {
        let server = replay::sent(&replay::names(system, &[""])).await;
        let (mut seen, mut words) = (BTreeSet::new(), String::new());
        for session in replay::sessions(&server).await {
            let id = session["session_id"].as_str().unwrap();
            let events = server.get(&format!("sessions/{id}/events")).await;
            assert_eq!(events["more"], json!(false), "{system} {id}");
            let events = events["events"].as_array().unwrap();
            let times = events.iter().map(|event| replay::ns(&event["at"]));
            assert!(times.is_sorted(), "{system} {id}");
            if session["spans"] != json!(0) {
                assert!(
                    events.iter().any(|event| event["kind"] == "started"),
                    "{system} {id}"
                );
            }
            seen.extend(
                events
                    .iter()
                    .map(|event| event["kind"].as_str().unwrap().to_owned()),
            );
            words += &server.get(&format!("sessions/{id}/conversation")).await["turns"].to_string();
        }
        for wanted in kinds {
            assert!(seen.contains(*wanted), "{system}: {wanted} of {seen:?}");
        }
        assert!(words.contains(said), "{system}: {words}");
    }
}
