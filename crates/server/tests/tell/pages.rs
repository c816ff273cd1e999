//! What is printed of captures, pinned.

use crate::common::Server;
use crate::mesh::{self, RedisServer};
use crate::replay::{names, sent};
use crate::{command, found, pinned, run, tell};
use serde_json::Value;

/// The trace of a session with most spans.
async fn largest_trace(server: &Server, session: &str) -> String {
    let traces = found(server, &format!("session traces {session} --json")).await;
    let traces = traces
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let largest = traces.max_by_key(|trace| trace["spans"].as_u64()).unwrap();
    largest["trace_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_of_meshagent_on_every_page() {
    let server = sent(&names("meshagent", &["0"])).await;
    pinned("meshagent-list", &found(&server, "session list --from 0").await);
    for page in ["get", "logs", "metrics", "traces"] {
        let text = found(&server, &format!("session {page} sess-def")).await;
        pinned(&format!("meshagent-{page}"), &text);
    }
    let series = found(&server, "session metrics sess-def total_tokens").await;
    pinned("meshagent-series", &series);
    let trace = largest_trace(&server, "sess-def").await;
    pinned(
        "meshagent-trace",
        &found(&server, &format!("trace {trace}")).await,
    );
    let tail = found(&server, "tail --since 0 --no-follow --signal traces,logs,metrics").await;
    pinned("meshagent-tail", &tail);
    let usage = found(&server, "usage --from 2026-11-01 --to 2026-12-01").await;
    pinned("meshagent-usage", &usage);

    let spans = found(
        &server,
        "tail --since 0 --no-follow --signal traces --session sess-def --json",
    )
    .await;
    let spans: Vec<Value> = spans
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(spans.len(), 77);
    assert!(
        spans
            .iter()
            .all(|span| span["type"] == "span" && span["session_id"] == "sess-def")
    );
    let trace = found(&server, &format!("trace {trace} --json")).await;
    let kinds: Vec<Value> = trace
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].take())
        .collect();
    assert_eq!(
        (&kinds[0], kinds[1..].iter().all(|kind| kind == "span")),
        (&Value::from("trace"), true)
    );
}

#[tokio::test]
async fn failures_unknown_costs_and_narrow_terminals() {
    let server = sent(&names("dexto", &["0"])).await;
    pinned("dexto-list", &found(&server, "session list --from 0").await);
    for width in ["100", "80", "20"] {
        let mut narrow = command(&server.api, &["session", "list", "--from", "0"]);
        narrow.env("COLUMNS", width);
        let text = run(narrow).await.out;
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= width.parse().ok(), "{width}: {text}");
        pinned(&format!("dexto-list-{width}"), &text);
    }
    let failed = found(&server, "session list --from 0 --status failed --limit 1 --json").await;
    let failed: Value = serde_json::from_str(&failed).unwrap();
    let trace = largest_trace(&server, failed["session_id"].as_str().unwrap()).await;
    pinned("dexto-trace", &found(&server, &format!("trace {trace}")).await);
    let coloured = found(&server, &format!("trace {trace} --color always")).await;
    pinned("dexto-trace-colours", &coloured);
    let usage = "usage --from 2026-11-01 --to 2026-12-01";
    pinned("dexto-usage", &found(&server, usage).await);
    let markdown = found(&server, &format!("{usage} --by agent --markdown")).await;
    pinned("dexto-usage-markdown", &markdown);
    let format = found(&server, &format!("{usage} --by agent --format markdown")).await;
    assert_eq!(format, markdown);
    let json = found(&server, &format!("{usage} --json")).await;
    let totals: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&totals["type"], totals.get("cost_pico_usd")),
        (&Value::from("totals"), None),
        "{json}"
    );
}

#[tokio::test]
async fn verdicts_of_gates_stand_in_the_tree() {
    let server = sent(&names(
        "meshflow",
        &["0008", "0009", "0014", "m3-0005", "m3-0006"],
    ))
    .await;
    pinned("meshflow-list", &found(&server, "session list --from 0").await);
    let sessions = found(&server, "session list --from 0 --blocked --json").await;
    for (number, session) in sessions.lines().enumerate() {
        let session: Value = serde_json::from_str(session).unwrap();
        let trace = largest_trace(&server, session["session_id"].as_str().unwrap()).await;
        pinned(
            &format!("meshflow-blocked-{number}"),
            &found(&server, &format!("trace {trace}")).await,
        );
    }
}

#[tokio::test]
async fn a_call_of_videosdk_is_a_tree_of_turns() {
    let server = sent(&names("videosdk", &["0"])).await;
    let trace = largest_trace(&server, "65f0-session").await;
    pinned("videosdk-trace", &found(&server, &format!("trace {trace}")).await);
}

#[tokio::test]
async fn calls_between_agents_of_a_mesh() {
    let redis = RedisServer::start();
    let server = mesh::server(&redis).await;
    let entries = mesh::capture();
    redis.add("mesh:trace", &entries);
    mesh::settled(&server, entries.len() as u64).await;
    pinned("mesh-list", &found(&server, "session list --from 0").await);
    let sessions = found(&server, "session list --from 0 --json").await;
    let sessions = sessions
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let largest = sessions.max_by_key(|session| session["spans"].as_u64()).unwrap();
    let session = largest["session_id"].as_str().unwrap();
    for page in ["get", "traces"] {
        let text = found(&server, &format!("session {page} {session}")).await;
        pinned(&format!("mesh-{page}"), &text);
    }
    let trace = largest_trace(&server, session).await;
    pinned("mesh-trace", &found(&server, &format!("trace {trace}")).await);
    let tail = found(&server, "tail --since 0 --no-follow --signal traces").await;
    pinned("mesh-tail", &tail);
    let usage = found(&server, "usage --from 2026-11-01 --to 2026-12-01 --by agent").await;
    pinned("mesh-usage", &usage);
}

#[tokio::test]
async fn scripts_can_tell_by_the_exit_code() {
    let server = Server::start().await;
    let none = "0af7651916cd43dd8448eb211c80319c";
    for (args, code, said) in [
        ("session list", 1, "there are no such sessions"),
        ("session get nobody", 1, "there is no session \"nobody\""),
        ("session logs nobody", 1, "no such log records"),
        ("session metrics nobody", 1, "no metrics"),
        ("session traces nobody", 1, "no traces"),
        (&format!("trace {none}"), 1, "there is no trace"),
        ("usage", 1, "there are no calls"),
        ("tail --since 1h --no-follow", 1, "nothing of the kind"),
        ("trace 12", 2, "32 hexadecimal digits"),
        ("tail --signal noise", 2, "--signal: \"noise\" is not a signal"),
        ("tail --level loud", 2, "possible values"),
        ("session list --system none", 2, "--system"),
        ("session list --from yesterday", 2, "is not a moment"),
        ("usage --from 5 --to 4", 2, "--to must lie after --from"),
        ("usage --endpoint https://127.0.0.1", 2, "must start with http://"),
        (
            "usage --endpoint http://127.0.0.1:1",
            3,
            "cannot reach 127.0.0.1:1",
        ),
        (
            "tail --endpoint http://127.0.0.1:1",
            3,
            "cannot reach 127.0.0.1:1",
        ),
        (
            &format!("usage --endpoint {}", server.otlp),
            3,
            "is --endpoint the server's API?",
        ),
    ] {
        let told = tell(&server, args).await;
        assert_eq!((told.code, told.out.as_str()), (code, ""), "{args}: {}", told.err);
        assert!(told.err.contains(said), "{args}: {}", told.err);
    }
    let help = found(&server, "tail --help").await;
    assert!(help.contains("3 the server cannot be reached"), "{help}");
}

#[tokio::test]
async fn a_key_is_asked_for_and_shown() {
    let server = Server::with(|args| meshscope_server::config::ServeArgs {
        keys: Some(vec!["secret".to_owned()]),
        ..args
    })
    .await;
    let without = tell(&server, "session list").await;
    assert_eq!(without.code, 3, "{without:?}");
    assert!(without.err.contains("--key"), "{}", without.err);
    assert_eq!(tell(&server, "session list --key secret").await.code, 1);
}

#[tokio::test]
async fn times_are_those_of_the_zone() {
    let server = sent(&names("dexto", &["0001"])).await;
    let mut there = command(&server.api, &["session", "list", "--from", "0"]);
    there.env("TZ", "Asia/Kolkata");
    let there = run(there).await.out;
    let utc = found(&server, "session list --from 0 --utc").await;
    assert!(
        utc.contains("2026-11-21 00:15:2") && there.contains("2026-11-21 05:45:2"),
        "{utc}{there}"
    );
}
