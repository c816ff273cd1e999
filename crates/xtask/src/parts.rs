//! Cuts the studio's wasm into what every page needs and parts that come with the page that needs
//! them, after trunk has made the rest of `dist/`.
//!
//! Trunk cannot cut (trunk-rs/trunk#1022): it binds the whole wasm, and this puts the bound main
//! part in its place and the other parts beside it.

use crate::command::{Result, output, target_dir};
use crate::setup::BuildTools;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Flags of the compiler that leave the places of symbols in the wasm, besides those of
/// `.cargo/config.toml`, which the environment variable replaces.
pub(crate) const RUSTFLAGS: &str = "--cfg erase_components -Clink-args=--emit-relocs";

/// The name before the hash that trunk gives to the wasm and its JavaScript.
const NAME: &str = "meshscope-studio";

/// How small, and which features of wasm may be used: those that `index.html` names for trunk.
const OPTIMISE: [&str; 9] = [
    "-Oz",
    "--strip-debug",
    "--strip-producers",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Replaces the wasm in `dist` by its parts. Their names carry `hash`, which stands for everything
/// they are made from and with: a browser may keep them for ever, and never mixes two builds.
pub(crate) fn cut(tools: &BuildTools, dist: &Path, hash: &str) -> Result<()> {
    let name = format!("{NAME}-{hash}");
    rename(dist, &name)?;
    let whole = target_dir()
        .join("wasm32-unknown-unknown/wasm-release")
        .join(format!("{NAME}.wasm"));
    let whole = fs::read(&whole).map_err(|error| format!("cannot read {}: {error}", whole.display()))?;
    let work = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
    let main = work.path().join("main.wasm");
    let link = format!("./{name}-parts.js");
    let module = format!("./{name}.js");
    let mut options = wasm_split_cli_support::Options::new(&whole);
    options.output_dir = work.path();
    options.main_out_path = &main;
    options.link_name = &link;
    options.main_module = &module;
    let cut = wasm_split_cli_support::transform(options)
        .map_err(|error| format!("the wasm cannot be cut into parts: {error:#}"))?;
    output(
        Command::new(tools.wasm_bindgen.join("wasm-bindgen"))
            .args([
                "--target",
                "web",
                "--no-typescript",
                "--remove-name-section",
                "--keep-lld-exports",
            ])
            .args(["--out-name", &name, "--out-dir"])
            .arg(dist)
            .arg(&main),
    )?;
    let bound = dist.join(format!("{name}_bg.wasm"));
    optimise(tools, &bound, &bound)?;
    let failed = |error: std::io::Error| format!("cannot write the parts to {}: {error}", dist.display());
    let script = fs::read_to_string(work.path().join(&link)).map_err(failed)?;
    let mut script = compiled_at_once(&script)?;
    for part in cut.split_modules {
        let file = part
            .file_name()
            .map(|file| file.to_string_lossy().into_owned())
            .unwrap_or_default();
        let hashed = format!("{name}-{file}");
        script = replaced(&script, &format!("\"./{file}\""), &format!("\"./{hashed}\""))?;
        optimise(tools, &part, &dist.join(hashed))?;
    }
    fs::write(dist.join(link), script).map_err(failed)
}

/// The loader compiles a part only when those it needs have been started; this way it compiles while they come.
fn compiled_at_once(script: &str) -> Result<String> {
    let script = replaced(script, "const src = fetch(", "const src = compiled(")?;
    let script = replaced(
        &script,
        "WebAssembly.instantiateStreaming(src, imports)",
        "WebAssembly.instantiate(await src, imports)",
    )?;
    Ok(format!(
        "{script}const compiled = part => WebAssembly.compileStreaming(fetch(part));\n"
    ))
}

/// The text with another name wherever it has this one, which it must have.
fn replaced(text: &str, name: &str, by: &str) -> Result<String> {
    if text.contains(name) {
        Ok(text.replace(name, by))
    } else {
        Err(format!("what names the parts of the studio does not name {name}"))
    }
}

/// Is a file of `dist` one that comes later than the first download?
pub(crate) fn comes_later(file: &str) -> bool {
    file.starts_with(NAME) && file.ends_with(".wasm") && !file.ends_with("_bg.wasm")
}

/// Takes away what trunk bound, and names in the page what comes in its place.
fn rename(dist: &Path, name: &str) -> Result<()> {
    let whole = bound_name(dist)?;
    let page = dist.join("index.html");
    let failed = |error: std::io::Error| format!("cannot change {}: {error}", dist.display());
    let text = fs::read_to_string(&page).map_err(failed)?;
    fs::write(&page, replaced(&text, &whole, name)?).map_err(failed)?;
    for suffix in [".js", "_bg.wasm"] {
        fs::remove_file(dist.join(format!("{whole}{suffix}"))).map_err(failed)?;
    }
    Ok(())
}

/// `meshscope-studio-HASH`, as trunk named it.
fn bound_name(dist: &Path) -> Result<String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", dist.display());
    for entry in fs::read_dir(dist).map_err(failed)? {
        let file = entry.map_err(failed)?.file_name();
        if let Some(name) = file
            .to_str()
            .and_then(|file| file.strip_suffix("_bg.wasm"))
            .filter(|name| name.starts_with(NAME))
        {
            return Ok(name.to_owned());
        }
    }
    Err(format!("trunk left no {NAME}-*_bg.wasm in {}", dist.display()))
}

fn optimise(tools: &BuildTools, from: &Path, to: &Path) -> Result<()> {
    output(
        Command::new(tools.wasm_opt.join("wasm-opt"))
            .args(OPTIMISE)
            .arg(from)
            .arg("-o")
            .arg(to),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_not_named_is_an_error() {
        let script = "fetch(\"./a.wasm\"); fetch(\"./ba.wasm\")";
        let by = "fetch(\"./x-a.wasm\"); fetch(\"./ba.wasm\")";
        let named = replaced(script, "\"./a.wasm\"", "\"./x-a.wasm\"");
        assert_eq!(named.as_deref(), Ok(by));
        assert!(replaced(script, "\"./c.wasm\"", "\"./x-c.wasm\"").is_err());
    }
}
