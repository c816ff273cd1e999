//! Where a stream starts: so many records back, or at a past moment.

use crate::common::Server;
use crate::follower::{Follower, names, request};
use crate::{keep, log, logs};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

async fn told(server: &Server, query: &str) -> Vec<String> {
    let (mut follower, _) = Follower::start(server, query).await;
    let mut told = Vec::new();
    loop {
        let event = follower.next().await.unwrap();
        match event.name.as_str() {
            "delta" => told.extend(names(&event.data)),
            "heartbeat" => return told,
            other => panic!("{other}: {event:?}"),
        }
    }
}

#[tokio::test]
async fn it_goes_back_as_far_as_asked_and_says_when_it_has_caught_up() {
    let server = Server::start().await;
    let send = async |names: [&str; 2]| {
        let records = names.map(|name| log(name, &json!({})));
        keep(&server, "/v1/logs", &logs("svc", &records)).await;
    };
    send(["one", "two"]).await;
    let between = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    send(["three", "four"]).await;
    assert_eq!(told(&server, "last=3").await, ["two", "three", "four"]);
    assert_eq!(told(&server, "last=900").await, ["one", "two", "three", "four"]);
    assert_eq!(
        told(&server, &format!("since={between}")).await,
        ["three", "four"]
    );
    assert_eq!(
        told(&server, "since=2020-01-01T00:00:00Z").await,
        ["one", "two", "three", "four"]
    );
    // A moment to come starts at now, and a cursor goes before all else.
    let (mut follower, start) = Follower::start(&server, "since=2200-01-01T00:00:00Z").await;
    send(["five", "six"]).await;
    assert_eq!(names(&follower.delta().await.data), ["five", "six"]);
    assert_eq!(
        told(&server, &format!("cursor={start}&since=0&last=1")).await,
        ["five", "six"]
    );
    let refused = request(&server, "last=many").send().await.unwrap();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn what_was_answered_is_told_before_it_says_that_it_has_caught_up() {
    let server = Server::start().await;
    // With somebody there the hub takes a moment to make a commit ready, and the answer does not wait for it.
    let _there = Follower::start(&server, "").await;
    for request in 0..10 {
        let records: Vec<_> = (0..3_000)
            .map(|n| log(&format!("log {request} {n}"), &json!({"flags": n})))
            .collect();
        keep(&server, "/v1/logs", &logs("svc", &records)).await;
        assert_eq!(
            told(&server, "last=2").await,
            [format!("log {request} 2998"), format!("log {request} 2999")]
        );
    }
}
