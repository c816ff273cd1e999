//! Errors: RFC 9457 problem documents, media type `application/problem+json`.

use serde::{Deserialize, Serialize};

/// A problem document (<https://www.rfc-editor.org/rfc/rfc9457>).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// What kind of problem, for example `urn:meshscope:problem:invalid-parameter`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong this time and what would be right.
    pub detail: String,
    /// The parameter or field that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
}

impl Problem {
    /// Media type of the JSON form.
    pub const MEDIA_TYPE: &str = "application/problem+json";

    fn new(slug: &str, title: &str, status: u16, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:meshscope:problem:{slug}"),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            parameter: None,
        }
    }

    /// 400: the parameter `name` cannot be used; `detail` says what would be right.
    pub fn invalid_parameter(name: &str, detail: impl Into<String>) -> Self {
        let problem = Self::new("invalid-parameter", "A parameter is not valid", 400, detail);
        Self {
            parameter: Some(name.to_owned()),
            ..problem
        }
    }

    /// 400: the body cannot be decoded.
    pub fn invalid_body(detail: impl Into<String>) -> Self {
        Self::new("invalid-body", "The body cannot be decoded", 400, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new("not-found", "Not found", 404, detail)
    }

    /// 405: the path does not take this method.
    pub fn method_not_allowed(detail: impl Into<String>) -> Self {
        Self::new("method-not-allowed", "Method not allowed", 405, detail)
    }

    /// 406: none of the accepted media types can be served.
    pub fn not_acceptable(detail: impl Into<String>) -> Self {
        Self::new("not-acceptable", "Not acceptable", 406, detail)
    }

    /// 409: it does not stand as the request takes it to.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new("conflict", "It stands otherwise", 409, detail)
    }

    /// 413: the body is larger than the limit.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new("too-large", "The body is too large", 413, detail)
    }

    /// 415: the content type or encoding is not one this path takes.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(
            "unsupported-media-type",
            "Unsupported content type or encoding",
            415,
            detail,
        )
    }

    /// 422: there is more than one answer can be made of; `detail` says how to get at it.
    pub fn too_much(detail: impl Into<String>) -> Self {
        Self::new("too-much", "There is too much for one answer", 422, detail)
    }

    /// 503: the server takes nothing more for the moment; try again later.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new("unavailable", "Temporarily unavailable", 503, detail)
    }

    /// 503: a query took longer than it may; `detail` says how to ask for less.
    pub fn timeout(detail: impl Into<String>) -> Self {
        Self::new("timeout", "The query took too long", 503, detail)
    }

    /// 500: the server failed; `detail` says at what.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new("internal", "The server failed", 500, detail)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl std::error::Error for Problem {}
