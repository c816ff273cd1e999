//! A Python of a fit version, and one environment for each system in the user's cache.

use super::systems::System;
use crate::command::{Result, on_path, run, say, version};
use crate::tools::{cache_of, once};
use std::path::PathBuf;
use std::process::Command;

/// The interpreter of the system's environment, which is made when it is not there.
pub(super) fn environment(system: &System) -> Result<PathBuf> {
    let (minor, python) = interpreter(system)?;
    let name = format!("{}-{}-py3.{minor}", system.name, system.versions().join("-"));
    let dir = cache_of("interop")?.join(name);
    once(&dir, |into| {
        say(&format!("installing {} from PyPI", system.packages.join(" ")));
        run(Command::new(&python).args(["-m", "venv"]).arg(into))?;
        run(Command::new(into.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(system.packages))
    })?;
    Ok(dir.join("bin/python"))
}

/// The first Python of the system's versions: on PATH, else of pyenv.
fn interpreter(system: &System) -> Result<(u32, PathBuf)> {
    let found = system.pythons.iter().find_map(|minor| {
        let candidates = on_path(&format!("python3.{minor}"))
            .into_iter()
            .chain(of_pyenv(*minor));
        // A shim of pyenv is there for versions that it does not let through.
        candidates
            .chain(on_path("python3"))
            .find(|python| is_minor(version(python).as_deref(), *minor))
            .map(|python| (*minor, python))
    });
    found.ok_or_else(|| {
        let wanted: Vec<_> = system.pythons.iter().map(|minor| format!("3.{minor}")).collect();
        format!(
            "{} needs Python {}: neither PATH nor ~/.pyenv/versions has one (try `pyenv install {}`)",
            system.name,
            wanted.join(" or "),
            wanted.first().map_or("3.12", String::as_str)
        )
    })
}

/// Whether `Python 3.12.1` is a 3.12.
fn is_minor(version: Option<&str>, minor: u32) -> bool {
    let number = version.and_then(|version| version.strip_prefix("Python 3."));
    let found = number.and_then(|number| number.split('.').next());
    found.and_then(|found| found.parse().ok()) == Some(minor)
}

fn of_pyenv(minor: u32) -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv")));
    let Some(Ok(versions)) = root.map(|root| std::fs::read_dir(root.join("versions"))) else {
        return Vec::new();
    };
    let prefix = format!("3.{minor}.");
    versions
        .flatten()
        .filter(|version| version.file_name().to_string_lossy().starts_with(&prefix))
        .map(|version| version.path().join("bin/python"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_version_is_told_from_one_that_begins_alike() {
        assert!(is_minor(Some("Python 3.13.0"), 13));
        assert!(is_minor(Some("Python 3.13.0rc1"), 13));
        assert!(!is_minor(Some("Python 3.1.3"), 13));
        assert!(!is_minor(Some("pyenv: python3.13: command not found"), 13));
        assert!(!is_minor(None, 13));
    }
}
