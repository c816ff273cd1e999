//! One trace as its clients ask for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Server, capture, span, traces};
use meshscope_api::columns::{self, Decoder};
use meshscope_model::columns::flag;
use meshscope_model::{SpanColumns, SpanId};
use serde_json::{Value, json};
use std::io::Read as _;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const COLUMNS: &str = "application/vnd.meshscope.columns";

async fn ask(server: &Server, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = server.client.get(format!("{}/api/v1/{path}", server.api));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn columns_of(server: &Server, trace: &str) -> SpanColumns {
    let answer = ask(server, &format!("traces/{trace}"), &[("accept", COLUMNS)]).await;
    assert_eq!(answer.status().as_u16(), 200);
    columns::decode(&answer.bytes().await.unwrap()).unwrap()
}

async fn keep(server: &Server, spans: &[Value]) {
    assert_eq!(server.json("/v1/traces", &traces(spans)).await, (200, json!({})));
}

fn unpacked(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match coding {
        "zstd" => zstd::stream::copy_decode(bytes, &mut plain).unwrap(),
        "br" => drop(
            brotli::Decompressor::new(bytes, 4_096)
                .read_to_end(&mut plain)
                .unwrap(),
        ),
        "gzip" => drop(
            flate2::read::GzDecoder::new(bytes)
                .read_to_end(&mut plain)
                .unwrap(),
        ),
        _ => plain.extend_from_slice(bytes),
    }
    plain
}

#[tokio::test]
async fn columns_are_the_same_in_every_coding_and_come_in_chunks() {
    let server = Server::start().await;
    let spans: Vec<Value> = (1..=9_000)
        .map(|id: u64| {
            let start = 1_795_220_548_000_000_000 + id * 1_000;
            span(
                id,
                &json!({"startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 500).to_string()}),
            )
        })
        .collect();
    for part in spans.chunks(3_000) {
        keep(&server, part).await;
    }
    let plain = columns_of(&server, TRACE).await;
    assert!(plain.span_id.iter().copied().eq(1..=9_000));
    for coding in ["zstd", "br", "gzip"] {
        let headers = [("accept", COLUMNS), ("accept-encoding", coding)];
        let answer = ask(&server, &format!("traces/{TRACE}"), &headers).await;
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-encoding"), coding);
        assert_eq!(header("content-type"), COLUMNS);
        assert!(header("vary").contains("accept-encoding"));
        let packed = answer.bytes().await.unwrap();
        let bytes = unpacked(coding, &packed);
        assert!(
            packed.len() < bytes.len(),
            "{coding}: {} of {}",
            packed.len(),
            bytes.len()
        );
        let mut decoder = Decoder::default();
        let mut first = 0;
        for packet in bytes.chunks(1_000) {
            if decoder.push(packet).unwrap() && first == 0 {
                first = decoder.columns().len();
            }
        }
        assert_eq!((first, decoder.expected()), (2_000, Some(9_000)), "{coding}");
        assert_eq!(decoder.finish().unwrap(), plain, "{coding}");
    }
    // A client that goes in mid-stream costs only itself.
    let mut gone = ask(&server, &format!("traces/{TRACE}"), &[("accept", COLUMNS)]).await;
    assert!(gone.chunk().await.unwrap().is_some());
    drop(gone);
    assert_eq!(columns_of(&server, TRACE).await, plain);
    let none = ask(
        &server,
        &format!("traces/{:032x}", 1),
        &[("accept", COLUMNS), ("accept-encoding", "zstd")],
    )
    .await;
    assert_eq!(none.status().as_u16(), 404);
    let problem: Value = none.json().await.unwrap();
    assert!(
        problem["detail"].as_str().unwrap().contains("there is no trace"),
        "{problem}"
    );
}

#[tokio::test]
async fn columns_say_of_real_captures_what_their_spans_say() {
    let server = Server::start().await;
    for name in [
        "meshagent/0011-traces.pb",
        "videosdk/0047-traces.pb",
        "meshflow/0006-traces.raw.json",
        "dexto/0001-traces.raw.json",
        "reference/0006-traces.pb",
    ] {
        let (path, media, body) = capture(name);
        let status = server
            .post(&path, &[("content-type", media)], body)
            .await
            .status();
        assert_eq!(status.as_u16(), 200, "{name}");
    }
    let list = server.get("traces?from=0&limit=1000").await;
    let mut events = 0;
    for trace in list["traces"].as_array().unwrap() {
        let id = trace["trace_id"].as_str().unwrap();
        let columns = columns_of(&server, id).await;
        let full = server.get(&format!("traces/{id}")).await;
        let spans = full["spans"].as_array().unwrap();
        assert_eq!(columns.len(), spans.len());
        for (row, span) in spans.iter().enumerate() {
            assert_eq!(
                SpanId::from_u64(columns.span_id[row]).to_string(),
                span["span_id"]
            );
            assert_eq!(columns.name(row), span["name"]);
            assert_eq!(columns.start_time[row].to_string(), span["started_at"]);
            assert_eq!(columns.duration[row].to_string(), span["duration_ns"]);
            assert_eq!(
                columns.has_flag(row, flag::IN_PROGRESS),
                span["ended_at"].is_null()
            );
            let marks: Vec<_> = columns
                .events(row)
                .map(|at| columns.string(columns.event_name[at]))
                .collect();
            let named: Vec<_> = span["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| &event["name"])
                .collect();
            assert_eq!(marks, named);
            assert_eq!(
                columns.links(row) as usize,
                span["links"].as_array().unwrap().len()
            );
            events += marks.len();
        }
    }
    assert!(events > 0, "some of them have events");
}

#[tokio::test]
async fn a_span_in_progress_is_flagged_until_its_end_comes() {
    let server = Server::start().await;
    let open = span(1, &json!({"endTimeUnixNano": "0"}));
    keep(&server, &[open]).await;
    let before = columns_of(&server, TRACE).await;
    assert_eq!((before.flags[0], before.duration[0]), (flag::IN_PROGRESS, 0));
    keep(&server, &[span(1, &json!({}))]).await;
    let after = columns_of(&server, TRACE).await;
    assert_eq!(
        (after.len(), after.flags[0], after.duration[0]),
        (1, 0, 1_000_000_000)
    );
}

/// The spans that a search finds, each with the places that it names.
async fn search(server: &Server, q: &str) -> Vec<(u64, Vec<String>)> {
    let q = meshscope_api::params::encode(q);
    let found = server.get(&format!("traces/{TRACE}/search?q={q}")).await;
    assert_eq!(found["more"], false);
    let place = |index: &Value| {
        let place = &found["places"][index.as_u64().unwrap() as usize];
        let field = place["field"].as_str().unwrap();
        place["key"]
            .as_str()
            .map_or(field.to_owned(), |key| format!("{field} {key}"))
    };
    let spans = found["spans"].as_array().unwrap().iter().map(|span| {
        let id: SpanId = span["span_id"].as_str().unwrap().parse().unwrap();
        (
            id.as_u64(),
            span["places"].as_array().unwrap().iter().map(place).collect(),
        )
    });
    spans.collect()
}

#[tokio::test]
async fn a_search_looks_everywhere_and_says_where_it_found_it() {
    let server = Server::start().await;
    let text = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let messages = json!({"key": "gen_ai.output.messages", "value": {"arrayValue": {"values": [
        {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "A \"Refund\" of\n10 €"}}]}}
    ]}}});
    let event = json!({"name": "Refund started", "timeUnixNano": "5", "attributes": [text("why", "asked to REFUND")]});
    let link =
        json!({"traceId": TRACE, "spanId": format!("{:016x}", 1), "attributes": [text("of", "refunding")]});
    let spans = [
        span(1, &json!({"name": "refund order"})),
        span(
            2,
            &json!({"attributes": [text("gen_ai.prompt", "please rEFUNd me"), messages.clone(), text("b", "no")]}),
        ),
        span(3, &json!({"events": [event], "links": [link]})),
        span(4, &json!({"status": {"code": 2, "message": "refund failed"}})),
        span(
            0xabcdef,
            &json!({"attributes": [{"key": "app.step", "value": {"intValue": "12"}}, text("app.tier", "stringvalue")]}),
        ),
    ];
    keep(&server, &spans).await;
    let found = search(&server, "Refund").await;
    let places: Vec<(u64, Vec<&str>)> = found
        .iter()
        .map(|(id, places)| (*id, places.iter().map(String::as_str).collect()))
        .collect();
    assert_eq!(
        places,
        [
            (1, vec!["name"]),
            (
                2,
                vec!["attribute gen_ai.output.messages", "attribute gen_ai.prompt"]
            ),
            (3, vec!["event", "event_attribute why", "link_attribute of"]),
            (4, vec!["status_message"]),
        ]
    );
    let ids =
        async |q: &str| -> Vec<u64> { search(&server, q).await.into_iter().map(|(id, _)| id).collect() };
    let none: [u64; 0] = [];
    assert_eq!(ids("\"Refund\" of\n10 €").await, [2]);
    assert_eq!(
        ids("stringValue").await,
        [0xabcdef],
        "how values are written is not what they are"
    );
    assert_eq!(ids("svc").await.len(), 5);
    assert_eq!(ids("ABCDEF").await, [0xabcdef]);
    assert_eq!(ids("app.step=12").await, [0xabcdef]);
    assert_eq!(ids("app.step>=12").await, [0xabcdef]);
    assert_eq!(ids("app.step<12").await, none);
    assert_eq!(ids("b!=yes").await, [2]);
    assert_eq!(ids("name~REFUND").await, [1]);
    assert_eq!(ids("name=refund order").await, [1]);
    assert_eq!(ids("\"app.step=12\"").await, none);
    assert_eq!(ids("%").await, none, "nothing in it is a pattern");
    assert_eq!(search(&server, "app.step=12").await[0].1, ["attribute app.step"]);
    let first = server.get(&format!("traces/{TRACE}/search?q=svc&limit=2")).await;
    assert_eq!(
        (first["spans"].as_array().unwrap().len(), &first["more"]),
        (2, &json!(true))
    );
    for (path, status) in [
        (format!("traces/{TRACE}/search"), 400),
        (format!("traces/{:032x}/search?q=a", 1), 404),
        ("traces/x/search?q=a".to_owned(), 400),
    ] {
        assert_eq!(ask(&server, &path, &[]).await.status().as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn a_search_finds_what_frequent_attributes_hold_before_and_after_they_have_columns() {
    let server = Server::start().await;
    for part in 0..3_u64 {
        let spans: Vec<Value> = (1..=200)
            .map(|n| {
                let id = part * 200 + n;
                let value = if n == 7 { "the needle" } else { "hay" };
                span(
                    id,
                    &json!({"attributes": [{"key": "app.text", "value": {"stringValue": value}}]}),
                )
            })
            .collect();
        keep(&server, &spans).await;
    }
    for q in ["NEEDLE", "app.text=the needle", "app.text~Needle"] {
        let found: Vec<u64> = search(&server, q).await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(found, [7, 207, 407], "{q}");
    }
}

/// An exported trace, with the name of its file.
async fn exported(server: &Server, trace: &str, query: &str) -> (String, String) {
    let answer = ask(server, &format!("traces/{trace}/export{query}"), &[]).await;
    assert_eq!(answer.status().as_u16(), 200);
    let kept = answer.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    (kept, answer.text().await.unwrap())
}

/// The trace as the API tells it, without what depends on the place it is kept in.
async fn told(server: &Server, trace: &str) -> Value {
    let mut told = server.get(&format!("traces/{trace}")).await;
    let mut logs = server.get(&format!("logs?from=0&trace_id={trace}")).await["logs"].clone();
    for log in logs.as_array_mut().unwrap() {
        log["sequence"] = Value::Null;
    }
    told["logs"] = logs;
    told
}

#[tokio::test]
async fn an_exported_trace_is_the_same_trace_when_it_is_imported() {
    let (server, other) = (Server::start().await, Server::start().await);
    for name in [
        "meshagent/0009-logs.pb",
        "meshagent/0011-traces.pb",
        "dexto/0001-traces.raw.json",
    ] {
        let (path, media, body) = capture(name);
        let status = server
            .post(&path, &[("content-type", media)], body)
            .await
            .status();
        assert_eq!(status.as_u16(), 200, "{name}");
    }
    let mut list = server.get("traces?from=0&limit=1000").await;
    list["traces"]
        .as_array_mut()
        .unwrap()
        .retain(|trace| trace["spans"].as_u64() > Some(2));
    for trace in list["traces"].as_array().unwrap() {
        let id = trace["trace_id"].as_str().unwrap();
        let (file, lines) = exported(&server, id, "").await;
        assert!(
            file.starts_with("attachment; filename=\"") && file.ends_with(&format!("{id}.otlp.jsonl\"")),
            "{file}"
        );
        for line in lines.lines() {
            let signal = if line.starts_with("{\"resourceLogs") {
                "/v1/logs"
            } else {
                "/v1/traces"
            };
            let json_type = [("content-type", "application/json")];
            let status = other
                .post(signal, &json_type, line.as_bytes().to_vec())
                .await
                .status();
            assert_eq!(status.as_u16(), 200);
        }
        let (before, after) = (told(&server, id).await, told(&other, id).await);
        for key in ["spans", "logs"] {
            assert_eq!(before[key], after[key], "{key} of {id}");
        }
        let (file, jaeger) = exported(&server, id, "?format=jaeger").await;
        assert!(file.ends_with(&format!("{id}.jaeger.json\"")), "{file}");
        let read = meshscope_telemetry::jaeger::decode(jaeger.as_bytes()).unwrap();
        let spans = before["spans"].as_array().unwrap();
        assert_eq!((read.rejected.records, read.batch.spans.len()), (0, spans.len()));
        for entry in &read.batch.spans {
            let id = entry.span.span_id.to_string();
            let sent = spans.iter().find(|span| span["span_id"] == id.as_str()).unwrap();
            let start: i64 = sent["started_at"].as_str().unwrap().parse().unwrap();
            assert_eq!(
                (&json!(entry.span.name), entry.span.start_time),
                (&sent["name"], start / 1_000 * 1_000)
            );
            assert_eq!(
                entry.span.attributes.len(),
                sent["attributes"].as_array().unwrap().len()
            );
        }
    }
    let logs = list["traces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trace| trace["trace_id"].as_str().unwrap());
    let mut found = 0;
    for id in logs {
        found += told(&other, id).await["logs"].as_array().unwrap().len();
    }
    assert!(found > 0, "log records came along");
    for (path, status) in [
        (format!("traces/{:032x}/export", 1), 404),
        (format!("traces/{TRACE}/export?format=csv"), 400),
        ("traces/x/export".to_owned(), 400),
    ] {
        assert_eq!(ask(&server, &path, &[]).await.status().as_u16(), status, "{path}");
    }
}

#[tokio::test]
async fn a_span_with_a_value_of_20_mb_opens_at_once_and_whole() {
    let server = Server::start().await;
    let long: String = (0..2_000_000).map(|n| format!("{n:09}\n")).collect();
    assert_eq!(long.len(), 20_000_000);
    let list: Vec<Value> = (0..50_000).map(|n| json!({"intValue": n.to_string()})).collect();
    let markup = "<script>alert(1)</script>";
    let attributes = json!([
        {"key": "gen_ai.prompt", "value": {"stringValue": long}},
        {"key": "list", "value": {"arrayValue": {"values": list}}},
        {"key": "page", "value": {"stringValue": markup}},
        {"key": "raw", "value": {"bytesValue": "AQID"}},
    ]);
    let event = json!({"name": "e", "timeUnixNano": "5", "attributes": [{"key": "k", "value": {"stringValue": "v".repeat(500_000)}}]});
    keep(
        &server,
        &[span(1, &json!({"attributes": attributes, "events": [event]}))],
    )
    .await;
    let path = format!("traces/{TRACE}/spans/{:016x}", 1);
    let whole = ask(&server, &path, &[("accept-encoding", "zstd")]).await;
    let whole: Value = serde_json::from_slice(&unpacked("zstd", &whole.bytes().await.unwrap())).unwrap();
    assert_eq!(whole["attributes"][0]["value"]["stringValue"], long.as_str());
    assert!(whole["cut"].is_null());

    let preview = ask(&server, &format!("{path}?preview=262144"), &[])
        .await
        .bytes()
        .await
        .unwrap();
    assert!(preview.len() < 4 * 262_144, "{}", preview.len());
    let preview: Value = serde_json::from_slice(&preview).unwrap();
    assert_eq!(preview["attributes"][0]["value"]["stringValue"], &long[..262_144]);
    assert_eq!(
        preview["cut"],
        json!([
            {"in": "attributes", "key": "gen_ai.prompt", "kind": "string", "bytes": "20000000"},
            {"in": "attributes", "key": "list", "kind": "json", "bytes": "288891"},
            {"in": "events", "index": 0, "key": "k", "kind": "string", "bytes": "500000"},
        ])
    );
    let value = async |query: &str| {
        let answer = ask(&server, &format!("{path}/value?{query}"), &[]).await;
        let status = answer.status().as_u16();
        let media = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let nosniff = answer.headers().contains_key("x-content-type-options");
        assert_eq!(nosniff, status == 200);
        (status, media, answer.bytes().await.unwrap())
    };
    let (status, media, bytes) = value("key=gen_ai.prompt").await;
    assert_eq!(
        (status, media.as_str(), &bytes[..]),
        (200, "text/plain; charset=utf-8", long.as_bytes())
    );
    let (_, media, bytes) = value("key=list").await;
    let list: Vec<u32> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((media.as_str(), list.len()), ("application/json", 50_000));
    assert_eq!(value("in=events&index=0&key=k").await.2.len(), 500_000);
    assert_eq!(
        value("key=raw").await,
        (200, "application/octet-stream".to_owned(), vec![1, 2, 3].into())
    );
    assert_eq!(value("key=page").await.1, "text/plain; charset=utf-8");
    assert_eq!(value("in=resource&key=service.name").await.2, "svc");
    assert_eq!(value("key=none").await.0, 404);
    assert_eq!(value("in=events&index=9&key=k").await.0, 404);
    assert_eq!(value("in=events&key=k").await.0, 400);
    assert_eq!(
        ask(&server, &format!("{path}?preview=1"), &[])
            .await
            .status()
            .as_u16(),
        400
    );
    assert_eq!(
        ask(
            &server,
            &format!("traces/{TRACE}/spans/{:016x}/value?key=a", 2),
            &[]
        )
        .await
        .status()
        .as_u16(),
        404
    );
}
