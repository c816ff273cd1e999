//! rustfmt and clippy, for the host and for wasm32.

use crate::command::{Result, cargo, run, say};
use crate::tools;

/// The crates that run in the browser too.
const PURE: [&str; 5] = ["model", "telemetry", "analysis", "layout", "api"];

/// Fails on anything that is not formatted or that clippy warns about.
pub(crate) fn lint() -> Result<()> {
    // clippy links nothing, but build scripts look for the library.
    tools::libduckdb()?;
    say("rustfmt");
    run(cargo().args(["fmt", "--all", "--check"]))?;
    say("clippy, host");
    let browser = "meshscope-tests/browser";
    run(cargo().args([
        "clippy",
        "--all-targets",
        "--features",
        browser,
        "--",
        "-D",
        "warnings",
    ]))?;
    say("clippy, wasm32");
    let mut clippy = cargo();
    clippy.args([
        "clippy",
        "--target",
        "wasm32-unknown-unknown",
        "--package",
        "meshscope-studio",
    ]);
    for name in PURE {
        clippy.args(["--package", &format!("meshscope-{name}")]);
    }
    run(clippy.args(["--", "-D", "warnings"]))
}
