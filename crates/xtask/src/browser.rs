//! Chromium and its driver for the browser tests.

use crate::command::{Result, on_path, run, say};
use std::path::PathBuf;
use std::process::Command;

/// Where the browser and its driver are.
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

const CHROMIUM: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

impl Browser {
    fn find() -> Option<Self> {
        let named = std::env::var_os("MESHSCOPE_CHROMIUM").map(PathBuf::from);
        let chromium = named.or_else(|| CHROMIUM.iter().find_map(|name| on_path(name)))?;
        let named = std::env::var_os("MESHSCOPE_CHROMEDRIVER").map(PathBuf::from);
        let driver = named.or_else(|| on_path("chromedriver"))?;
        Some(Self { chromium, driver })
    }

    /// Finds them, or installs Debian's packages.
    pub(crate) fn find_or_install() -> Result<Self> {
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        if on_path("apt-get").is_none() {
            return Err("Chromium and chromedriver are needed for the browser tests: install both (on Debian: \
                        chromium and chromium-driver), or name them in MESHSCOPE_CHROMIUM and MESHSCOPE_CHROMEDRIVER"
                .to_owned());
        }
        say("installing chromium and chromium-driver (apt-get)");
        apt(&["update", "-qq"])?;
        apt(&[
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "chromium",
            "chromium-driver",
            "fonts-dejavu-core",
        ])?;
        Self::find().ok_or_else(|| "apt-get installed chromium, but it is not on PATH".to_owned())
    }
}

fn apt(args: &[&str]) -> Result<()> {
    let root = std::env::var_os("USER").is_some_and(|user| user == "root")
        || std::fs::metadata("/var/lib/dpkg/lock")
            .is_ok_and(|_| std::fs::File::open("/var/lib/dpkg/lock").is_ok());
    let mut command = Command::new(if root { "apt-get" } else { "sudo" });
    if !root {
        command.arg("apt-get");
    }
    run(command.args(args).env("DEBIAN_FRONTEND", "noninteractive"))
}
