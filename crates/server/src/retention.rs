//! Rules of retention as they are configured, and the task that keeps the store by them.

use crate::app::{App, now};
use crate::recordings;
use meshscope_api::status::{ProjectRetention, Retention};
use meshscope_model::time::{DAY, HOUR, MINUTE, SECOND};
use meshscope_store::StoreError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Size of the store beyond which the oldest records go, unless configured otherwise.
const SIZE: u64 = 20 * GB;
const GB: u64 = 1_000_000_000;
/// How often the rules are applied, unless configured otherwise.
const EVERY: i64 = 10 * MINUTE;
/// How often the store is tended.
const TICK: Duration = Duration::from_secs(1);

/// `[projects.NAME]` of the configuration file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectArgs {
    /// Age at which its records go, for example `7d`; `forever` keeps them.
    pub retention: Option<String>,
    /// Size beyond which its oldest records go, for example `2GB`; `unlimited` is none.
    pub retention_size: Option<String>,
}

/// What is configured, as text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) age: Option<String>,
    pub(crate) size: Option<String>,
    pub(crate) every: Option<String>,
    pub(crate) projects: BTreeMap<String, ProjectArgs>,
}

/// The rules, and how often they are applied in ns.
pub(crate) fn resolve(given: &Given) -> Result<(Retention, i64), String> {
    let of = |option: &str| {
        let option = option.to_owned();
        move |reason: String| format!("{option}: {reason}")
    };
    let age_ns = age(given.age.as_deref(), None).map_err(of("--retention"))?;
    let size_bytes = size(given.size.as_deref(), Some(SIZE)).map_err(of("--retention-size"))?;
    let every = given.every.as_deref().map_or(Ok(EVERY), duration);
    let project = |(project, rule): (&String, &ProjectArgs)| {
        let at = |key: &str| of(&format!("projects.{project}.{key}"));
        Ok(ProjectRetention {
            project: project.clone(),
            age_ns: age(rule.retention.as_deref(), age_ns).map_err(at("retention"))?,
            size_bytes: size(rule.retention_size.as_deref(), None).map_err(at("retention_size"))?,
        })
    };
    let rules = Retention {
        age_ns,
        size_bytes,
        projects: given
            .projects
            .iter()
            .map(project)
            .collect::<Result<_, String>>()?,
    };
    Ok((rules, every.map_err(of("--retention-every"))?))
}

fn age(text: Option<&str>, or: Option<i64>) -> Result<Option<i64>, String> {
    match text {
        None => Ok(or),
        Some("forever") => Ok(None),
        Some(text) => duration(text)
            .map(Some)
            .map_err(|reason| format!("{reason}, or forever")),
    }
}

fn size(text: Option<&str>, or: Option<u64>) -> Result<Option<u64>, String> {
    match text {
        None => Ok(or),
        Some("unlimited") => Ok(None),
        Some(text) => bytes(text)
            .map(Some)
            .map_err(|reason| format!("{reason}, or unlimited")),
    }
}

/// `90s`, `30m`, `12h`, `7d` or `4w` in ns.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let units = [
        ("s", SECOND),
        ("m", MINUTE),
        ("h", HOUR),
        ("d", DAY),
        ("w", 7 * DAY),
    ];
    let read = units.iter().find_map(|(unit, ns)| {
        let n: i64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        n.checked_mul(*ns)
    });
    read.filter(|ns| *ns > 0).ok_or_else(|| {
        format!("{text:?} is not a duration: give a number with s, m, h, d or w, for example 30d")
    })
}

/// `500MB`, `20GB`, `1TiB` in bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let units = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("TB", 1000 * GB),
        ("GB", GB),
        ("MB", 1_000_000),
        ("KB", 1_000),
    ];
    let read = units.iter().find_map(|(unit, bytes)| {
        let n: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Some(n * *bytes as f64)
    });
    read.filter(|n| *n >= 1.0 && *n < 1.0e18)
        .map(|n| n as u64)
        .ok_or_else(|| {
            format!(
                "{text:?} is not a size: give a number with MB, GB, TB, MiB, GiB or TiB, for example 20GB"
            )
        })
}

/// Tends the store until the server stops, and now and then removes what is too old.
pub(crate) fn keep(app: &Arc<App>, stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let every = Duration::from_nanos(app.config.retention_every.unsigned_abs());
        let (mut due, mut troubled) = (Instant::now() + every.min(Duration::from_secs(60)), false);
        let mut ended = stopped.clone();
        loop {
            tokio::select! {
                _ = ended.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(TICK) => {}
            }
            let (app, stopped) = (Arc::clone(&app), stopped.clone());
            let retain = Instant::now() >= due;
            if retain {
                due = Instant::now() + every;
            }
            let kept = tokio::task::spawn_blocking(move || turn(&app, retain, &stopped)).await;
            match kept {
                Ok(Ok(())) => troubled = false,
                // Once is enough: the next tick will most likely find the same.
                Ok(Err(error)) if !troubled => {
                    troubled = true;
                    tracing::error!(%error, "the store cannot be tended");
                }
                Ok(Err(error)) => tracing::debug!(%error, "the store cannot be tended"),
                Err(error) => tracing::error!(%error, "tending the store panicked"),
            }
        }
    })
}

/// Tends the store and, when it is due, removes what is too old. What fails of it is told of and keeps
/// nothing of the rest from being done: a store that is not tended must not grow without bound as well.
fn turn(app: &App, retain: bool, stopped: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let tended = app.store.tend();
    if retain {
        if let Err(error) = remove_old(app, stopped) {
            tracing::error!(%error, "what is too old cannot be removed");
        }
        if let Err(error) = recordings::sweep(app) {
            tracing::error!(%error, "recordings cannot be looked through");
        }
    }
    tended
}

fn remove_old(app: &App, stopped: &watch::Receiver<bool>) -> Result<(), StoreError> {
    // A checkpoint may get due while much is removed.
    let go_on = || !*stopped.borrow();
    if let Some(removed) = app.store.retain(&app.config.retention, now(), &go_on)? {
        tracing::info!(
            spans = removed.spans,
            logs = removed.logs,
            metric_points = removed.metric_points,
            recordings = removed.recordings,
            freed_bytes = removed.freed_bytes,
            "removed what was too old"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_defaults_and_projects_of_their_own() {
        let given = Given {
            age: Some("30d".to_owned()),
            projects: toml::from_str(
                "[kept]\nretention = \"forever\"\n[small]\nretention_size = \"1.5GB\"\n[short]\nretention = \"12h\"\n",
            )
            .unwrap(),
            ..Given::default()
        };
        let (rules, every) = resolve(&given).unwrap();
        assert_eq!(
            (rules.age_ns, rules.size_bytes, every),
            (Some(30 * DAY), Some(20 * GB), EVERY)
        );
        let of = |name: &str| {
            let rule = rules.projects.iter().find(|rule| rule.project == name).unwrap();
            (rule.age_ns, rule.size_bytes)
        };
        assert_eq!(of("kept"), (None, None));
        assert_eq!(of("small"), (Some(30 * DAY), Some(1_500_000_000)));
        assert_eq!(of("short"), (Some(12 * HOUR), None));
    }

    #[test]
    fn what_is_no_rule_is_named() {
        let with = |age: &str, size: &str| Given {
            age: Some(age.to_owned()),
            size: Some(size.to_owned()),
            ..Given::default()
        };
        for (given, named) in [
            (with("30", "1GB"), "--retention: \"30\""),
            (with("-1d", "1GB"), "--retention: "),
            (with("9999999999999w", "1GB"), "--retention: "),
            (with("1d", "20"), "--retention-size: \"20\""),
            (with("1d", "NaNGB"), "--retention-size"),
        ] {
            let error = resolve(&given).unwrap_err();
            assert!(error.starts_with(named), "{error}");
        }
        assert_eq!(
            resolve(&with("forever", "unlimited")).unwrap().0,
            Retention::default()
        );
    }
}
