//! Builds the studio with trunk and says what a first download weighs.

use crate::command::{Result, root, run, say};
use crate::precompress::{Sizes, precompress};
use crate::setup::BuildTools;
use crate::{parts, stamp};
use std::fs;
use std::process::Command;
use std::time::Instant;

/// What the studio is made of and with: the tools' versions and flags stand in the last four.
const INPUTS: [&str; 17] = [
    "index.html",
    "Trunk.toml",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo/config.toml",
    "src",
    "style",
    "crates/model",
    "crates/telemetry",
    "crates/analysis",
    "crates/layout",
    "crates/api",
    "crates/xtask/src/parts.rs",
    "crates/xtask/src/precompress.rs",
    "crates/xtask/src/studio.rs",
    "crates/xtask/src/tools.rs",
];

/// The promise of DESIGN 7: wasm + js + css, brotli.
const BUDGET: usize = 600_000;

/// Builds `dist/` in release unless it is up to date, and prints the sizes; says whether they are
/// within the budget.
pub(crate) fn build(tools: &BuildTools) -> Result<bool> {
    let dist = root().join("dist");
    let stamp_file = dist.join(".stamp");
    let stamp = stamp::stamp(&INPUTS)?;
    if fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp) {
        say("the studio is up to date");
        return Ok(report(&precompressed(&dist)?));
    }
    say("building the studio (release; the first time takes some minutes)");
    let start = Instant::now();
    // trunk reads NO_COLOR and the like strictly; an inherited value such as "1" stops it.
    run(Command::new(tools.trunk.join("trunk"))
        // Not as a release of trunk's, which would spend half a minute on the wasm before it is cut.
        .args(["build", "--offline", "--cargo-profile", "wasm-release"])
        // The hashes of what is cut differ from those that trunk would write into the page.
        .args(["--features", "split", "--no-sri", "true"])
        .current_dir(root())
        .env("PATH", tools.path()?)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", parts::RUSTFLAGS)
        .env("CARGO_PROFILE_WASM_RELEASE_STRIP", "none")
        .env_remove("NO_COLOR"))?;
    parts::cut(tools, &dist, stamp.get(..16).unwrap_or(&stamp))?;
    let sizes = precompress(&dist)?;
    fs::write(&stamp_file, stamp)
        .map_err(|error| format!("cannot write {}: {error}", stamp_file.display()))?;
    say(&format!("the studio took {} s", start.elapsed().as_secs()));
    Ok(report(&sizes))
}

/// The sizes of what was compressed before.
fn precompressed(dist: &std::path::Path) -> Result<Vec<Sizes>> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", dist.display());
    let mut sizes = Vec::new();
    for entry in fs::read_dir(dist).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let size =
            |suffix: &str| fs::metadata(dist.join(format!("{name}{suffix}"))).map(|file| file.len() as usize);
        if let (Ok(raw), Ok(brotli), Ok(gzip)) = (size(""), size(".br"), size(".gz")) {
            sizes.push(Sizes {
                name,
                raw,
                gzip,
                brotli,
            });
        }
    }
    sizes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sizes)
}

fn report(sizes: &[Sizes]) -> bool {
    println!("{:<48} {:>10} {:>10} {:>10}", "file", "raw", "gzip", "brotli");
    for file in sizes {
        println!(
            "{:<48} {:>10} {:>10} {:>10}",
            file.name, file.raw, file.gzip, file.brotli
        );
    }
    let first = |name: &str| {
        [".wasm", ".js", ".css"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
            && !parts::comes_later(name)
    };
    let later: usize = sizes
        .iter()
        .filter(|file| parts::comes_later(&file.name))
        .map(|file| file.brotli)
        .sum();
    let total: usize = sizes
        .iter()
        .filter(|file| first(&file.name))
        .map(|file| file.brotli)
        .sum();
    let percent = total * 100 / BUDGET;
    println!(
        "first download (wasm + js + css, brotli): {total} bytes, {percent} % of the budget of {BUDGET}; \
         with all pages: {} bytes",
        total + later
    );
    total <= BUDGET
}
