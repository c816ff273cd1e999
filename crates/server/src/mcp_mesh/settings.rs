//! Where the streams are, and as whom they are read.

use redis::{Client, ConnectionAddr, IntoConnectionInfo as _};
use std::path::Path;

/// Both names: what the SDKs write to, and what the documentation says they do.
const STREAMS: [&str; 2] = ["mesh:trace", "mcp-mesh:traces"];
/// Ours; MCP Mesh's registry reads with another.
const GROUP: &str = "meshscope";
/// The registry's: as one of its consumers we would take entries from it.
const REGISTRYS_GROUP: &str = "mcp-mesh-registry-processors";

/// Where the streams are, and as whom they are read.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(crate) client: Client,
    pub(crate) streams: Vec<String>,
    pub(crate) group: String,
    /// The same after a restart with the same data directory, so that what was read and not
    /// yet kept is read again at once.
    pub(crate) consumer: String,
}

impl Settings {
    /// Checks what was configured; `data_dir` tells this server from others of its group.
    pub(crate) fn resolve(
        url: &str,
        streams: Option<Vec<String>>,
        group: Option<String>,
        data_dir: &Path,
    ) -> Result<Self, String> {
        let hint = "give redis://[USER:PASSWORD@]HOST[:PORT][/DB], for example redis://127.0.0.1:6379";
        // The error would repeat the URL, and with it a password.
        let info = url
            .into_connection_info()
            .map_err(|_| format!("mcp-mesh-redis is not the URL of a Redis server: {hint}"))?;
        if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
            return Err(format!(
                "mcp-mesh-redis: rediss:// (TLS) is not supported; {hint}"
            ));
        }
        let client = Client::open(info).map_err(|_| format!("mcp-mesh-redis cannot be used: {hint}"))?;
        let mut streams: Vec<String> = streams
            .unwrap_or_else(|| STREAMS.map(str::to_owned).to_vec())
            .into_iter()
            .filter(|stream| !stream.is_empty())
            .collect();
        streams.dedup();
        if streams.is_empty() {
            return Err("mcp-mesh-streams must name at least one stream, for example mesh:trace".to_owned());
        }
        let group = group.unwrap_or_else(|| GROUP.to_owned());
        if group.is_empty() || group == REGISTRYS_GROUP {
            return Err(format!(
                "mcp-mesh-group must be a group of Meshscope's own, not {group:?}: MCP Mesh's registry would \
                 lose what we read"
            ));
        }
        Ok(Self {
            client,
            streams,
            group,
            consumer: consumer(data_dir),
        })
    }

    /// The server's URL without its password.
    pub(crate) fn shown_url(&self) -> String {
        let info = self.client.get_connection_info();
        match info.addr() {
            ConnectionAddr::Unix(path) => format!("redis+unix://{}", path.display()),
            addr => format!("redis://{addr}/{}", info.redis_settings().db()),
        }
    }
}

fn consumer(data_dir: &Path) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|host| host.trim().to_owned())
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| "host".to_owned());
    let dir = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    format!("meshscope-{host}-{}", dir.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(url: &str, streams: Option<Vec<String>>, group: Option<&str>) -> Result<Settings, String> {
        Settings::resolve(url, streams, group.map(str::to_owned), Path::new("/data"))
    }

    #[test]
    fn both_stream_names_and_a_group_of_our_own_are_the_default() {
        let settings = resolve("redis://:secret@127.0.0.1:6380/2", None, None).unwrap();
        assert_eq!(settings.streams, ["mesh:trace", "mcp-mesh:traces"]);
        assert_eq!(settings.group, "meshscope");
        assert_eq!(settings.shown_url(), "redis://127.0.0.1:6380/2");
        assert!(settings.consumer.ends_with("-/data"), "{}", settings.consumer);
    }

    #[test]
    fn what_cannot_work_is_said_at_the_start_and_no_password_with_it() {
        let error = resolve("http://:secret@127.0.0.1", None, None).unwrap_err();
        assert!(error.contains("redis://") && !error.contains("secret"), "{error}");
        assert!(resolve("rediss://h", None, None).is_err());
        assert!(resolve("redis://h", Some(vec![String::new()]), None).is_err());
        assert!(resolve("redis://h", None, Some("mcp-mesh-registry-processors")).is_err());
    }
}
