//! A keep-alive HTTP/1.1 connection that posts OTLP bodies and waits for each answer.

use meshscope_telemetry::Signal;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// How often a request is tried before the demo gives up.
const TRIES: u32 = 6;

/// Posts to one server.
pub(super) struct Sender {
    authority: String,
    path: String,
    key: Option<String>,
    connection: Option<BufReader<TcpStream>>,
    pub(super) spans: usize,
    pub(super) logs: usize,
    pub(super) points: usize,
}

impl Sender {
    pub(super) fn new(endpoint: &str, key: Option<String>) -> Result<Self, String> {
        let rest = endpoint
            .strip_prefix("http://")
            .ok_or_else(|| format!("the endpoint {endpoint:?} must start with http://"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = if authority.contains(':') {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self {
            authority,
            path,
            key,
            connection: None,
            spans: 0,
            logs: 0,
            points: 0,
        })
    }

    /// Posts a request; tries again while the server is full or not there yet.
    pub(super) async fn post(&mut self, signal: Signal, body: &[u8]) -> Result<(), String> {
        let mut last = String::new();
        for attempt in 0..TRIES {
            match self.attempt(signal, body).await {
                Ok((200, _)) => return Ok(()),
                Ok((503, _)) => "the server is full".clone_into(&mut last),
                Ok((status, answer)) => {
                    return Err(format!("{} answered {status}: {answer}", self.authority));
                }
                Err(error) => {
                    self.connection = None;
                    last = error.to_string();
                }
            }
            tokio::time::sleep(Duration::from_millis(200 << attempt)).await;
        }
        Err(format!("cannot send to {}: {last}", self.authority))
    }

    async fn attempt(&mut self, signal: Signal, body: &[u8]) -> std::io::Result<(u16, String)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect(&self.authority).await?),
        };
        let prefix = if self.path.is_empty() {
            String::new()
        } else {
            format!("/{}", self.path)
        };
        let mut head = format!(
            "POST {prefix}/v1/{} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n",
            signal.as_str(),
            self.authority,
            body.len()
        );
        if let Some(key) = &self.key {
            head.push_str(&format!("authorization: Bearer {key}\r\n"));
        }
        head.push_str("\r\n");
        connection.get_mut().write_all(head.as_bytes()).await?;
        connection.get_mut().write_all(body).await?;
        let answer = read_answer(&mut connection).await?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

/// Status and body of an answer with a content length.
async fn read_answer(connection: &mut BufReader<TcpStream>) -> std::io::Result<(u16, String)> {
    let broken = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    connection.read_line(&mut line).await?;
    let status = line
        .split_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| broken("the answer has no status"))?;
    let mut length = 0;
    loop {
        line.clear();
        connection.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value
                .trim()
                .parse()
                .map_err(|_| broken("the answer's content-length is no number"))?;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
