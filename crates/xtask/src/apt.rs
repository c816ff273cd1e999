//! Debian's packages, for what the tests need besides Rust.

use crate::command::{Result, run, say};
use std::path::Path;
use std::process::Command;

/// Installs packages, with sudo where this user is not root.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    say(&format!("installing {} (apt-get)", packages.join(", ")));
    apt(&["update", "-qq"])?;
    apt(&[&["install", "-y", "-qq", "--no-install-recommends"], packages].concat())
}

/// Ends a service that a package started with its installation, now and at every boot.
pub(crate) fn disable(service: &str) -> Result<()> {
    if Path::new("/run/systemd/system").is_dir() {
        run(as_root("systemctl").args(["disable", "--now", service]))
    } else {
        Ok(())
    }
}

fn apt(args: &[&str]) -> Result<()> {
    run(as_root("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

fn as_root(program: &str) -> Command {
    let root = std::env::var_os("USER").is_some_and(|user| user == "root")
        || std::fs::metadata("/var/lib/dpkg/lock")
            .is_ok_and(|_| std::fs::File::open("/var/lib/dpkg/lock").is_ok());
    let mut command = Command::new(if root { program } else { "sudo" });
    if !root {
        command.arg(program);
    }
    command
}
