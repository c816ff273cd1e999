//! The Redis server that the tests of MCP Mesh start, each one of its own.

use crate::apt;
use crate::command::{Result, on_path};

/// Finds `redis-server` and `redis-cli`, or installs Debian's package.
pub(crate) fn find_or_install() -> Result<()> {
    if is_there() {
        return Ok(());
    }
    if on_path("apt-get").is_none() {
        return Err(
            "redis-server and redis-cli are needed for the tests of MCP Mesh: install Redis".to_owned(),
        );
    }
    apt::install(&["redis-server"])?;
    // Nobody asked for a service.
    apt::disable("redis-server")?;
    if is_there() {
        Ok(())
    } else {
        Err("apt-get installed redis-server, but it is not on PATH".to_owned())
    }
}

fn is_there() -> bool {
    on_path("redis-server").is_some() && on_path("redis-cli").is_some()
}
