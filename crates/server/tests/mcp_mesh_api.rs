//! MCP Mesh's own API: the registry's `/trace`, the UI server's `/api/trace`, the live stream.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod mesh;

use common::Server;
use mesh::{RedisServer, capture, server, settled};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The names of an object's fields.
fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_registrys_api_answers_in_its_shapes() {
    let redis = RedisServer::start();
    let server = server(&redis).await;
    redis.add("mesh:trace", &capture());
    settled(&server, 13).await;
    for port in [&server.api, &server.otlp] {
        let get = async |path: &str| {
            let response = server.client.get(format!("{port}{path}")).send().await.unwrap();
            (
                response.status().as_u16(),
                response.json::<Value>().await.unwrap(),
            )
        };
        let (status, trace) = get("/trace/67c1cd2786cd4b85b5fc937f354476df").await;
        assert_eq!(status, 200);
        assert_eq!(
            names(&trace),
            BTreeSet::from([
                "TraceID",
                "Spans",
                "StartTime",
                "EndTime",
                "Duration",
                "Success",
                "SpanCount",
                "AgentCount",
                "Agents"
            ])
        );
        assert_eq!(
            trace["Spans"][0],
            json!({
                "TraceID": "67c1cd2786cd4b85b5fc937f354476df", "SpanID": "aa2c06fe989b47e6", "ParentSpan": null,
                "AgentName": "dependent-service", "AgentID": "dependent-service-8845e2d3",
                "IPAddress": "127.0.0.1", "Operation": "generate_report",
                "StartTime": "2026-11-21T00:22:28.1685338Z", "EndTime": "2026-11-21T00:22:28.3247156Z",
                "DurationMS": 156, "Success": true, "ErrorMessage": null, "Capability": null,
                "TargetAgent": null, "Runtime": "python",
            })
        );
        assert_eq!(
            (&trace["Duration"], &trace["SpanCount"]),
            (&json!(156_181_800), &json!(3))
        );
        assert_eq!(trace["Agents"], json!(["dependent-service", "fastmcp-service"]));
        let (status, missing) = get("/trace/ffffffffffffffffffffffffffffffff").await;
        assert_eq!(status, 404);
        let id = "ffffffffffffffffffffffffffffffff";
        assert_eq!(missing, json!({"error": "trace not found", "trace_id": id}));

        let (_, list) = get("/trace/list?limit=3&offset=6").await;
        assert_eq!(
            (
                &list["enabled"],
                &list["total"],
                &list["limit"],
                &list["offset"],
                &list["count"]
            ),
            (&json!(true), &json!(8), &json!(3), &json!(6), &json!(2))
        );
        // The latest end comes first, so the first trace of the capture is on the last page.
        assert_eq!(list["traces"][1]["TraceID"], "67c1cd2786cd4b85b5fc937f354476df");

        let found = async |query: &str| get(&format!("/trace/search?{query}")).await.1["count"].clone();
        assert_eq!(found("agent_name=fastmcp-service").await, 4);
        assert_eq!(found("agent_name=fastmcp").await, 0, "an agent's name is exact");
        assert_eq!(found("operation=report").await, 1, "an operation's may be a part");
        assert_eq!(found("parent_span_id=00f067aa0ba902b7").await, 1);
        assert_eq!(found("success=false").await, 3);
        assert_eq!(found("success=true&min_duration_ms=200").await, 2);
        assert_eq!(found("max_duration_ms=0").await, 4);
        assert_eq!(found("start_time=2026-11-21T00:28:00Z").await, 3);
        assert_eq!(found("end_time=2026-11-21T00:22:30Z&limit=2").await, 2);
        let (_, answer) = get("/trace/search?agent_name=x&success=true").await;
        assert_eq!(
            answer["criteria"],
            json!({"agent_name": "x", "success": true, "limit": 20})
        );
        let (status, error) = get("/trace/search?start_time=noon").await;
        assert_eq!((status, names(&error)), (400, BTreeSet::from(["error"])));

        let (_, stats) = get("/trace/stats").await;
        for (name, value) in [
            ("stats_available", json!(true)),
            ("total_traces", json!(8)),
            ("success_traces", json!(5)),
            ("failed_traces", json!(3)),
            ("total_spans", json!(13)),
            ("total_duration_ms", json!(969)),
            (
                "agents_seen",
                json!([
                    "chat-agent",
                    "dependent-service",
                    "fastmcp-service",
                    "llm-provider"
                ]),
            ),
            ("first_trace", json!("2026-11-21T00:22:28.1685338Z")),
            ("last_trace", json!("2026-11-21T00:29:28.924013Z")),
        ] {
            assert_eq!(stats[name], value, "{name}");
        }

        let (_, recent) = get("/api/trace/recent?limit=1").await;
        assert_eq!(
            recent["traces"][0],
            json!({
                "trace_id": "c91914550726483382fa08bdb21c2f86", "root_agent": "chat-agent",
                "root_operation": "chat", "duration_ms": 321, "start_time": "2026-11-21T00:29:28.602558Z",
                "span_count": 3, "agent_count": 2, "success": true, "agents": ["chat-agent", "llm-provider"],
            })
        );
        let (_, edges) = get("/api/trace/edge-stats").await;
        let pairs: Vec<_> = edges["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| (&edge["source"], &edge["target"]))
            .collect();
        assert_eq!(
            pairs,
            [
                (&json!("chat-agent"), &json!("llm-provider")),
                (&json!("dependent-service"), &json!("fastmcp-service"))
            ]
        );
        let edge = &edges["edges"][1];
        assert_eq!(
            (
                &edge["target_function"],
                &edge["call_count"],
                &edge["error_rate"],
                &edge["max_latency_ms"]
            ),
            (&json!("get_current_time"), &json!(1), &json!(0.0), &json!(20))
        );
        let (_, agents) = get("/api/trace/agent-stats").await;
        assert_eq!(
            agents["agents"][0],
            json!({
                "agent_name": "chat-agent", "span_count": 6, "total_input_tokens": 123,
                "total_output_tokens": 45, "total_request_bytes": 715, "total_response_bytes": 852,
            })
        );
        let (_, models) = get("/api/trace/model-stats").await;
        assert_eq!(
            models["models"],
            json!([{
                "model": "openai/gpt-4o-mini", "provider": "openai", "call_count": 1, "input_tokens": 123,
                "output_tokens": 45, "total_tokens": 168,
            }])
        );
        let (_, traffic) = get("/api/trace/traffic").await;
        assert_eq!(
            (
                &traffic["window"],
                &traffic["total_calls"],
                &traffic["total_errors"]
            ),
            (&json!("all"), &json!(8), &json!(3))
        );
        assert_eq!(traffic["edge_stats"], edges["edges"]);
        assert_eq!(get("/api/trace/traffic?window=2h").await.0, 400);

        let (_, status) = get("/trace/status").await;
        assert_eq!(
            (
                &status["enabled"],
                &status["consumer"]["connection_state"],
                &status["consumer"]["group_pending"]
            ),
            (&json!(true), &json!("connected"), &json!(0))
        );
        assert_eq!(status["config"]["consumer_group"], "meshscope");
        assert_eq!(
            status["correlator"],
            json!({"active_traces": 0, "trace_timeout": "5m0s"})
        );
        assert_eq!(names(&get("/trace/info").await.1), names(&status));
    }
}

#[tokio::test]
async fn without_a_redis_the_registrys_status_says_so_and_its_copies_are_found() {
    let server = Server::start().await;
    let get = async |path: &str| {
        let response = server
            .client
            .get(format!("{}{path}", server.api))
            .send()
            .await
            .unwrap();
        response.json::<Value>().await.unwrap()
    };
    let off = json!({"enabled": false, "reason": "tracing not initialized"});
    assert_eq!(get("/trace/status").await, off);
    let copy = json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "chat-agent"}}]},
        "scopeSpans": [{"scope": {"name": "mcp-mesh/chat-agent"}, "spans": [{
            "traceId": "c91914550726483382fa08bdb21c2f86", "spanId": "4aae25cd01a14aef", "name": "chat",
            "startTimeUnixNano": "1795220968602000000", "endTimeUnixNano": "1795220968923000000",
            "attributes": [{"key": "mcp.runtime", "value": {"stringValue": "python"}}],
        }]}],
    }]});
    assert_eq!(server.json("/v1/traces", &copy).await.0, 200);
    // What is not of MCP Mesh is not in its lists.
    assert_eq!(
        server
            .json("/v1/traces", &common::traces(&[common::span(1, &json!({}))]))
            .await
            .0,
        200
    );
    let list = get("/trace/list").await;
    assert_eq!(
        (&list["total"], &list["traces"][0]["Agents"]),
        (&json!(1), &json!(["chat-agent"]))
    );
    assert_eq!(list["traces"][0]["Spans"][0]["Runtime"], "python");
}

#[tokio::test]
async fn the_live_stream_tells_of_a_trace_from_its_start_to_its_end() {
    let redis = RedisServer::start();
    let server = server(&redis).await;
    let url = format!("{}/api/traces/live", server.api);
    let mut response = server.client.get(url).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    // The next event, as its name and data.
    let mut next = async || {
        loop {
            if let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                if let (Some(name), Some(data)) = (field("event: "), field("data: ")) {
                    return (name.to_owned(), serde_json::from_str::<Value>(data).unwrap());
                }
            } else {
                let chunk = response.chunk().await.unwrap().expect("the stream goes on");
                text.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        }
    };
    assert_eq!(next().await.0, "connected");
    let capture = capture();
    redis.add("mesh:trace", &capture[..1]);
    let (name, started) = next().await;
    assert_eq!(
        (name.as_str(), &started["span_count"]),
        ("trace_started", &json!(1))
    );
    redis.add("mesh:trace", &capture[1..3]);
    let completed = loop {
        let (name, trace) = next().await;
        if name == "trace_completed" {
            break trace;
        }
        assert_eq!(name, "trace_update");
    };
    assert_eq!(
        completed,
        json!({
            "trace_id": "67c1cd2786cd4b85b5fc937f354476df", "root_agent": "dependent-service",
            "root_operation": "generate_report", "start_time": "2026-11-21T00:22:28.1685338Z",
            "completed": true, "duration_ms": 156, "has_error": false, "span_count": 2,
            "agents": ["dependent-service", "fastmcp-service"],
            "spans": [
                {"span_id": "aa2c06fe989b47e6", "agent_name": "dependent-service",
                 "operation": "generate_report", "duration_ms": 156, "success": true, "runtime": "python"},
                {"span_id": "e2caf560381441b5", "effective_parent": "aa2c06fe989b47e6",
                 "agent_name": "fastmcp-service", "operation": "get_current_time", "duration_ms": 20,
                 "success": true, "runtime": "python"},
            ],
        })
    );
    // A client that listens does not hold up the server's end.
    server.running.unwrap().stop().await.unwrap();
}
