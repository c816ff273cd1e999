//! A connection to a server that is kept from request to request.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use meshscope_api::Problem;
use tokio::net::TcpStream;

/// A client of one server.
pub(super) struct Client {
    authority: String,
    path: String,
    key: Option<String>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What is sent.
#[derive(Clone, Default)]
pub(super) struct Post {
    /// Below the server's base URL, with the query.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Client {
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
        let path = path.trim_end_matches('/');
        Ok(Self {
            authority,
            path: if path.is_empty() {
                String::new()
            } else {
                format!("/{path}")
            },
            key,
            sender: None,
        })
    }

    /// Another client of the same server.
    pub(super) fn another(&self) -> Self {
        Self {
            authority: self.authority.clone(),
            path: self.path.clone(),
            key: self.key.clone(),
            sender: None,
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Response<Incoming>, String> {
        let post = Post {
            path: path.to_owned(),
            ..Post::default()
        };
        self.send(Method::GET, &post).await
    }

    pub(super) async fn post(&mut self, post: &Post) -> Result<Response<Incoming>, String> {
        self.send(Method::POST, post).await
    }

    async fn send(&mut self, method: Method, post: &Post) -> Result<Response<Incoming>, String> {
        let cannot = |error: &dyn std::fmt::Display| format!("cannot reach {}: {error}", self.authority);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{}", self.path, post.path))
            .header(header::HOST, &self.authority);
        for (name, value) in &post.headers {
            request = request.header(*name, value);
        }
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request
            .body(Full::new(post.body.clone()))
            .map_err(|e| e.to_string())?;
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => {
                let stream = TcpStream::connect(&self.authority)
                    .await
                    .map_err(|e| cannot(&e))?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream))
                    .await
                    .map_err(|e| cannot(&e))?;
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a connection to the server ended");
                    }
                });
                sender
            }
        };
        sender.ready().await.map_err(|e| cannot(&e))?;
        let response = sender.send_request(request).await.map_err(|e| cannot(&e))?;
        self.sender = Some(sender);
        Ok(response)
    }
}

/// The body of an answer.
pub(super) async fn read(response: Response<Incoming>) -> Result<Bytes, String> {
    let body = response.into_body().collect().await;
    Ok(body
        .map_err(|error| format!("the answer broke off: {error}"))?
        .to_bytes())
}

/// What a server says that did not do what it was asked.
pub(super) fn refusal(status: u16, body: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => problem.detail,
        Err(_) => {
            let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
            format!("the server answered {status} {text}")
        }
    }
}
