//! MCP Mesh against a real `redis-server`: the capture in any order and twice, ends and
//! restarts of either side, events, and bad entries.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod mesh;

use common::Server;
use mesh::{Fields, RedisServer, capture, fields, server, settled, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn spans(server: &Server, wanted: u64) -> Value {
    until(&format!("{wanted} spans"), || async {
        let status = server.get("status").await;
        (status["counts"]["spans"].as_str()? == wanted.to_string()).then_some(status)
    })
    .await
}

/// The last row of INTEROP 7 through the public API.
async fn assert_golden(server: &Server) {
    let traces = server.get("traces?from=0&system=mcp-mesh").await;
    let traces = traces["traces"].as_array().unwrap();
    assert_eq!(traces.len(), 8);
    let (mut all, mut shown, mut failed, mut orphans) = (0, 0, 0, Vec::new());
    let (mut agents, mut priced) = (BTreeSet::new(), Vec::new());
    for trace in traces {
        let id = trace["trace_id"].as_str().unwrap();
        let detail = server.get(&format!("traces/{id}")).await;
        let spans = detail["spans"].as_array().unwrap();
        let ids: BTreeSet<_> = spans.iter().filter_map(|span| span["span_id"].as_str()).collect();
        for span in spans {
            let meaning = &span["meaning"];
            all += 1;
            shown += usize::from(meaning["noise"] != json!(true));
            failed += usize::from(meaning.get("error").is_some());
            agents.insert(meaning["agent"].as_str().unwrap().to_owned());
            if let Some(parent) = span["parent_span_id"].as_str()
                && !ids.contains(parent)
            {
                orphans.push(parent.to_owned());
            }
            if meaning.get("model").is_some() {
                priced.push(span.clone());
            }
        }
    }
    assert_eq!((all, shown, failed), (13, 10, 3));
    assert!(orphans.contains(&"00f067aa0ba902b7".to_owned()), "{orphans:?}");
    let named = [
        "chat-agent",
        "dependent-service",
        "fastmcp-service",
        "llm-provider",
    ];
    assert_eq!(agents, BTreeSet::from(named.map(str::to_owned)));
    assert_eq!(priced.len(), 1);
    let meaning = &priced[0]["meaning"];
    assert_eq!(priced[0]["name"], "chat");
    assert_eq!(
        (&meaning["model"], &meaning["provider"]),
        (&json!("gpt-4o-mini"), &json!("openai"))
    );
    assert_eq!(
        meaning["tokens"],
        json!({"input": "123", "output": "45", "total": "168"})
    );
    assert!(
        meaning.get("cost_pico_usd").is_some(),
        "the price table knows gpt-4o-mini"
    );
    let usage = server.get("usage?from=0").await;
    assert_eq!(usage["totals"]["tokens"]["total"], "168");
    let sessions = server.get("sessions?from=0").await;
    assert_eq!(
        sessions["sessions"].as_array().unwrap().len(),
        8,
        "a trace is a request"
    );
}

#[tokio::test]
async fn the_capture_has_its_golden_values_in_order_reversed_and_twice() {
    let entries = capture();
    let mut reversed = entries.clone();
    reversed.reverse();
    let twice = [entries.clone(), reversed.clone()].concat();
    for (order, stream) in [
        (&entries, "mesh:trace"),
        (&reversed, "mcp-mesh:traces"),
        (&twice, "mesh:trace"),
    ] {
        let redis = RedisServer::start();
        redis.add(stream, &order[..5]);
        let server = server(&redis).await;
        // What was there before the server, and what comes while it runs.
        settled(&server, 5).await;
        redis.add(stream, &order[5..]);
        let mesh = settled(&server, order.len() as u64).await;
        assert_eq!(
            (&mesh["state"], &mesh["rejected"]),
            (&json!("consuming"), &json!("0"))
        );
        assert_golden(&server).await;
        server.running.unwrap().stop().await.unwrap();
    }
}

#[tokio::test]
async fn the_registrys_group_loses_nothing() {
    let redis = RedisServer::start();
    let registry = "mcp-mesh-registry-processors";
    redis.run(&["XGROUP", "CREATE", "mesh:trace", registry, "0", "MKSTREAM"]);
    let server = server(&redis).await;
    redis.add("mesh:trace", &capture());
    settled(&server, 13).await;
    let read = redis.run(&[
        "XREADGROUP",
        "GROUP",
        registry,
        "registry-1",
        "COUNT",
        "100",
        "STREAMS",
        "mesh:trace",
        ">",
    ]);
    assert_eq!(read.matches("trace_id").count(), 13);
}

#[tokio::test]
async fn what_a_dead_consumer_left_is_claimed() {
    let redis = RedisServer::start();
    redis.run(&["XGROUP", "CREATE", "mesh:trace", "meshscope", "0", "MKSTREAM"]);
    redis.add("mesh:trace", &capture());
    let group = [
        "GROUP",
        "meshscope",
        "dead",
        "COUNT",
        "100",
        "STREAMS",
        "mesh:trace",
        ">",
    ];
    redis.run(&[&["XREADGROUP"], &group[..]].concat());
    let ids = redis.ids("mesh:trace");
    let claim = ["XCLAIM", "mesh:trace", "meshscope", "dead", "0"];
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    redis.run(&[&claim[..], &ids, &["IDLE", "120000", "JUSTID"]].concat());
    let server = server(&redis).await;
    settled(&server, 13).await;
    assert_golden(&server).await;
}

#[tokio::test]
async fn a_server_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    const ROUNDS: u64 = 4;
    const A_ROUND: u64 = 6_000;
    let redis = RedisServer::start();
    let dir = tempfile::tempdir().unwrap();
    let client = reqwest::Client::new();
    let entry = |n: u64| {
        let (trace, span) = (format!("{:032x}", n / 3 + 1), format!("{:016x}", n + 1));
        fields(&[
            ("trace_id", &trace),
            ("span_id", &span),
            ("parent_span", "null"),
            ("function_name", "work"),
            ("agent_name", "worker"),
            ("start_time", "1795220548.5"),
            ("end_time", "1795220549.5"),
            ("success", "True"),
        ])
    };
    let counts = |api: String| {
        let client = client.clone();
        async move {
            let status = client.get(format!("{api}/api/v1/status")).send().await.ok()?;
            let status: Value = status.json().await.ok()?;
            let spans = status["counts"]["spans"].as_str()?.parse::<u64>().ok()?;
            Some((spans, status))
        }
    };
    for round in 0..ROUNDS {
        let (mut child, api, _) = common::process::serve(dir.path(), &["--mcp-mesh-redis", &redis.url()]);
        let entries: Vec<Fields> = (round * A_ROUND..(round + 1) * A_ROUND).map(entry).collect();
        redis.add("mesh:trace", &entries);
        // Killed when it has begun with this round, wherever it then is.
        until("some spans of this round", || async {
            let (spans, _) = counts(api.clone()).await?;
            (spans > round * A_ROUND).then_some(())
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (mut child, api, _) = common::process::serve(dir.path(), &["--mcp-mesh-redis", &redis.url()]);
    let all = ROUNDS * A_ROUND;
    let status = until("every span", || async {
        let (spans, status) = counts(api.clone()).await?;
        let mesh = &status["mcp_mesh"];
        let idle = mesh["pending"] == "0" && mesh["last_entry_id"] == mesh["last_delivered_id"];
        (idle && spans >= all).then_some(status)
    })
    .await;
    assert_eq!(status["counts"]["spans"], all.to_string());
    assert_eq!(status["counts"]["sessions"], (all / 3).to_string());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The server again, over the same store.
async fn again(redis: &RedisServer, server: Server) -> Server {
    let Server { running, dir, .. } = server;
    if let Some(running) = running {
        running.stop().await.unwrap();
    }
    let mut args = common::args(&dir);
    args.mcp_mesh_redis = Some(redis.url());
    let config = meshscope_server::config::Config::resolve(args).unwrap();
    let running = meshscope_server::start(config).await.unwrap();
    Server {
        api: format!("http://{}", running.api),
        otlp: format!("http://{}", running.otlp_http),
        running: Some(running),
        client: reqwest::Client::new(),
        dir,
    }
}

#[tokio::test]
async fn an_end_between_reading_keeping_and_acknowledging_loses_and_doubles_nothing() {
    let redis = RedisServer::start();
    let mut first = server(&redis).await;
    let mesh = settled(&first, 0).await;
    first.running.take().unwrap().stop().await.unwrap();
    // Read as the server, but never kept.
    redis.add("mesh:trace", &capture());
    let consumer = mesh["consumer"].as_str().unwrap();
    let read = [
        "XREADGROUP",
        "GROUP",
        "meshscope",
        consumer,
        "COUNT",
        "7",
        "STREAMS",
        "mesh:trace",
        ">",
    ];
    redis.run(&read);
    let second = again(&redis, first).await;
    settled(&second, 13).await;
    assert_golden(&second).await;
    // Kept, but the acknowledgement never arrived: all of it comes once more.
    redis.run(&["XGROUP", "SETID", "mesh:trace", "meshscope", "0"]);
    let third = again(&redis, second).await;
    settled(&third, 13).await;
    assert_golden(&third).await;
    assert_eq!(third.get("status").await["counts"]["spans"], "13");
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_waited_for_and_one_that_goes_is_found_again() {
    let mut redis = RedisServer::stopped();
    let server = server(&redis).await;
    let waiting = || async {
        let mesh = server.get("status").await["mcp_mesh"].take();
        (mesh["state"] == "waiting").then_some(mesh)
    };
    let mesh = until("the consumer to wait", waiting).await;
    assert!(mesh["last_error"].is_string(), "{mesh}");
    redis.launch();
    redis.add("mesh:trace", &capture()[..6]);
    settled(&server, 6).await;
    // Gone with all its data, groups included.
    redis.kill();
    until("the consumer to notice", waiting).await;
    redis.launch();
    redis.add("mesh:trace", &capture()[6..]);
    spans(&server, 13).await;
    assert_golden(&server).await;
    assert!(
        server.get("status").await["mcp_mesh"]["reconnects"]
            .as_u64()
            .unwrap()
            >= 2
    );
}

#[tokio::test]
async fn events_show_a_span_while_it_runs_and_join_across_a_restart() {
    let redis = RedisServer::start();
    let first = server(&redis).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let event = |kind: &str, time: &str, more: &[(&str, &str)]| {
        let base = [
            ("trace_id", trace),
            ("span_id", "b7ad6b7169203331"),
            ("agent_name", "reporter"),
            ("operation", "report"),
            ("event_type", kind),
            ("timestamp", time),
        ];
        fields(&[&base[..], more].concat())
    };
    redis.add(
        "mesh:trace",
        &[event("span_start", "1795220548.5", &[("parent_span", "")])],
    );
    settled(&first, 1).await;
    let detail = first.get(&format!("traces/{trace}")).await;
    assert_eq!(detail["trace"]["complete"], false);
    assert!(detail["spans"][0].get("ended_at").is_none());

    let second = again(&redis, first).await;
    redis.add(
        "mesh:trace",
        &[
            event("error", "1795220549.0", &[("error_message", "no route")]),
            event(
                "span_end",
                "1795220550.0",
                &[("duration_ms", "1500"), ("success", "false")],
            ),
        ],
    );
    settled(&second, 2).await;
    let detail = second.get(&format!("traces/{trace}")).await;
    let span = &detail["spans"][0];
    assert_eq!(detail["trace"]["complete"], true);
    assert_eq!(
        (
            &span["started_at"],
            &span["duration_ns"],
            &span["meaning"]["error"]
        ),
        (
            &json!("1795220548500000000"),
            &json!("1500000000"),
            &json!("no route")
        )
    );
}

#[tokio::test]
async fn a_bad_entry_is_reported_and_does_not_hold_up_its_neighbours() {
    let redis = RedisServer::start();
    let server = server(&redis).await;
    let capture = capture();
    redis.add("mesh:trace", &capture[..6]);
    redis.add("mesh:trace", &[fields(&[("hello", "world")])]);
    redis.add(
        "mesh:trace",
        &[fields(&[
            ("trace_id", "1"),
            ("span_id", "2"),
            ("start_time", "noon"),
        ])],
    );
    redis.add("mesh:trace", &capture[6..]);
    let mesh = settled(&server, 15).await;
    assert_eq!((&mesh["entries"], &mesh["rejected"]), (&json!("13"), &json!("2")));
    assert_golden(&server).await;
    let status = server.get("status").await;
    let problems: Vec<&str> = status["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|problem| problem["message"].as_str())
        .collect();
    let says = |text: &str| problems.iter().any(|problem| problem.contains(text));
    assert!(says("trace_id is missing: give the trace's id"), "{problems:?}");
    assert!(says("start_time is \"noon\": give seconds"), "{problems:?}");
}

#[tokio::test]
async fn the_registrys_otlp_copy_does_not_double_a_span_or_hide_what_the_agent_said() {
    let redis = RedisServer::start();
    let server = server(&redis).await;
    let copy = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "chat-agent"}}]},
        "scopeSpans": [{"scope": {"name": "mcp-mesh/chat-agent"}, "spans": [{
            "traceId": "c91914550726483382fa08bdb21c2f86", "spanId": "4aae25cd01a14aef", "name": "chat", "kind": 2,
            "startTimeUnixNano": "1795220968602000000", "endTimeUnixNano": "1795220968923000000",
            "attributes": [{"key": "mcp.operation", "value": {"stringValue": "chat"}},
                {"key": "mcp.duration.ms", "value": {"intValue": "321"}}],
        }]}],
    }]});
    let (status, _) = server.json("/v1/traces", &copy).await;
    assert_eq!(status, 200);
    redis.add("mesh:trace", &capture());
    settled(&server, 13).await;
    assert_eq!(server.json("/v1/traces", &copy).await.0, 200);
    assert_golden(&server).await;
    let span = server
        .get("traces/c91914550726483382fa08bdb21c2f86/spans/4aae25cd01a14aef")
        .await;
    assert_eq!(span["started_at"], "1795220968602558000");
}
