//! Sessions that are late or odd: each is answered sensibly, counted once and never lost.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Server, span, traces};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(elapsed.as_nanos()).unwrap()
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// A span of a session from a moment on; one without an end is in progress.
fn work(id: u64, session: Option<&str>, start: i64, end: Option<i64>, more: &Value) -> Value {
    let attributes: Vec<Value> = session
        .map(|session| attribute("session.id", session))
        .into_iter()
        .collect();
    let mut fields = json!({
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": end.unwrap_or(0).to_string(), "attributes": attributes,
    });
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    span(id, &fields)
}

fn log(session: &str, time: i64, body: &str) -> Value {
    json!({"timeUnixNano": time.to_string(), "severityNumber": 9, "body": {"stringValue": body},
        "attributes": [attribute("session.id", session)]})
}

fn logs(records: &[Value]) -> Value {
    json!({"resourceLogs": [{
        "resource": {"attributes": [attribute("service.name", "svc")]},
        "scopeLogs": [{"scope": {"name": "s"}, "logRecords": records}],
    }]})
}

async fn keep(server: &Server, path: &str, body: &Value) {
    let (status, answer) = server.json(path, body).await;
    assert_eq!((status, &answer), (200, &json!({})), "{path}");
}

async fn keep_spans(server: &Server, spans: &[Value]) {
    keep(server, "/v1/traces", &traces(spans)).await;
}

async fn sessions(server: &Server) -> Vec<Value> {
    let list = server.get("sessions?from=0&limit=1000").await;
    list["sessions"].as_array().unwrap().clone()
}

fn ns(value: &Value) -> i64 {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn one_that_never_ends_is_active_until_it_is_plainly_left() {
    let server = Server::start().await;
    let start = now() - 10 * MINUTE;
    keep_spans(&server, &[work(1, Some("s"), start, None, &json!({}))]).await;
    let session = server.get("sessions/s").await;
    assert_eq!(
        (&session["status"], session.get("ended_at")),
        (&json!("active"), None)
    );
    assert_eq!(
        (&session["runs"][0]["complete"], ns(&session["started_at"])),
        (&json!(false), start)
    );
    // What came of it once does not make it active for ever.
    keep_spans(
        &server,
        &[work(
            2,
            Some("left"),
            now() - 2 * DAY,
            None,
            &json!({"traceId": format!("{:032x}", 2)}),
        )],
    )
    .await;
    let left = server.get("sessions/left").await;
    assert_eq!(left["status"], "ended");
    assert_eq!(
        (&left["runs"][0]["complete"], ns(&left["duration_ns"])),
        (&json!(false), 0)
    );
    let active = server.get("sessions?from=0&status=active").await;
    assert_eq!(active["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_that_ends_twice_is_one_whatever_end_comes_first() {
    let start = now() - HOUR;
    let end = |minutes: i64| {
        vec![work(
            1,
            Some("s"),
            start,
            Some(start + minutes * MINUTE),
            &json!({}),
        )]
    };
    let mut answers = Vec::new();
    for order in [[5, 9], [9, 5]] {
        let server = Server::start().await;
        for minutes in order {
            keep_spans(&server, &end(minutes)).await;
        }
        let session = server.get("sessions/s").await;
        assert_eq!((&session["spans"], &session["traces"]), (&json!(1), &json!(1)));
        assert_eq!(session["status"], "ended");
        answers.push((session["ended_at"].clone(), session["duration_ns"].clone()));
    }
    assert_eq!(answers[0], answers[1], "the order decides nothing");
    assert_eq!(ns(&answers[0].1), 9 * MINUTE);
}

#[tokio::test]
async fn one_without_spans_has_its_logs_and_times() {
    let server = Server::start().await;
    let start = now() - HOUR;
    keep(
        &server,
        "/v1/logs",
        &logs(&[log("s", start, "joined"), log("s", start + 3 * MINUTE, "left")]),
    )
    .await;
    let session = server.get("sessions/s").await;
    for (field, value) in [
        ("spans", json!(0)),
        ("traces", json!(0)),
        ("logs", json!(2)),
        ("status", json!("ended")),
        ("runs", json!([])),
    ] {
        assert_eq!(session[field], value, "{field}");
    }
    assert_eq!(
        (ns(&session["started_at"]), ns(&session["duration_ns"])),
        (start, 3 * MINUTE)
    );
    assert_eq!(session.get("cost_pico_usd"), None, "unknown is not $0");
    assert_eq!(
        server.get("logs?session=s&from=0").await["logs"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Log records that name only a trace are a session of their own until that trace's spans tell another.
    let trace = "00000000000000000000000000000007";
    let mut alone = log("x", start, "alone");
    alone["attributes"] = json!([]);
    alone["traceId"] = json!(trace);
    keep(&server, "/v1/logs", &logs(&[alone])).await;
    assert_eq!(server.get(&format!("sessions/{trace}")).await["logs"], 1);
    keep_spans(
        &server,
        &[work(
            1,
            Some("s"),
            start,
            Some(start + 1),
            &json!({"traceId": trace}),
        )],
    )
    .await;
    let all = sessions(&server).await;
    assert_eq!(
        (all.len(), &all[0]["logs"], &all[0]["spans"]),
        (1, &json!(3), &json!(1))
    );
}

#[tokio::test]
async fn clocks_that_differ_neither_turn_time_round_nor_keep_a_session_active() {
    let server = Server::start().await;
    let start = now() - HOUR;
    // The callee's clock is ten minutes behind, another's ends before it starts.
    keep_spans(
        &server,
        &[
            work(1, Some("s"), start, Some(start + MINUTE), &json!({})),
            work(
                2,
                None,
                start - 10 * MINUTE,
                Some(start - 9 * MINUTE),
                &json!({"parentSpanId": format!("{:016x}", 1)}),
            ),
            work(
                3,
                None,
                start + MINUTE,
                Some(start),
                &json!({"parentSpanId": format!("{:016x}", 1)}),
            ),
        ],
    )
    .await;
    let session = server.get("sessions/s").await;
    assert_eq!(
        (&session["spans"], &session["status"]),
        (&json!(3), &json!("ended"))
    );
    assert_eq!(ns(&session["started_at"]), start - 10 * MINUTE);
    assert_eq!(ns(&session["duration_ns"]), 11 * MINUTE);
    let trace = server
        .get(&format!(
            "traces/{}",
            session["runs"][0]["trace_id"].as_str().unwrap()
        ))
        .await;
    let spans = trace["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 3);
    for span in spans {
        assert!(ns(&span["duration_ns"]) >= 0, "{span}");
    }
    // One says that it is a year from now; it is over all the same.
    keep(
        &server,
        "/v1/logs",
        &logs(&[log("ahead", now() + 365 * DAY, "hello")]),
    )
    .await;
    assert_eq!(server.get("sessions/ahead").await["status"], "ended");
    // One that is a minute ahead is what a clock is like.
    keep(
        &server,
        "/v1/logs",
        &logs(&[log("close", now() + MINUTE, "hello")]),
    )
    .await;
    assert_eq!(server.get("sessions/close").await["status"], "active");
}

#[tokio::test]
async fn one_of_a_hundred_thousand_events_is_counted_and_read_to_its_end() {
    const EVENTS: i64 = 100_000;
    let server = Server::start().await;
    let start = now() - HOUR;
    for part in 0..20 {
        let records: Vec<Value> = (part * EVENTS / 20..(part + 1) * EVENTS / 20)
            .map(|n| log("s", start + n * 1_000_000, &format!("event {n}")))
            .collect();
        keep(&server, "/v1/logs", &logs(&records)).await;
    }
    let session = server.get("sessions/s").await;
    assert_eq!(
        (&session["logs"], &session["status"]),
        (&json!(EVENTS), &json!("ended"))
    );
    assert_eq!(ns(&session["duration_ns"]), (EVENTS - 1) * 1_000_000);
    let (mut read, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server
            .get(&format!("logs?session=s&from=0&limit=10000{cursor}"))
            .await;
        read.extend(
            page["logs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|log| ns(&log["time"])),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(read.len() as i64, EVENTS);
    assert!(
        read.windows(2).all(|pair| pair[0] > pair[1]),
        "newest first, each once"
    );
}

#[tokio::test]
async fn one_of_five_hundred_runs_has_them_all_in_order() {
    let server = Server::start().await;
    let start = now() - DAY;
    let runs: Vec<Value> = (1..=500_u64)
        .map(|n| {
            let at = start + (n as i64 * 7_919 % 500) * MINUTE;
            work(
                n,
                Some("s"),
                at,
                Some(at + 1),
                &json!({"traceId": format!("{n:032x}")}),
            )
        })
        .collect();
    keep_spans(&server, &runs).await;
    let session = server.get("sessions/s").await;
    assert_eq!(
        (&session["traces"], &session["spans"]),
        (&json!(500), &json!(500))
    );
    let starts: Vec<i64> = session["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| ns(&run["started_at"]))
        .collect();
    assert_eq!(starts.len(), 500);
    assert!(
        starts.windows(2).all(|pair| pair[0] <= pair[1]),
        "in the order of their start"
    );
    assert_eq!(
        server.get("traces?session=s&from=0&limit=1000").await["traces"]
            .as_array()
            .unwrap()
            .len(),
        500
    );
}

#[tokio::test]
async fn a_root_that_comes_last_names_what_was_there_and_leaves_nothing_behind() {
    let server = Server::start().await;
    let start = now() - HOUR;
    let under = |id: u64| {
        let more = json!({"parentSpanId": format!("{:016x}", 1)});
        work(
            id,
            None,
            start + id as i64 * MINUTE,
            Some(start + (id as i64 + 1) * MINUTE),
            &more,
        )
    };
    keep_spans(&server, &[under(2), under(3)]).await;
    let before = sessions(&server).await;
    assert_eq!((before.len(), &before[0]["spans"]), (1, &json!(2)));
    let (id, runs) = (before[0]["session_id"].as_str().unwrap(), &before[0]["traces"]);
    assert_eq!((id, runs), ("4bf92f3577b34da6a3ce929d0e0e4736", &json!(1)));
    let failed = json!({"status": {"code": 2, "message": "no answer"}, "name": "call"});
    keep_spans(
        &server,
        &[work(1, Some("named"), start, Some(start + 5 * MINUTE), &failed)],
    )
    .await;
    let after = sessions(&server).await;
    assert_eq!((after.len(), &after[0]["session_id"]), (1, &json!("named")));
    assert_eq!(
        (&after[0]["spans"], &after[0]["status"]),
        (&json!(3), &json!("failed"))
    );
    let runs = &server.get("sessions/named").await["runs"];
    assert_eq!(
        (runs.as_array().unwrap().len(), &runs[0]["name"]),
        (1, &json!("call"))
    );
}
