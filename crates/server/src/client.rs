//! The HTTP client of the command line: a connection to a server that is kept from request to request.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use meshscope_api::Problem;
use tokio::net::TcpStream;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The endpoint or something else of the request cannot be used.
    #[error("{0}")]
    Request(String),
    /// Nobody is there, or nobody answers.
    #[error("cannot reach {authority}: {reason}")]
    Unreachable { authority: String, reason: String },
    /// The answer ended before its end.
    #[error("the answer broke off: {0}")]
    BrokeOff(hyper::Error),
}

impl From<ClientError> for String {
    fn from(error: ClientError) -> Self {
        error.to_string()
    }
}

/// A client of one server.
pub(crate) struct Client {
    authority: String,
    path: String,
    key: Option<String>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What is sent.
#[derive(Clone, Default)]
pub(crate) struct Post {
    /// Below the server's base URL, with the query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) fn new(endpoint: &str, key: Option<String>) -> Result<Self, ClientError> {
        let rest = endpoint.strip_prefix("http://").ok_or_else(|| {
            ClientError::Request(format!("the endpoint {endpoint:?} must start with http://"))
        })?;
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
    pub(crate) fn another(&self) -> Self {
        Self {
            authority: self.authority.clone(),
            path: self.path.clone(),
            key: self.key.clone(),
            sender: None,
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Response<Incoming>, ClientError> {
        self.get_with(path, Vec::new()).await
    }

    /// The same with headers of one's own.
    pub(crate) async fn get_with(
        &mut self,
        path: &str,
        headers: Vec<(&'static str, String)>,
    ) -> Result<Response<Incoming>, ClientError> {
        let request = Post {
            path: path.to_owned(),
            headers,
            body: Bytes::new(),
        };
        self.send(Method::GET, &request).await
    }

    pub(crate) async fn post(&mut self, post: &Post) -> Result<Response<Incoming>, ClientError> {
        self.send(Method::POST, post).await
    }

    async fn send(&mut self, method: Method, post: &Post) -> Result<Response<Incoming>, ClientError> {
        let cannot = |error: &dyn std::fmt::Display| ClientError::Unreachable {
            authority: self.authority.clone(),
            reason: error.to_string(),
        };
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
            .map_err(|e| ClientError::Request(e.to_string()))?;
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
pub(crate) async fn read(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = response.into_body().collect().await;
    Ok(body.map_err(ClientError::BrokeOff)?.to_bytes())
}

/// What a server says that did not do what it was asked.
pub(crate) fn refusal(status: u16, body: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => problem.detail,
        Err(_) => {
            let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
            format!("the server answered {status} {text}")
        }
    }
}
