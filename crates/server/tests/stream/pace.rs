//! Five agent systems at once, at the pace at which they sent, watched by a client whose connection
//! breaks again and again.

use crate::common::{CAPTURES, Server};
use crate::follower::{Event, Follower, request};
use crate::mesh::{self, RedisServer, settled};
use crate::replay::{names, replay};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;

const SYSTEMS: [&str; 4] = ["meshagent", "videosdk", "meshflow", "dexto"];
/// Longer silences are cut to this: between some captures lie minutes.
const SILENCE: Duration = Duration::from_secs(1);

/// When a client sent a capture, seconds since the epoch.
fn sent_at(name: &str) -> f64 {
    let headers = std::fs::read(format!("{CAPTURES}/{name}.headers.json")).unwrap();
    let headers: Value = serde_json::from_slice(&headers).unwrap();
    headers["time"].as_f64().unwrap()
}

/// Sends what a system sent, with its silences.
async fn play(server: &Server, system: &str) {
    let mut captures: Vec<(f64, String)> = names(system, &[""])
        .into_iter()
        .map(|name| (sent_at(&name), name))
        .collect();
    captures.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut before = None;
    for (at, name) in captures {
        let silence = before.map_or(0.0, |before: f64| at - before);
        before = Some(at);
        tokio::time::sleep(Duration::from_secs_f64(silence.max(0.0)).min(SILENCE)).await;
        replay(server, &name).await;
    }
}

/// Writes what the agents of an MCP Mesh wrote, with their silences.
async fn play_mesh(redis: &RedisServer) -> u64 {
    let entries = mesh::capture();
    let at = |entry: &mesh::Fields| {
        let published = entry.iter().find(|(name, _)| name == "published_at");
        published.and_then(|(_, at)| at.parse::<f64>().ok())
    };
    let mut before = None;
    for entry in &entries {
        let silence = at(entry).zip(before).map_or(0.0, |(at, before)| at - before);
        before = at(entry).or(before);
        tokio::time::sleep(Duration::from_secs_f64(silence.max(0.0)).min(SILENCE)).await;
        redis.add("mesh:trace", std::slice::from_ref(entry));
    }
    entries.len() as u64
}

/// What a client was told.
#[derive(Default)]
struct Told {
    /// Every number, of whatever record.
    numbers: BTreeSet<i64>,
    /// Spans by identity as told last, with the number.
    spans: BTreeMap<(String, String), (i64, Value)>,
    logs: usize,
    points: usize,
    reconnects: usize,
}

impl Told {
    fn take(&mut self, delta: &Event) {
        let list = |name: &str| delta.data[name].as_array().cloned().unwrap_or_default();
        let number = |record: &Value| record["sequence"].as_str().unwrap().parse::<i64>().unwrap();
        let last = self.numbers.last().copied().unwrap_or(0);
        let (spans, logs, points) = (list("spans"), list("logs"), list("metric_points"));
        for record in spans.iter().chain(&logs).chain(&points) {
            let number = number(record);
            assert!(number > last, "told after what came later: {number} after {last}");
            assert!(self.numbers.insert(number), "told twice: {record}");
        }
        self.logs += logs.len();
        self.points += points.len();
        for span in spans {
            let text = |name: &str| span[name].as_str().unwrap().to_owned();
            let identity = (text("trace_id"), text("span_id"));
            self.spans.insert(identity, (number(&span), span));
        }
    }
}

/// Follows until `upto`, once it is known, was told; every `breaks` deltas the connection breaks.
async fn follow(
    server: &Server,
    mut cursor: String,
    breaks: usize,
    mut upto: watch::Receiver<Option<i64>>,
) -> Told {
    let mut told = Told::default();
    let mut follower = None;
    let mut deltas = 0;
    loop {
        let reached = |upto: Option<i64>| {
            upto.is_some_and(|upto| told.numbers.last().is_some_and(|last| *last >= upto))
        };
        if reached(*upto.borrow()) {
            return told;
        }
        let mut open = match follower.take() {
            Some(open) => open,
            None => {
                let go_on = request(server, &format!("cursor={cursor}")).send().await.unwrap();
                let (open, from) = Follower::of(go_on).await;
                assert_eq!(from, cursor);
                open
            }
        };
        let event = tokio::select! {
            event = open.next() => event.expect("the stream goes on"),
            changed = upto.changed() => {
                changed.unwrap();
                follower = Some(open);
                continue;
            }
        };
        match event.name.as_str() {
            "delta" => {
                told.take(&event);
                cursor = event.id;
                deltas += 1;
            }
            other => assert_eq!(other, "heartbeat", "{event:?}"),
        }
        if deltas % breaks == 0 {
            drop(open);
            told.reconnects += 1;
        } else {
            follower = Some(open);
        }
    }
}

#[tokio::test]
async fn what_five_systems_send_is_told_once_over_connections_that_break() {
    let redis = RedisServer::start();
    let server = mesh::server(&redis).await;
    let (first, cursor) = Follower::start(&server, "").await;
    let (end, upto) = watch::channel(None);
    let watching = [usize::MAX, 3, 1].map(|breaks| follow(&server, cursor.clone(), breaks, upto.clone()));
    let playing = async {
        let systems = futures_util::future::join_all(SYSTEMS.map(|system| play(&server, system)));
        let (_, entries) = tokio::join!(systems, play_mesh(&redis));
        settled(&server, entries).await;
        let position = Follower::start(&server, "").await.1;
        let last: i64 = position.rsplit('.').next().unwrap().parse().unwrap();
        end.send_replace(Some(last));
    };
    let (told, ()) = tokio::join!(futures_util::future::join_all(watching), playing);
    drop(first);

    let counts = server.get("status").await["counts"].take();
    let of = |name: &str| counts[name].as_str().unwrap().parse::<usize>().unwrap();
    assert!(
        of("spans") > 500 && of("logs") > 30 && of("metric_points") > 10,
        "{counts}"
    );
    let systems: BTreeSet<&str> = told[0]
        .spans
        .values()
        .filter_map(|(_, span)| span["system"].as_str())
        .collect();
    for system in SYSTEMS.iter().chain(&["mcp-mesh"]) {
        assert!(systems.contains(system), "{system}: {systems:?}");
    }
    for one in &told {
        assert_eq!(
            (one.spans.len(), one.logs, one.points),
            (of("spans"), of("logs"), of("metric_points")),
            "after {} reconnects",
            one.reconnects
        );
        // Whatever came in between, all end with the same.
        assert!(one.spans == told[0].spans);
    }
    assert!(told[1].reconnects > 5 && told[2].reconnects > told[1].reconnects);
}
