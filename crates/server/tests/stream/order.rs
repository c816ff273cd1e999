//! Every record once and in order, whatever happens to the connection.

use crate::common::{Server, span, traces};
use crate::follower::{Follower, names, records, request};
use crate::{gauge, keep, log, logs, restart};
use meshscope_server::config::ServeArgs;
use serde_json::json;
use std::collections::BTreeMap;

const SENDERS: u64 = 4;
const REQUESTS: u64 = 30;
const SPANS: u64 = 20;

/// Sends from several senders at a time, each request twice: the second time nothing is new.
async fn send(server: &Server) {
    let senders = (0..SENDERS).map(|sender| async move {
        for request in 0..REQUESTS {
            let first = (sender * REQUESTS + request) * SPANS + 1;
            let spans: Vec<_> = (first..first + SPANS).map(|id| span(id, &json!({}))).collect();
            let record = log(&format!("log {first}"), &json!({}));
            for _ in 0..2 {
                keep(server, "/v1/traces", &traces(&spans)).await;
                keep(server, "/v1/logs", &logs("svc", std::slice::from_ref(&record))).await;
                keep(server, "/v1/metrics", &gauge("g", first, 1.0)).await;
            }
        }
    });
    futures_util::future::join_all(senders).await;
}

/// Follows with a connection that breaks after every few deltas, until every record was told.
async fn follow(server: &Server, mut cursor: String, mut dice: u64) -> BTreeMap<i64, String> {
    let wanted = (SENDERS * REQUESTS * (SPANS + 2)) as usize;
    let mut told = BTreeMap::new();
    while told.len() < wanted {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let go_on = match dice >> 63 {
            0 => request(server, &format!("cursor={cursor}")),
            _ => request(server, "cursor=0.0").header("last-event-id", &cursor),
        };
        let (mut follower, from) = Follower::of(go_on.send().await.unwrap()).await;
        assert_eq!(from, cursor);
        for _ in 0..=(dice >> 40) % 12 {
            let delta = follower.delta().await;
            for (sequence, name) in records(&delta.data) {
                assert!(told.last_key_value().is_none_or(|(last, _)| *last < sequence));
                told.insert(sequence, name);
            }
            cursor = delta.id;
            assert_eq!(delta.data["cursor"], cursor);
            if told.len() >= wanted {
                break;
            }
        }
    }
    told
}

#[tokio::test]
async fn reconnects_at_any_cursor_miss_nothing_and_double_nothing() {
    // A small ring, so that some of it comes out of the store.
    for buffer in [0, 64] {
        let server = Server::with(|args| ServeArgs {
            stream_buffer_mib: Some(buffer),
            ..args
        })
        .await;
        let (first, cursor) = Follower::start(&server, "").await;
        let followers = (1..=3).map(|dice| follow(&server, cursor.clone(), dice * 77));
        let (told, ()) = tokio::join!(futures_util::future::join_all(followers), send(&server));
        drop(first);
        for told in told {
            let last = *told.last_key_value().unwrap().0;
            assert_eq!(last, told.len() as i64, "numbers without a hole");
            let spans = told.values().filter(|name| name.starts_with("work "));
            let ids: std::collections::BTreeSet<&String> = spans.collect();
            assert_eq!(ids.len() as u64, SENDERS * REQUESTS * SPANS);
        }
        // From the very first record, long after.
        let start = format!("{}.0", cursor.split('.').next().unwrap());
        assert_eq!(
            follow(&server, start, 5).await.len() as u64,
            SENDERS * REQUESTS * (SPANS + 2)
        );
    }
}

#[tokio::test]
async fn a_span_that_changed_comes_again_and_one_that_was_repeated_does_not() {
    let server = Server::start().await;
    let (mut live, start) = Follower::start(&server, "").await;
    let begun = span(1, &json!({"endTimeUnixNano": "0"}));
    keep(&server, "/v1/traces", &traces(std::slice::from_ref(&begun))).await;
    let delta = live.delta().await.data;
    assert_eq!(delta["spans"][0].get("duration_ns"), None);
    assert_eq!(delta["spans"][0]["status"], "unset");
    assert_eq!(delta["traces"][0]["trace_id"], delta["spans"][0]["trace_id"]);
    keep(&server, "/v1/traces", &traces(&[begun])).await;
    let error = json!({"code": 2, "message": "no"});
    let ended = traces(&[span(1, &json!({"status": error})), span(2, &json!({}))]);
    keep(&server, "/v1/traces", &ended).await;
    let delta = live.delta().await.data;
    let spans = delta["spans"].as_array().unwrap();
    let by_name = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap();
    assert_eq!(spans.len(), 2);
    let changed = by_name("work 1");
    assert_eq!(
        (&changed["duration_ns"], &changed["status"], &changed["error"]),
        (&json!("1000000000"), &json!("error"), &json!("no"))
    );
    // Out of the store, once nobody follows any more: the span as it stands, once.
    drop(live);
    while server.get("status").await["live"]["subscribers"] != 0 {
        tokio::task::yield_now().await;
    }
    let (mut later, _) = Follower::start(&server, &format!("cursor={start}")).await;
    let delta = later.delta().await.data;
    let mut told = names(&delta);
    told.sort();
    assert_eq!(told, ["work 1", "work 2"]);
    let kept = delta["spans"].as_array().unwrap();
    assert!(
        kept.contains(changed),
        "{kept:?} is what was told live: {changed}"
    );
}

#[tokio::test]
async fn a_cursor_outlives_the_server_and_one_of_another_store_is_told() {
    let server = Server::start().await;
    let (follower, before) = Follower::start(&server, "").await;
    keep(
        &server,
        "/v1/traces",
        &traces(&[span(1, &json!({})), span(2, &json!({}))]),
    )
    .await;
    drop(follower);
    let server = restart(server, |_| {}).await;
    keep(
        &server,
        "/v1/traces",
        &traces(&[span(2, &json!({})), span(3, &json!({}))]),
    )
    .await;
    let (mut follower, _) = Follower::start(&server, &format!("cursor={before}")).await;
    let mut told = Vec::new();
    while told.len() < 3 {
        told.extend(names(&follower.delta().await.data));
    }
    assert_eq!(told, ["work 1", "work 2", "work 3"]);

    let other = request(&server, "").header("last-event-id", "ffff.7");
    let (mut follower, now) = Follower::of(other.send().await.unwrap()).await;
    let gap = follower.next().await.unwrap();
    assert_eq!((gap.name.as_str(), &gap.id), ("gap", &now));
    assert_eq!(
        gap.data,
        json!({"from": "ffff.7", "to": now, "reason": "unknown_cursor"})
    );
    // One from a future that is gone, as after a backup was put back.
    let ahead = format!("cursor={now}99");
    let (mut follower, _) = Follower::start(&server, &ahead).await;
    assert_eq!(follower.next().await.unwrap().data["reason"], "unknown_cursor");
    keep(&server, "/v1/traces", &traces(&[span(4, &json!({}))])).await;
    assert_eq!(names(&follower.delta().await.data), ["work 4"]);
}

#[tokio::test]
async fn what_retention_removed_is_a_gap() {
    let server = Server::start().await;
    let (follower, before) = Follower::start(&server, "").await;
    for id in 1..=5 {
        keep(&server, "/v1/traces", &traces(&[span(id, &json!({}))])).await;
    }
    drop(follower);
    let server = restart(server, |dir| {
        let connection = duckdb::Connection::open(dir.join("meshscope.duckdb")).unwrap();
        let remove = "DELETE FROM spans WHERE sequence <= 3; INSERT INTO meta VALUES ('removed', '3')";
        connection.execute_batch(remove).unwrap();
    })
    .await;
    let (mut follower, _) = Follower::start(&server, &format!("cursor={before}")).await;
    let gap = follower.next().await.unwrap();
    assert_eq!(
        (gap.name.as_str(), &gap.data["reason"]),
        ("gap", &json!("retention"))
    );
    assert_eq!(gap.data["from"], before);
    assert_eq!(names(&follower.delta().await.data), ["work 4", "work 5"]);
    let (mut follower, _) = Follower::start(&server, &format!("cursor={}", gap.id)).await;
    assert_eq!(names(&follower.delta().await.data), ["work 4", "work 5"]);
}

#[tokio::test]
async fn streams_end_with_the_server() {
    let server = Server::start().await;
    let (mut follower, start) = Follower::start(&server, "").await;
    let stop = tokio::spawn(server.running.unwrap().stop());
    let end = follower.next().await.unwrap();
    assert_eq!((end.name.as_str(), end.id), ("end", start));
    assert!(follower.next().await.is_none());
    stop.await.unwrap().unwrap();
}
