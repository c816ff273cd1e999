//! The API's answers against what a system's users expect.

use super::systems::{Answer, Session, System, Tokens};
use crate::command::Result;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What the server shows of a system, for the table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    pub(super) sessions: u64,
    pub(super) spans: u64,
    pub(super) logs: u64,
    pub(super) tokens: u64,
}

/// How long what a client sent may take to show; all but Redis is there when the client ends.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until all is as expected, or long enough; the error names every difference.
pub(super) fn wait(api: &str, system: &System, ids: &[String]) -> Result<Figures> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (figures, wrong) = look(api, system, ids)?;
        if wrong.is_empty() {
            return Ok(figures);
        }
        if Instant::now() > deadline {
            return Err(wrong.join("\n  "));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn get(api: &str, path: &str) -> Result<Value> {
    let url = format!("{api}{path}");
    let failed = |error: &dyn std::fmt::Display| format!("GET {url}: {error}");
    let mut answer = ureq::get(&url).call().map_err(|error| failed(&error))?;
    let body = answer
        .body_mut()
        .read_to_string()
        .map_err(|error| failed(&error))?;
    serde_json::from_str(&body).map_err(|error| failed(&error))
}

/// The list under a key of an answer.
fn list<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A number, which the API gives as a string where it has 64 bits.
fn number(value: &Value, key: &str) -> Option<u64> {
    let value = value.get(key)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn look(api: &str, system: &System, ids: &[String]) -> Result<(Figures, Vec<String>)> {
    let everything = "project=*&from=0&limit=1000";
    let answer = get(api, &format!("/api/v1/sessions?{everything}"))?;
    let found = list(&answer, "sessions");
    let mut wrong = Differences::default();
    let names: BTreeSet<_> = found
        .iter()
        .filter_map(|session| text(session, "session_id"))
        .collect();
    wrong.unless_equal("session ids", &names, &ids.iter().map(String::as_str).collect());
    for (id, expected) in ids.iter().zip(system.sessions) {
        let Some(session) = found
            .iter()
            .find(|session| text(session, "session_id") == Some(id))
        else {
            continue;
        };
        wrong.within = format!("session {id}");
        compare(session, system, expected, &mut wrong);
        let spans = spans(api, id)?;
        compare_spans(&spans, expected, &mut wrong);
        if expected.calls.is_some() {
            let usage = get(api, &format!("/api/v1/usage?{everything}&session={id}"))?;
            let calls = usage
                .pointer("/totals")
                .and_then(|totals| number(totals, "calls"));
            wrong.unless_equal("calls", &calls, &expected.calls);
        }
    }
    wrong.within = "the server".to_owned();
    let sum = |key| found.iter().filter_map(|session| number(session, key)).sum();
    let tokens = |session: &&Value| session.get("tokens").and_then(|tokens| number(tokens, "total"));
    let figures = Figures {
        sessions: found.len() as u64,
        spans: sum("spans"),
        logs: sum("logs"),
        tokens: found.iter().filter_map(|session| tokens(&session)).sum(),
    };
    let usage = get(api, &format!("/api/v1/usage?{everything}"))?;
    let total = usage
        .pointer("/totals/tokens")
        .and_then(|tokens| number(tokens, "total"));
    wrong.unless_equal("tokens of all usage", &total.unwrap_or_default(), &figures.tokens);
    for Answer { path, pointer, is } in system.answers {
        let found = get(api, path)?.pointer(pointer).map(Value::to_string);
        wrong.unless_equal(&format!("{path} {pointer}"), &found.as_deref(), &Some(*is));
    }
    let status = get(api, "/api/v1/status")?;
    for problem in list(&status, "problems") {
        wrong.add(&format!("reports the problem {problem}"));
    }
    Ok((figures, wrong.found))
}

/// Every span of a session, with what it means.
fn spans(api: &str, session: &str) -> Result<Vec<Value>> {
    let traces = get(
        api,
        &format!("/api/v1/traces?project=*&from=0&limit=1000&session={session}"),
    )?;
    let mut spans = Vec::new();
    for id in list(&traces, "traces")
        .iter()
        .filter_map(|trace| text(trace, "trace_id"))
    {
        spans.extend_from_slice(list(&get(api, &format!("/api/v1/traces/{id}"))?, "spans"));
    }
    Ok(spans)
}

fn compare(session: &Value, system: &System, expected: &Session, wrong: &mut Differences) {
    let words = |key| {
        list(session, key)
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
    };
    wrong.unless_equal("system", &text(session, "system"), &Some(system.name));
    if expected.title.is_some() {
        wrong.unless_equal("title", &text(session, "title"), &expected.title);
    }
    wrong.unless_equal("project", &text(session, "project"), &Some(expected.project));
    wrong.unless_equal("room", &text(session, "room"), &expected.room);
    wrong.unless_equal("agents", &words("agents").as_slice(), &expected.agents);
    wrong.unless_equal("models", &words("models").as_slice(), &expected.models);
    for (key, count) in [
        ("blocked", expected.blocked),
        ("interrupted", expected.interrupted),
        ("spans", expected.spans),
        ("unpriced_calls", 0),
    ] {
        wrong.unless_equal(key, &number(session, key), &Some(count));
    }
    let logs = number(session, "logs").unwrap_or_default();
    if logs < expected.logs_at_least {
        wrong.add(&format!(
            "{logs} log records, expected {} or more",
            expected.logs_at_least
        ));
    }
    let failed = number(session, "errors").unwrap_or_default() > 0;
    wrong.unless_equal(
        "failed",
        &failed,
        &(!expected.errors.is_empty() && expected.blocked == 0),
    );
    let tokens = session.get("tokens").unwrap_or(&Value::Null);
    for (key, count) in classes(&expected.tokens) {
        wrong.unless_equal(&format!("{key} tokens"), &number(tokens, key), &count);
    }
    if expected.cost_pico_usd.is_some() {
        wrong.unless_equal(
            "cost_pico_usd",
            &number(session, "cost_pico_usd"),
            &expected.cost_pico_usd,
        );
    }
}

fn compare_spans(spans: &[Value], expected: &Session, wrong: &mut Differences) {
    let meanings = |key| {
        let meanings = spans.iter().filter_map(|span| span.get("meaning"));
        let words: BTreeSet<_> = meanings.filter_map(|meaning| text(meaning, key)).collect();
        words.into_iter().collect::<Vec<_>>()
    };
    wrong.unless_equal("tools", &meanings("tool").as_slice(), &expected.tools);
    wrong.unless_equal("errors", &meanings("error").as_slice(), &expected.errors);
}

fn classes(tokens: &Tokens) -> [(&'static str, Option<u64>); 5] {
    [
        ("input", tokens.input),
        ("cached_input", tokens.cached_input),
        ("output", tokens.output),
        ("reasoning", tokens.reasoning),
        ("total", tokens.total),
    ]
}

/// What is not as expected, and of what.
#[derive(Default)]
struct Differences {
    within: String,
    found: Vec<String>,
}

impl Differences {
    fn add(&mut self, what: &str) {
        self.found.push(format!("{}: {what}", self.within));
    }

    fn unless_equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: &T, expected: &T) {
        if found != expected {
            self.add(&format!("{what} {found:?}, expected {expected:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::systems::SYSTEMS;
    use super::*;
    use serde_json::json;

    fn meshagent() -> Value {
        json!({
            "session_id": "sess-interop", "system": "meshagent", "title": "gettingstarted", "project": "proj-interop",
            "room": "gettingstarted", "agents": ["my-chat-agent"], "models": ["gpt-5.4"], "blocked": 0, "interrupted": 0,
            "spans": 75, "logs": 6, "errors": 0, "unpriced_calls": 0,
            "tokens": {"input": "369", "cached_input": "69", "output": "135", "total": "504"},
        })
    }

    fn differences(session: &Value) -> Vec<String> {
        let mut wrong = Differences::default();
        let system = &SYSTEMS[0];
        compare(session, system, &system.sessions[0], &mut wrong);
        wrong.found
    }

    #[test]
    fn a_session_as_expected_has_no_differences_and_each_other_is_named() {
        assert!(differences(&meshagent()).is_empty());
        let mut doubled = meshagent();
        doubled["tokens"]["total"] = json!("1008");
        doubled["room"] = Value::Null;
        doubled["logs"] = json!(5);
        doubled["errors"] = json!(1);
        let found = differences(&doubled).join("\n");
        for what in [
            "total tokens Some(1008)",
            "room None",
            "5 log records",
            "failed true",
        ] {
            assert!(found.contains(what), "{what} in {found}");
        }
    }

    #[test]
    fn tools_and_errors_are_those_of_all_spans() {
        let spans = [
            json!({"meaning": {"tool": "weather-toolkit/get_weather"}}),
            json!({"meaning": {"error": "x"}}),
        ];
        let mut wrong = Differences::default();
        compare_spans(&spans, &SYSTEMS[0].sessions[0], &mut wrong);
        assert_eq!(wrong.found, [": errors [\"x\"], expected []"]);
    }
}
