//! Build tasks: what the README's two commands call.
//!
//! ```text
//! cargo xtask run     set up what is missing, build, start the server with the studio
//! cargo xtask test    everything that is tested, on a fresh machine too
//! ```

mod apt;
mod browser;
mod command;
mod interop;
mod lint;
mod parts;
mod precompress;
mod redis;
mod setup;
mod stamp;
mod studio;
mod test;
mod tools;

use command::{Result, cargo, run};
use std::process::ExitCode;

const HELP: &str = "cargo xtask TASK

  run [-- ARGS]   set up what is missing, build studio and server, start `meshscope serve ARGS`
  test            host tests, wasm tests in Chromium, browser tests of the whole
  lint            rustfmt --check, clippy -D warnings for host and wasm32
  fmt             format the code
  setup           bring the tools (wasm target, trunk, wasm-bindgen, wasm-opt, libduckdb, Chromium, Redis)
  build           build studio and server in release, with the studio embedded
  size            build the studio and print what a first download weighs
  bench [ARGS]    measure; `bench help` lists what
  crash [--kills N] [--seed N]
                  kill -9 under load again and again: nothing acknowledged is lost, nothing doubled
  soak [--minutes N] [--rate N]
                  spans at a steady rate for long: memory and latency must stay flat
  fuzz [--minutes N] [--seed N] [--replay FILE]
                  mutated requests into every decoder; what breaks one is kept in target/fuzz
  interop [NAMES] run the real clients of agent systems from PyPI against the server, check its answers
  demo [ARGS]     send a believable agent workload to a running server
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next().unwrap_or_default();
    let rest: Vec<String> = args.skip_while(|arg| arg == "--").collect();
    match dispatch(&task, &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {task}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(task: &str, rest: &[String]) -> Result<()> {
    match task {
        "run" => serve(rest),
        "test" => test::test(),
        "lint" => lint::lint(),
        "fmt" => run(cargo().args(["fmt", "--all"])),
        "setup" => setup::build_tools().and_then(|_| setup::test_tools().map(|_| ())),
        "build" => build(),
        "size" => size(),
        "bench" => bench(rest),
        "crash" | "soak" => {
            let task = [task.to_owned()];
            bench(&[&task, rest].concat())
        }
        "fuzz" => fuzz(rest),
        "interop" => interop::interop(rest),
        "demo" => run(std::process::Command::new(server_binary()).arg("demo").args(rest)),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("there is no task {other:?}\n\n{HELP}")),
    }
}

/// The release build of the server, studio embedded.
fn server_binary() -> std::path::PathBuf {
    command::target_dir()
        .join("release")
        .join(format!("meshscope{}", std::env::consts::EXE_SUFFIX))
}

/// What is said of a studio beyond its budget: `size` fails, and everything else goes on with it.
const LARGE: &str = "the studio is LARGER THAN ITS BUDGET";

fn size() -> Result<()> {
    match studio::build(&setup::build_tools()?)? {
        true => Ok(()),
        false => Err(LARGE.to_owned()),
    }
}

fn build() -> Result<()> {
    let tools = setup::build_tools()?;
    if !studio::build(&tools)? {
        command::say(LARGE);
    }
    command::say("building the server (release; the first time takes some minutes)");
    run(cargo().args([
        "build",
        "--release",
        "--package",
        "meshscope-server",
        "--features",
        "embed-studio",
    ]))
}

fn serve(rest: &[String]) -> Result<()> {
    build()?;
    run(std::process::Command::new(server_binary())
        .arg("serve")
        .args(rest))
}

/// Measurements that look at the studio in a browser.
const IN_BROWSER: [&str; 8] = [
    "live",
    "console",
    "session",
    "paint",
    "usage",
    "waterfall",
    "charts",
    "all",
];

fn bench(rest: &[String]) -> Result<()> {
    build()?;
    if rest
        .first()
        .is_some_and(|what| IN_BROWSER.contains(&what.as_str()))
    {
        setup::browser()?;
    }
    let mut bench = cargo();
    bench
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "meshscope-bench",
            "--",
        ])
        .args(rest);
    run(bench.env("MESHSCOPE_BIN", server_binary()))
}

fn fuzz(rest: &[String]) -> Result<()> {
    let profile = ["--profile", "fuzzing", "--quiet", "--package", "meshscope-fuzz"];
    run(cargo().arg("run").args(profile).arg("--").args(rest))
}
