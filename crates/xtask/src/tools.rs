//! The pinned tools: versions, checksums, and how each is brought.
//!
//! Tools live in the user's cache directory under a name with their version, so that every
//! checkout shares them and a new version never meets an old one. Each is made in a temporary
//! directory and renamed, so that an interrupted set-up leaves nothing half there.

use crate::command::{Result, cargo, output, root, run, say, version};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Version of trunk.
pub(crate) const TRUNK: &str = "0.21.14";
/// Version of wasm-bindgen: the crate's in Cargo.toml and the CLI's must be equal.
pub(crate) const WASM_BINDGEN: &str = "0.2.129";
/// An archive from the npm registry, with its sha256.
struct Archive {
    package: &'static str,
    version: &'static str,
    sha256: &'static str,
}

const BINARYEN: Archive = Archive {
    package: "binaryen",
    version: "132.0.0",
    sha256: "6543555fb29bb92548f325c7dc18e9ab7dbb1215edda25993d1e3f71d85b8618",
};

/// The official prebuilt libduckdb: the version the `duckdb` crate in Cargo.toml was made for.
const DUCKDB: Archive = Archive {
    package: "@duckdb/node-bindings-linux-x64",
    version: "1.5.6-r.1",
    sha256: "1b9f82478539bb9a1d1df44bd103121a12ae52142c07158dc52b97d2ec1d69ff",
};

/// What checks the pages for people who cannot see or point.
const AXE: Archive = Archive {
    package: "axe-core",
    version: "4.14.1",
    sha256: "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
};

/// The directory of the tools.
fn cache() -> Result<PathBuf> {
    cache_of("tools")
}

/// A directory of Meshscope's in the user's cache.
pub(crate) fn cache_of(kind: &str) -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let cache = base
        .ok_or("neither XDG_CACHE_HOME nor HOME is set")?
        .join("meshscope")
        .join(kind);
    fs::create_dir_all(&cache).map_err(|error| format!("cannot create {}: {error}", cache.display()))?;
    Ok(cache)
}

/// Makes `dir` by `make` unless it is there. `make` gets a temporary directory to fill.
pub(crate) fn once(dir: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    let temporary = dir.with_extension(format!("new-{}", std::process::id()));
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", temporary.display());
    if temporary.exists() {
        fs::remove_dir_all(&temporary).map_err(failed)?;
    }
    fs::create_dir_all(&temporary).map_err(failed)?;
    make(&temporary)?;
    match fs::rename(&temporary, dir) {
        Ok(()) => Ok(()),
        // Another set-up was faster; what it made is the same.
        Err(_) if dir.is_dir() => fs::remove_dir_all(&temporary).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

/// A tool from crates.io, built light: it runs for seconds and is built once.
fn cargo_install(package: &str, pinned: &str, binary: &str) -> Result<PathBuf> {
    let dir = cache()?.join(format!("{package}-{pinned}"));
    once(&dir, |into| {
        say(&format!(
            "building {package} {pinned} (some minutes, once a machine)"
        ));
        run(cargo()
            .args([
                "install",
                "--quiet",
                "--locked",
                "--no-default-features",
                package,
                "--version",
                pinned,
                "--root",
            ])
            .arg(into)
            // A build in the checkout's target directory would take the checkout's lints and profiles with it.
            .current_dir(into)
            .env_remove("CARGO_TARGET_DIR")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"))
    })?;
    let bin = dir.join("bin");
    let found = version(&bin.join(binary)).unwrap_or_default();
    if found.split_whitespace().nth(1) != Some(pinned) {
        return Err(format!(
            "{} answers {found:?} to --version, expected {pinned}: remove {} and try again",
            bin.join(binary).display(),
            dir.display()
        ));
    }
    Ok(bin)
}

/// trunk's bin directory.
pub(crate) fn trunk() -> Result<PathBuf> {
    cargo_install("trunk", TRUNK, "trunk")
}

/// wasm-bindgen's bin directory, with the test runner.
pub(crate) fn wasm_bindgen() -> Result<PathBuf> {
    cargo_install("wasm-bindgen-cli", WASM_BINDGEN, "wasm-bindgen")
}

/// Fetches an archive with npm, which knows the user's registry, and unpacks the checked bytes.
fn unpack(archive: &Archive, into: &Path) -> Result<()> {
    let Archive {
        package,
        version,
        sha256,
    } = archive;
    say(&format!("fetching {package} {version} from the npm registry"));
    let mut pack = Command::new("npm");
    pack.args(["pack", "--silent", &format!("{package}@{version}")])
        .current_dir(into);
    let printed = output(&mut pack).map_err(|error| format!("{error}; is npm (Node.js) installed?"))?;
    let file = into.join(printed.lines().last().unwrap_or_default());
    let bytes = fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let found: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if found != *sha256 {
        return Err(format!(
            "{package} {version} has sha256 {found}, expected {sha256}"
        ));
    }
    run(Command::new("tar").arg("xzf").arg(&file).current_dir(into))?;
    fs::remove_file(&file).map_err(|error| format!("cannot remove {}: {error}", file.display()))
}

/// wasm-opt's directory.
pub(crate) fn wasm_opt() -> Result<PathBuf> {
    let dir = cache()?.join(format!("binaryen-{}", BINARYEN.version));
    once(&dir, |into| unpack(&BINARYEN, into))?;
    let bin = dir.join("package/bin");
    let found = version(&bin.join("wasm-opt")).unwrap_or_default();
    if !found.starts_with("wasm-opt version 132") {
        return Err(format!(
            "{}/wasm-opt answers {found:?} to --version, expected 132",
            bin.display()
        ));
    }
    Ok(bin)
}

/// The script of axe-core.
pub(crate) fn axe() -> Result<PathBuf> {
    let dir = cache()?.join(format!("axe-core-{}", AXE.version));
    once(&dir, |into| unpack(&AXE, into))?;
    Ok(dir.join("package/axe.min.js"))
}

/// Puts the prebuilt libduckdb where `.cargo/config.toml` says the linker finds it.
pub(crate) fn libduckdb() -> Result<()> {
    let link = root().join(".tools/duckdb");
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let there = fs::read_dir(&link).is_ok_and(|mut files| files.next().is_some());
        return if there {
            Ok(())
        } else {
            Err(format!(
                "no libduckdb is pinned for this platform: put libduckdb 1.5.6 into {} \
                 or build with the `bundled` feature of the duckdb crate",
                link.display()
            ))
        };
    }
    let dir = cache()?.join(format!("libduckdb-{}", DUCKDB.version));
    once(&dir, |into| {
        unpack(&DUCKDB, into)?;
        let (from, to) = (into.join("package/libduckdb.so"), into.join("libduckdb.so"));
        fs::rename(&from, &to).map_err(|error| format!("cannot move {}: {error}", from.display()))?;
        fs::remove_dir_all(into.join("package"))
            .map_err(|error| format!("cannot tidy {}: {error}", into.display()))
    })?;
    point(&link, &dir)
}

/// Makes `link` a symbolic link to `dir`.
fn point(link: &Path, dir: &Path) -> Result<()> {
    if fs::read_link(link).is_ok_and(|to| to == dir) {
        return Ok(());
    }
    let failed =
        |error: std::io::Error| format!("cannot link {} to {}: {error}", link.display(), dir.display());
    if let Some(parent) = link.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    if link.symlink_metadata().is_ok() {
        fs::remove_file(link).map_err(failed)?;
    }
    #[cfg(unix)]
    return std::os::unix::fs::symlink(dir, link).map_err(failed);
    #[cfg(not(unix))]
    Err("only Unix is supported".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_versions_are_the_ones_in_the_manifest() {
        let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("wasm-bindgen = \"={WASM_BINDGEN}\"")));
        assert!(
            manifest.contains("duckdb = { version = \"=1.10506."),
            "the crate of DuckDB 1.5.6"
        );
        assert!(DUCKDB.version.starts_with("1.5.6"));
    }

    #[test]
    fn an_interrupted_install_is_not_taken_for_a_finished_one() {
        let dir = std::env::temp_dir().join(format!("meshscope-xtask-{}", std::process::id()));
        assert!(once(&dir, |_| Err("stopped".to_owned())).is_err());
        assert!(!dir.exists());
        once(&dir, |into| {
            fs::write(into.join("tool"), "x").map_err(|e| e.to_string())
        })
        .unwrap();
        once(&dir, |_| Err("must not be made again".to_owned())).unwrap();
        assert!(dir.join("tool").is_file());
        fs::remove_dir_all(&dir).unwrap();
    }
}
