//! The studio's files: from within the binary, or from a directory.

use crate::api;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use meshscope_api::Problem;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::path::PathBuf;

#[cfg(feature = "embed-studio")]
#[derive(rust_embed::RustEmbed)]
#[folder = "../../dist"]
struct Embedded;

/// What `/` answers when there is no studio.
const NO_STUDIO: &str = "This server was built without the studio. Build it with `cargo xtask build`, or name its \
                         files with --studio-dir.\nThe API is at /api/v1, its description at /api/v1/openapi.json.\n";

/// Where the files are.
#[derive(Debug, Clone)]
pub(crate) struct Studio {
    dir: Option<PathBuf>,
    policy: Option<HeaderValue>,
}

impl Studio {
    /// The studio in `dir`, else the one in the binary, if any.
    pub(crate) fn new(dir: Option<PathBuf>) -> Self {
        let mut studio = Self { dir, policy: None };
        let index = studio.file("index.html").unwrap_or_default();
        studio.policy = HeaderValue::from_str(&policy(&String::from_utf8_lossy(&index))).ok();
        studio
    }

    fn file(&self, name: &str) -> Option<Cow<'static, [u8]>> {
        // Names are flat, as trunk makes them; nothing else is looked for.
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
        if !plain {
            return None;
        }
        match &self.dir {
            Some(dir) => std::fs::read(dir.join(name)).ok().map(Cow::Owned),
            None => embedded(name),
        }
    }

    /// Answers a GET: a file, or the studio's page for a path of the studio's own.
    pub(crate) fn serve(&self, request: &Request) -> Response {
        let name = request.uri().path().trim_start_matches('/');
        if name.starts_with("api/") || name == "api" {
            let detail = format!(
                "there is no {:?} in the API: see /api/v1/openapi.json",
                request.uri().path()
            );
            return api::problem(&Problem::not_found(detail));
        }
        let is_file = name.rsplit('/').next().is_some_and(|last| last.contains('.')) && !is_page(name);
        let name = if is_file { name } else { "index.html" };
        match self.variant(name, request.headers()) {
            Some((bytes, coding)) => self.answer(name, bytes, coding, request.headers()),
            None if is_file => api::problem(&Problem::not_found(format!("there is no file {name:?}"))),
            None => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], NO_STUDIO).into_response(),
        }
    }

    /// The smallest variant that the client takes.
    fn variant(&self, name: &str, headers: &HeaderMap) -> Option<(Cow<'static, [u8]>, Option<&'static str>)> {
        let accepted = headers
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        for (coding, suffix) in [("br", ".br"), ("gzip", ".gz")] {
            let takes = accepted.split(',').any(|item| {
                let mut parts = item.trim().split(';');
                parts.next() == Some(coding) && !parts.any(|part| matches!(part.trim(), "q=0" | "q=0.0"))
            });
            if takes && let Some(bytes) = self.file(&format!("{name}{suffix}")) {
                return Some((bytes, Some(coding)));
            }
        }
        self.file(name).map(|bytes| (bytes, None))
    }

    fn answer(
        &self,
        name: &str,
        bytes: Cow<'static, [u8]>,
        coding: Option<&'static str>,
        headers: &HeaderMap,
    ) -> Response {
        let hash = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&Sha256::digest(&bytes)[..12]);
        let tag = format!("\"{hash}\"");
        let page = name == "index.html";
        // Every other name carries a hash of its content.
        let cache = if page {
            "no-cache"
        } else {
            "public, max-age=31536000, immutable"
        };
        let mut response = if headers
            .get(header::IF_NONE_MATCH)
            .is_some_and(|shown| shown.as_bytes() == tag.as_bytes())
        {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            bytes.into_owned().into_response()
        };
        let into = response.headers_mut();
        into.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
        into.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        into.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        into.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        into.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            into.insert(header::ETAG, tag);
        }
        if let Some(coding) = coding {
            into.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        if let Some(policy) = self.policy.clone().filter(|_| page) {
            into.insert(HeaderName::from_static("content-security-policy"), policy);
        }
        response
    }
}

/// Pages whose ids may hold a dot; a name with a dot anywhere else is a file.
fn is_page(path: &str) -> bool {
    ["sessions/", "traces/", "metrics/"]
        .iter()
        .any(|page| path.starts_with(page))
}

#[cfg(feature = "embed-studio")]
fn embedded(name: &str) -> Option<Cow<'static, [u8]>> {
    Embedded::get(name).map(|file| file.data)
}

#[cfg(not(feature = "embed-studio"))]
fn embedded(_name: &str) -> Option<Cow<'static, [u8]>> {
    None
}

/// A policy that runs the studio's own code only. The page's inline script, which trunk writes
/// to start the wasm, is allowed by its hash.
fn policy(index: &str) -> String {
    let mut hashes = String::new();
    let mut rest = index;
    while let Some((_, after)) = rest.split_once("<script") {
        let Some((attributes, body)) = after.split_once('>') else {
            break;
        };
        let Some((script, after)) = body.split_once("</script>") else {
            break;
        };
        if !attributes.contains("src=") {
            let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script.as_bytes()));
            hashes.push_str(&format!(" 'sha256-{hash}'"));
        }
        rest = after;
    }
    // A recording may be elsewhere; it is loaded when somebody plays it.
    format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'{hashes}; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data: blob:; media-src 'self' data: blob: http: https:; connect-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'"
    )
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "woff2" => "font/woff2",
        "png" => "image/png",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn get(studio: &Studio, path: &str, accept: &str) -> Response {
        let request = Request::builder()
            .uri(path)
            .header("accept-encoding", accept)
            .body(Body::empty())
            .unwrap();
        studio.serve(&request)
    }

    fn studio() -> (tempfile::TempDir, Studio) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            (
                "index.html",
                "<html><script type=\"module\">start()</script></html>",
            ),
            ("a-12.wasm", "wasm"),
            ("a-12.wasm.br", "brotli"),
            ("a-12.wasm.gz", "gzip"),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let studio = Studio::new(Some(dir.path().to_owned()));
        (dir, studio)
    }

    #[test]
    fn files_come_precompressed_and_cached_and_pages_do_not() {
        let (_dir, studio) = studio();
        let header = |response: &Response, name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
                .unwrap_or_default()
        };
        let file = get(&studio, "/a-12.wasm", "gzip, br;q=0.9");
        assert_eq!(
            (header(&file, "content-encoding"), header(&file, "content-type")),
            ("br".into(), "application/wasm".into())
        );
        assert!(header(&file, "cache-control").contains("immutable"));
        assert_eq!(
            header(&get(&studio, "/a-12.wasm", "gzip, br;q=0"), "content-encoding"),
            "gzip"
        );
        assert_eq!(header(&get(&studio, "/a-12.wasm", ""), "content-encoding"), "");
        let page = get(&studio, "/sessions/a.b%2Fc", "br");
        assert_eq!(
            (page.status().as_u16(), header(&page, "cache-control")),
            (200, "no-cache".into())
        );
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(b"start()"));
        assert!(header(&page, "content-security-policy").contains(&format!("'sha256-{hash}'")));
        for missing in ["/b.js", "/api/v2/x", "/../Cargo.toml", "/.stamp"] {
            assert_eq!(get(&studio, missing, "").status().as_u16(), 404, "{missing}");
        }
    }
}
