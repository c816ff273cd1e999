//! The OpenAPI document says what the server does: every route, and the parameters that each takes.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Server;
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

type Route = (String, String);

/// Method and path of every handler in the source.
fn handlers(dir: &Path, found: &mut BTreeSet<Route>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            handlers(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for attribute in text.split("#[utoipa::path(").skip(1) {
            let (method, rest) = attribute.split_once(',').unwrap();
            let (_, rest) = rest.split_once("path = \"").unwrap();
            let (route, _) = rest.split_once('"').unwrap();
            found.insert((method.trim().to_owned(), route.to_owned()));
        }
    }
}

/// Every operation of the document, with the names of its parameters in the query string.
fn operations(document: &Value) -> Vec<(Route, BTreeSet<String>)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods.iter().map(move |(method, operation)| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let names = parameters
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned());
            ((method.clone(), path.clone()), names.collect())
        })
    });
    operations.collect()
}

#[tokio::test]
async fn every_route_is_in_the_document() {
    let mut handlers_of_source = BTreeSet::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    handlers(&source, &mut handlers_of_source);
    let server = Server::start().await;
    let document = server.get("openapi.json").await;
    let documented: BTreeSet<Route> = operations(&document)
        .into_iter()
        .map(|(route, _)| route)
        .collect();
    assert_eq!(documented, handlers_of_source);
    for path in [
        "sessions/{session_id}/events",
        "usage/latency",
        "budgets",
        "stream",
    ] {
        let route = ("get".to_owned(), format!("/api/v1/{path}"));
        assert!(documented.contains(&route), "{path}");
    }
}

/// The parameter that a route says there is not, and those that it says there are.
async fn refuses(server: &Server, (method, path): &Route, query: &str) -> Option<(String, BTreeSet<String>)> {
    // Identities that are well formed and of nothing.
    let path = [
        ("{trace_id}", "1".repeat(32)),
        ("{recording_id}", "1".repeat(32)),
        ("{span_id}", "1".repeat(16)),
        ("{session_id}", "s".to_owned()),
        ("{name}", "n".to_owned()),
        ("{id}", "1".to_owned()),
    ]
    .iter()
    .fold(path.clone(), |path, (name, value)| path.replace(name, value));
    assert!(!path.contains('{'), "{path}");
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    let request = server
        .client
        .request(method, format!("{}{path}?{query}", server.api))
        // A body that nothing but a recording can be made of.
        .header("content-type", "audio/wav")
        .header("upload-offset", "0");
    let answer = request.send().await.unwrap();
    assert_ne!(answer.status().as_u16(), 405, "{path}");
    if answer.status().as_u16() != 400 {
        return None;
    }
    let problem: Value = answer.json().await.unwrap();
    let detail = problem["detail"].as_str().unwrap();
    let (_, known) = detail
        .strip_prefix("there is no parameter")?
        .split_once("there are ")?;
    let known = known.split(", ").map(str::to_owned).collect();
    Some((problem["parameter"].as_str().unwrap().to_owned(), known))
}

#[tokio::test]
async fn every_route_takes_the_parameters_that_the_document_names_and_no_others() {
    let server = Server::start().await;
    let operations = operations(&server.get("openapi.json").await);
    let all: BTreeSet<&String> = operations.iter().flat_map(|(_, names)| names).collect();
    assert!(all.len() > 40, "{all:?}");
    let mut checked = 0;
    for (route, names) in &operations {
        // The doors take what they do not know, as OTLP's do, and an answer to HEAD has no words.
        if route.1.starts_with("/api/v1/developer/") || route.0 == "head" {
            continue;
        }
        // An empty value is none.
        let query: Vec<String> = names.iter().map(|name| format!("{name}=")).collect();
        assert_eq!(refuses(&server, route, &query.join("&")).await, None, "{route:?}");
        let Some((_, known)) = refuses(&server, route, "no-such=1").await else {
            assert!(names.is_empty(), "{route:?} takes anything");
            continue;
        };
        assert!(known.is_subset(names), "{route:?}: {known:?}");
        for other in all.iter().filter(|name| !names.contains(**name)) {
            let refused = refuses(&server, route, &format!("{other}=1")).await;
            let refused = refused.as_ref().map(|(name, _)| name);
            assert_eq!(refused, Some(*other), "{route:?} is not documented to take it");
        }
        checked += 1;
    }
    assert!(checked > 25, "{checked}");
}
