//! An MCP Mesh's side of a test: its Redis, and what its agents wrote there.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod redis_server;

pub use redis_server::RedisServer;

use super::common::{CAPTURES, Server};
use serde_json::Value;
use std::future::Future;
use std::time::{Duration, Instant};

pub type Fields = Vec<(String, String)>;

/// Long enough for anything that works; only a failure takes it.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The capture's entries, as its agents wrote them.
pub fn capture() -> Vec<Fields> {
    let path = format!("{CAPTURES}/mcp-mesh/mesh_trace_v3.8.0_python.jsonl");
    let text = std::fs::read_to_string(path).expect("the captures stand beside the checkout");
    let fields = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        let fields = entry["fields"].as_object().unwrap().iter();
        fields
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect()
    };
    text.lines().map(fields).collect()
}

pub fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub async fn server(redis: &RedisServer) -> Server {
    let url = redis.url();
    Server::with(|mut args| {
        args.mcp_mesh_redis = Some(url);
        args
    })
    .await
}

/// Waits until every entry was read and acknowledged; the status is the answer.
pub async fn settled(server: &Server, entries: u64) -> Value {
    until("every entry to be kept", || async {
        let mesh = server.get("status").await["mcp_mesh"].take();
        let count = |name: &str| mesh[name].as_str().and_then(|n| n.parse::<u64>().ok());
        let read = count("entries")? + count("rejected")?;
        (read >= entries && count("pending") == Some(0) && mesh["last_entry_id"] == mesh["last_delivered_id"])
            .then_some(mesh)
    })
    .await
}
