//! Posts OTLP bodies and waits for each answer.

use crate::client::{Client, ClientError, Post, read, refusal};
use bytes::Bytes;
use meshscope_telemetry::Signal;
use std::time::Duration;

/// How often a request is tried before the demo gives up.
const TRIES: u32 = 6;

/// Posts to one server.
pub(super) struct Sender {
    client: Client,
    pub(super) spans: usize,
    pub(super) logs: usize,
    pub(super) points: usize,
}

impl Sender {
    pub(super) fn new(endpoint: &str, key: Option<String>) -> Result<Self, String> {
        Ok(Self {
            client: Client::new(endpoint, key)?,
            spans: 0,
            logs: 0,
            points: 0,
        })
    }

    /// Posts a request; tries again while the server is full or not there yet.
    pub(super) async fn post(&mut self, signal: Signal, body: Vec<u8>) -> Result<(), String> {
        let post = Post {
            path: format!("/v1/{}", signal.as_str()),
            headers: vec![("content-type", "application/x-protobuf".to_owned())],
            body: Bytes::from(body),
        };
        let mut last = String::new();
        for attempt in 0..TRIES {
            match self.attempt(&post).await {
                Ok((200, _)) => return Ok(()),
                Ok((503, _)) => "the server is full".clone_into(&mut last),
                Ok((status, answer)) => return Err(refusal(status, &answer)),
                Err(error) => last = error.into(),
            }
            tokio::time::sleep(Duration::from_millis(200 << attempt)).await;
        }
        Err(format!("the demo ends: {last}"))
    }

    async fn attempt(&mut self, post: &Post) -> Result<(u16, Bytes), ClientError> {
        let answer = self.client.post(post).await?;
        Ok((answer.status().as_u16(), read(answer).await?))
    }
}
