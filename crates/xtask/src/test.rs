//! Everything that is tested, in the order of what it costs to find out.

use crate::command::{Result, cargo, root, run, say, target_dir};
use crate::{setup, tools};
use std::time::Instant;

/// Host tests, wasm tests in Chromium, the build that ships, browser tests of the whole.
pub(crate) fn test() -> Result<()> {
    let mut times = Vec::new();
    let mut step = |name: &'static str, task: &mut dyn FnMut() -> Result<()>| {
        say(name);
        let start = Instant::now();
        let result = task();
        times.push((name, start.elapsed().as_secs()));
        result.map_err(|error| format!("{name}: {error}"))
    };
    let mut tools = None;
    let mut browser = None;
    step("set-up", &mut || {
        tools = Some(setup::build_tools()?);
        browser = Some(setup::test_tools()?);
        Ok(())
    })?;
    let (Some(tools), Some(browser)) = (tools, browser) else {
        return Err("set-up brought nothing".to_owned());
    };
    step("host tests", &mut || run(cargo().args(["test", "--quiet"])))?;
    step("wasm tests in Chromium", &mut || {
        run(cargo()
            .args([
                "test",
                // No --quiet: cargo would hand it on to the runner, which does not know it.
                "--target",
                "wasm32-unknown-unknown",
                "--package",
                "meshscope-studio",
                "--lib",
            ])
            .env(
                "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER",
                tools.wasm_bindgen.join("wasm-bindgen-test-runner"),
            )
            .env("CHROMEDRIVER", &browser.driver)
            .env("WASM_BINDGEN_TEST_TIMEOUT", "120"))
    })?;
    step("build what ships", &mut super::build)?;
    let screenshots = target_dir().join("screenshots");
    step("browser tests of the whole", &mut || {
        run(cargo()
            .args([
                "test",
                "--test",
                "browser",
                "--features",
                "meshscope-tests/browser",
            ])
            .env("MESHSCOPE_BIN", super::server_binary())
            .env("MESHSCOPE_CHROMIUM", &browser.chromium)
            .env("MESHSCOPE_CHROMEDRIVER", &browser.driver)
            .env("MESHSCOPE_SCREENSHOTS", &screenshots)
            .env("MESHSCOPE_AXE", tools::axe()?)
            .current_dir(root()))
    })?;
    for (name, seconds) in times {
        println!("{seconds:>6} s  {name}");
    }
    println!("screenshots: {}", screenshots.display());
    Ok(())
}
