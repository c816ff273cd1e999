//! Interoperation: the real clients of agent systems, from PyPI, against the real server.
//!
//! Each client gets an environment of its own in the user's cache, keyed by the versions pinned in
//! [`systems`], a server with an empty store, and an OpenAI-compatible stub that always reports the
//! same usage. What it did is then looked for in the API's answers.

mod check;
mod process;
mod python;
mod systems;

use crate::command::{Result, cargo, run, say, target_dir};
use check::Figures;
use process::{Redis, Server, Stub};
use std::path::PathBuf;
use systems::{Places, SYSTEMS, System};

/// Runs the systems named, or all; fails when one of them fails.
pub(crate) fn interop(names: &[String]) -> Result<()> {
    let chosen = choose(names)?;
    let binary = server_binary()?;
    let mut rows = Vec::new();
    for system in chosen {
        say(&format!("{} {}", system.name, system.version()));
        let outcome = run_system(system, &binary);
        if let Err(error) = &outcome {
            eprintln!("{}: {error}", system.name);
        }
        rows.push((system, outcome));
    }
    print!("{}", table(&rows));
    match rows.iter().filter(|(_, outcome)| outcome.is_err()).count() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {} systems failed", rows.len())),
    }
}

fn choose(names: &[String]) -> Result<Vec<&'static System>> {
    if names.is_empty() {
        return Ok(SYSTEMS.iter().collect());
    }
    let known = || SYSTEMS.map(|system| system.name).join(", ");
    names
        .iter()
        .map(|name| {
            SYSTEMS
                .iter()
                .find(|system| system.name == name)
                .ok_or_else(|| format!("there is no system {name:?}; there are {}", known()))
        })
        .collect()
}

/// The server to test: `MESHSCOPE_BIN`, else a fresh debug build.
fn server_binary() -> Result<PathBuf> {
    if let Some(binary) = std::env::var_os("MESHSCOPE_BIN") {
        return Ok(binary.into());
    }
    run(cargo().args(["build", "--quiet", "--package", "meshscope-server"]))?;
    Ok(target_dir()
        .join("debug")
        .join(format!("meshscope{}", std::env::consts::EXE_SUFFIX)))
}

fn run_system(system: &System, binary: &std::path::Path) -> Result<Figures> {
    let python = python::environment(system)?;
    let redis = system.redis.then(Redis::start).transpose()?;
    let redis_url = redis.as_ref().map(|redis| redis.url.clone());
    let server = Server::start(binary, redis_url.as_deref())?;
    let stub = Stub::start(&python)?;
    let places = Places {
        http: server.otlp_http.clone(),
        grpc: server.otlp_grpc.clone(),
        openai: stub.url.clone(),
        redis: redis_url.unwrap_or_default(),
    };
    let ids = process::client(system, &python, &places)?;
    check::wait(&server.api, system, &ids)
}

fn table(rows: &[(&System, Result<Figures>)]) -> String {
    let mut text = format!(
        "{:<14}{:<10}{:>9}{:>7}{:>6}{:>8}  {}\n",
        "system", "version", "sessions", "spans", "logs", "tokens", "result"
    );
    for (system, outcome) in rows {
        let (figures, result) = match outcome {
            Ok(figures) => (*figures, "passed"),
            Err(_) => (Figures::default(), "FAILED"),
        };
        text += &format!(
            "{:<14}{:<10}{:>9}{:>7}{:>6}{:>8}  {result}\n",
            system.name,
            system.version(),
            figures.sessions,
            figures.spans,
            figures.logs,
            figures.tokens
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_system_is_answered_with_those_that_are() {
        let error = choose(&["meshflow".to_owned(), "meshfow".to_owned()])
            .map(|_| ())
            .unwrap_err();
        assert!(
            error.contains("\"meshfow\"") && error.contains("mcp-mesh"),
            "{error}"
        );
        assert_eq!(choose(&[]).unwrap().len(), SYSTEMS.len());
    }

    #[test]
    fn the_table_tells_what_failed() {
        let rows: Vec<(&System, _)> = vec![
            (
                &SYSTEMS[0],
                Ok(Figures {
                    sessions: 1,
                    spans: 75,
                    logs: 6,
                    tokens: 504,
                }),
            ),
            (&SYSTEMS[1], Err("no session".to_owned())),
        ];
        let table = table(&rows);
        let lines: Vec<_> = table.lines().collect();
        assert!(lines[1].contains("75") && lines[1].ends_with("passed"), "{table}");
        assert!(lines[2].ends_with("FAILED"), "{table}");
    }
}
