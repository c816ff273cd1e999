//! Asking the server's API.

use super::Ended;
use crate::client::{Client, Post, read, refusal};
use bytes::Bytes;
use hyper::Response;
use hyper::body::Incoming;
use meshscope_api::Problem;
use serde::de::DeserializeOwned;

/// Which server.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Server {
    /// The server's API.
    #[arg(
        long,
        env = "MESHSCOPE_ENDPOINT",
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:4319"
    )]
    pub(super) endpoint: String,
    /// Key, for a server that asks for one.
    #[arg(long, env = "MESHSCOPE_KEY", global = true, hide_env_values = true)]
    key: Option<String>,
}

/// A connection to ask over.
pub(super) struct Ask(Client);

impl Server {
    pub(super) fn ask(&self) -> Result<Ask, Ended> {
        Ok(Ask(Client::new(&self.endpoint, self.key.clone())?))
    }
}

impl Ask {
    /// Another connection to the same server.
    pub(super) fn another(&self) -> Self {
        Self(self.0.another())
    }

    /// An answer in JSON; `path` stands below `/api/v1/`.
    pub(super) async fn json<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Ended> {
        let body = self.bytes(path, "application/json").await?;
        decode(&body)
    }

    /// The body of an answer of a media type.
    pub(super) async fn bytes(&mut self, path: &str, media_type: &str) -> Result<Bytes, Ended> {
        Ok(read(self.open(path, media_type).await?).await?)
    }

    /// An answer whose body is read as it comes.
    pub(super) async fn open(&mut self, path: &str, media_type: &str) -> Result<Response<Incoming>, Ended> {
        let accept = vec![("accept", media_type.to_owned())];
        let answer = self.0.get_with(&format!("/api/v1/{path}"), accept).await?;
        match answer.status().as_u16() {
            200 => Ok(answer),
            status => Err(match refused(status, &read(answer).await?) {
                // A list is always there, if only empty; one thing of it may not be.
                Ended::Nothing(said) if !path.split('?').next().unwrap_or_default().contains('/') => {
                    Ended::Server(format!("{said} (is --endpoint the server's API?)"))
                }
                ended => ended,
            }),
        }
    }

    /// Posts JSON; the status and body of the answer.
    pub(super) async fn post(&mut self, path: &str, json: Bytes) -> Result<(u16, Bytes), Ended> {
        let post = Post {
            path: format!("/api/v1/{path}"),
            headers: vec![("content-type", "application/json".to_owned())],
            body: json,
        };
        let answer = self.0.post(&post).await?;
        Ok((answer.status().as_u16(), read(answer).await?))
    }
}

/// Reads an answer in JSON.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Ended> {
    serde_json::from_slice(body)
        .map_err(|error| Ended::Server(format!("the server's answer cannot be read: {error}")))
}

/// What an answer that is no success means.
pub(super) fn refused(status: u16, body: &[u8]) -> Ended {
    let said = refusal(status, body);
    match (status, serde_json::from_slice::<Problem>(body)) {
        (404, Ok(_)) => Ended::Nothing(said),
        (
            400,
            Ok(Problem {
                parameter: Some(name),
                ..
            }),
        ) => Ended::Usage(format!("{name}: {said}")),
        (400, _) => Ended::Usage(said),
        (401, _) => Ended::Server(format!("{said} (--key, or MESHSCOPE_KEY)")),
        _ => Ended::Server(said),
    }
}
