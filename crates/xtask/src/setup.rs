//! Brings what is missing, says what it does, and is done at once when nothing is.

use crate::command::{Result, on_path, output, root, run, say};
use crate::{browser, redis, tools};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// Directories of the tools that build the studio, to be put before PATH.
pub(crate) struct BuildTools {
    pub(crate) trunk: PathBuf,
    pub(crate) wasm_bindgen: PathBuf,
    pub(crate) wasm_opt: PathBuf,
}

impl BuildTools {
    /// PATH with the pinned tools first.
    pub(crate) fn path(&self) -> Result<std::ffi::OsString> {
        let pinned = [&self.trunk, &self.wasm_bindgen, &self.wasm_opt].map(PathBuf::clone);
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(pinned.into_iter().chain(std::env::split_paths(&path)))
            .map_err(|error| format!("PATH cannot be extended: {error}"))
    }
}

/// Everything a build needs.
pub(crate) fn build_tools() -> Result<BuildTools> {
    let start = Instant::now();
    wasm_target()?;
    tools::libduckdb()?;
    let wasm_opt = tools::wasm_opt()?;
    let wasm_bindgen = tools::wasm_bindgen()?;
    let trunk = tools::trunk()?;
    if start.elapsed().as_secs() > 2 {
        say(&format!(
            "set-up took {} s; the next one is instant",
            start.elapsed().as_secs()
        ));
    }
    Ok(BuildTools {
        trunk,
        wasm_bindgen,
        wasm_opt,
    })
}

/// What the tests need besides.
pub(crate) fn test_tools() -> Result<browser::Browser> {
    redis::find_or_install()?;
    browser::Browser::find_or_install()
}

/// What a measurement of the studio needs besides.
pub(crate) fn browser() -> Result<()> {
    browser::Browser::find_or_install().map(|_| ())
}

fn wasm_target() -> Result<()> {
    let sysroot = output(
        Command::new("rustc")
            .args(["--print", "sysroot"])
            .current_dir(root()),
    )?;
    if PathBuf::from(sysroot)
        .join("lib/rustlib/wasm32-unknown-unknown/lib")
        .is_dir()
    {
        return Ok(());
    }
    say("adding the wasm32-unknown-unknown target");
    if on_path("rustup").is_none() {
        return Err(
            "the wasm32-unknown-unknown target is missing and rustup is not there to add it".to_owned(),
        );
    }
    run(Command::new("rustup")
        .args(["target", "add", "wasm32-unknown-unknown"])
        .current_dir(root()))
}
