//! Configuration: flag, else environment, else file, else default.

use crate::mcp_mesh;
use crate::retention::{self, ProjectArgs};
use clap::Args;
use meshscope_api::status::Retention;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `meshscope serve`; each also as `MESHSCOPE_*` and, in snake case, in a TOML file.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeArgs {
    /// A TOML file with these options.
    #[arg(long, env = "MESHSCOPE_CONFIG")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Where the data is kept [default: ~/.local/share/meshscope].
    #[arg(long, env = "MESHSCOPE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Studio and API [default: 127.0.0.1:4319]; port 0 takes a free one.
    #[arg(long, env = "MESHSCOPE_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// OTLP over HTTP [default: 127.0.0.1:4318].
    #[arg(long, env = "MESHSCOPE_OTLP_HTTP")]
    pub otlp_http: Option<SocketAddr>,
    /// OTLP over gRPC [default: 127.0.0.1:4317].
    #[arg(long, env = "MESHSCOPE_OTLP_GRPC")]
    pub otlp_grpc: Option<SocketAddr>,
    /// Serve the studio from this directory instead of from within the binary.
    #[arg(long, env = "MESHSCOPE_STUDIO_DIR")]
    pub studio_dir: Option<PathBuf>,
    /// Records that may wait to be written before senders are told to come back [default: 500000].
    #[arg(long, env = "MESHSCOPE_QUEUE_RECORDS")]
    pub queue_records: Option<usize>,
    /// Largest body as sent, in MiB [default: 64].
    #[arg(long, env = "MESHSCOPE_MAX_BODY_MIB")]
    pub max_body_mib: Option<usize>,
    /// Largest body after decompression, in MiB [default: 256].
    #[arg(long, env = "MESHSCOPE_MAX_DECODED_MIB")]
    pub max_decoded_mib: Option<usize>,
    /// Largest recording, for example 500MB [default: 4GB].
    #[arg(long, env = "MESHSCOPE_MAX_RECORDING", value_name = "SIZE")]
    pub max_recording: Option<String>,
    /// Memory of the engine, in MiB [default: 2048].
    #[arg(long, env = "MESHSCOPE_ENGINE_MEMORY_MIB")]
    pub engine_memory_mib: Option<u64>,
    /// Seconds after which a query is given up [default: 30].
    #[arg(long, env = "MESHSCOPE_QUERY_TIMEOUT", value_name = "SECONDS")]
    pub query_timeout: Option<f64>,
    /// Origins of web pages that may send OTLP, comma separated; `*` is any.
    #[arg(long, env = "MESHSCOPE_CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Option<Vec<String>>,
    /// Headers (gRPC metadata) that name the session of data that names none, comma separated.
    #[arg(
        long = "session-header",
        env = "MESHSCOPE_SESSION_HEADERS",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub session_headers: Option<Vec<String>>,
    /// Keys that clients must show, comma separated; needed to listen beyond loopback.
    #[arg(long, env = "MESHSCOPE_KEYS", value_delimiter = ',', hide_env_values = true)]
    pub keys: Option<Vec<String>>,
    /// Memory of the latest commits for those who follow the live stream, in MiB [default: 64].
    #[arg(long, env = "MESHSCOPE_STREAM_BUFFER_MIB")]
    pub stream_buffer_mib: Option<usize>,
    /// Records that a follower of the live stream may be behind before it is told of a gap [default: 500000].
    #[arg(long, env = "MESHSCOPE_STREAM_BEHIND_RECORDS")]
    pub stream_behind_records: Option<usize>,
    /// Form of the log on standard error: `text`, or `json` with an object a line [default: text].
    #[arg(long, env = "MESHSCOPE_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// A price table of your own, asked before the built-in one [default: prices.json in the data directory].
    #[arg(long, env = "MESHSCOPE_PRICES", value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// Redis of an MCP Mesh whose traces are to be read, for example redis://127.0.0.1:6379.
    #[arg(long, env = "MESHSCOPE_MCP_MESH_REDIS", hide_env_values = true)]
    pub mcp_mesh_redis: Option<String>,
    /// Streams to read there, comma separated [default: mesh:trace,mcp-mesh:traces].
    #[arg(long, env = "MESHSCOPE_MCP_MESH_STREAMS", value_delimiter = ',')]
    pub mcp_mesh_streams: Option<Vec<String>>,
    /// Consumer group to read as; each Meshscope with a store of its own needs its own [default: meshscope].
    #[arg(long, env = "MESHSCOPE_MCP_MESH_GROUP")]
    pub mcp_mesh_group: Option<String>,
    /// Age at which records are removed, for example 30d; `forever` keeps them [default: forever].
    #[arg(long, env = "MESHSCOPE_RETENTION", value_name = "AGE")]
    pub retention: Option<String>,
    /// Size of the store beyond which the oldest records are removed, for example 500MB [default: 20GB].
    #[arg(long, env = "MESHSCOPE_RETENTION_SIZE", value_name = "SIZE")]
    pub retention_size: Option<String>,
    /// How often that is done [default: 10m].
    #[arg(long, env = "MESHSCOPE_RETENTION_EVERY", value_name = "TIME")]
    pub retention_every: Option<String>,
    /// Rules of single projects; in the file only.
    #[arg(skip)]
    pub projects: BTreeMap<String, ProjectArgs>,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line of text for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// The resolved configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the data is kept.
    pub data_dir: PathBuf,
    /// Studio and API.
    pub listen: SocketAddr,
    /// OTLP over HTTP.
    pub otlp_http: SocketAddr,
    /// OTLP over gRPC.
    pub otlp_grpc: SocketAddr,
    /// Directory of the studio's files, when not those in the binary.
    pub studio_dir: Option<PathBuf>,
    /// Records that may wait.
    pub queue_records: usize,
    /// Largest body as sent, bytes.
    pub max_body: usize,
    /// Largest body after decompression, bytes.
    pub max_decoded: usize,
    /// Largest recording, bytes.
    pub max_recording: u64,
    /// Memory of the engine, MiB.
    pub engine_memory_mib: u64,
    /// How long a query may take.
    pub query_timeout: Duration,
    /// Origins of web pages that may send OTLP.
    pub cors_origins: Vec<String>,
    /// Headers that name the session of data that names none, lower case.
    pub session_headers: Vec<String>,
    /// Keys that clients must show; none means that none is asked for.
    pub keys: Vec<String>,
    /// Bytes of the latest commits in memory for those who follow the live stream.
    pub stream_buffer: usize,
    /// Records that a follower of the live stream may be behind.
    pub stream_behind: usize,
    /// Form of the log.
    pub log_format: LogFormat,
    /// The user's own price table, when it is not beside the data.
    pub prices: Option<PathBuf>,
    /// MCP Mesh's streams, when they are to be read.
    pub mcp_mesh: Option<mcp_mesh::Settings>,
    /// How long what is kept stays.
    pub retention: Retention,
    /// How often what is too old is removed, ns.
    pub retention_every: i64,
}

const MIB: usize = 1024 * 1024;
/// Largest recording unless configured otherwise.
const MAX_RECORDING: u64 = 4_000_000_000;

impl Config {
    /// Merges flags, environment and file, and checks the whole.
    pub fn resolve(args: ServeArgs) -> Result<Self, String> {
        let file = match &args.config {
            None => ServeArgs::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("cannot read the configuration {}: {error}", path.display()))?;
                toml::from_str(&text)
                    .map_err(|error| format!("the configuration {}: {error}", path.display()))?
            }
        };
        let data_dir = match args.data_dir.or(file.data_dir) {
            Some(dir) => dir,
            None => default_data_dir()?,
        };
        let (rules, retention_every) = retention::resolve(&retention::Given {
            age: args.retention.or(file.retention),
            size: args.retention_size.or(file.retention_size),
            every: args.retention_every.or(file.retention_every),
            projects: file.projects,
        })?;
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let config = Self {
            mcp_mesh: match args.mcp_mesh_redis.or(file.mcp_mesh_redis) {
                Some(url) => Some(mcp_mesh::Settings::resolve(
                    &url,
                    args.mcp_mesh_streams.or(file.mcp_mesh_streams),
                    args.mcp_mesh_group.or(file.mcp_mesh_group),
                    &data_dir,
                )?),
                None => None,
            },
            data_dir,
            retention: rules,
            retention_every,
            prices: args.prices.or(file.prices),
            listen: args.listen.or(file.listen).unwrap_or(loopback(4319)),
            otlp_http: args.otlp_http.or(file.otlp_http).unwrap_or(loopback(4318)),
            otlp_grpc: args.otlp_grpc.or(file.otlp_grpc).unwrap_or(loopback(4317)),
            studio_dir: args.studio_dir.or(file.studio_dir),
            queue_records: args.queue_records.or(file.queue_records).unwrap_or(500_000),
            max_body: args
                .max_body_mib
                .or(file.max_body_mib)
                .unwrap_or(64)
                .saturating_mul(MIB),
            max_decoded: args
                .max_decoded_mib
                .or(file.max_decoded_mib)
                .unwrap_or(256)
                .saturating_mul(MIB),
            max_recording: match args.max_recording.or(file.max_recording) {
                None => MAX_RECORDING,
                Some(text) => {
                    retention::bytes(&text).map_err(|reason| format!("--max-recording: {reason}"))?
                }
            },
            engine_memory_mib: args.engine_memory_mib.or(file.engine_memory_mib).unwrap_or(2_048),
            query_timeout: seconds(
                "query-timeout",
                args.query_timeout.or(file.query_timeout).unwrap_or(30.0),
            )?,
            stream_buffer: args
                .stream_buffer_mib
                .or(file.stream_buffer_mib)
                .unwrap_or(64)
                .saturating_mul(MIB),
            stream_behind: args
                .stream_behind_records
                .or(file.stream_behind_records)
                .unwrap_or(500_000),
            log_format: args.log_format.or(file.log_format).unwrap_or_default(),
            cors_origins: args.cors_origins.or(file.cors_origins).unwrap_or_default(),
            session_headers: header_names(args.session_headers.or(file.session_headers))?,
            keys: args
                .keys
                .or(file.keys)
                .unwrap_or_default()
                .into_iter()
                .filter(|key| !key.is_empty())
                .collect(),
        };
        config.check().map(|()| config)
    }

    fn check(&self) -> Result<(), String> {
        for (option, address) in [
            ("listen", self.listen),
            ("otlp-http", self.otlp_http),
            ("otlp-grpc", self.otlp_grpc),
        ] {
            if self.keys.is_empty() && !address.ip().is_loopback() {
                return Err(format!(
                    "--{option} {address} is reachable from other machines: give --keys (or MESHSCOPE_KEYS) \
                     that clients must show, or listen on 127.0.0.1"
                ));
            }
        }
        if self.queue_records == 0 {
            return Err("queue-records must be at least 1".to_owned());
        }
        Ok(())
    }
}

/// Names of headers in lower case, as they are compared.
fn header_names(names: Option<Vec<String>>) -> Result<Vec<String>, String> {
    let names = names.unwrap_or_default();
    let read = |name: &String| {
        axum::http::HeaderName::try_from(name.trim())
            .map(|name| name.as_str().to_owned())
            .map_err(|_| {
                format!("--session-header {name:?} is no name of a header: use letters, digits and `-`")
            })
    };
    names.iter().map(read).collect()
}

fn default_data_dir() -> Result<PathBuf, String> {
    let base = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share"));
    let base = base
        .or_else(home)
        .ok_or("neither XDG_DATA_HOME nor HOME is set: give --data-dir")?;
    Ok(base.join("meshscope"))
}

/// A number of seconds that a person gave.
fn seconds(option: &str, given: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(given)
        .ok()
        .filter(|time| !time.is_zero())
        .ok_or_else(|| format!("--{option} is {given}: expected seconds above 0, for example 30 or 0.5"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_unknown_keys_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.toml");
        std::fs::write(
            &path,
            "queue_records = 7\nlog_format = \"json\"\nlisten = \"127.0.0.1:1\"\n",
        )
        .unwrap();
        let args = ServeArgs {
            config: Some(path.clone()),
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))),
            data_dir: Some(dir.path().to_owned()),
            ..ServeArgs::default()
        };
        let config = Config::resolve(args.clone()).unwrap();
        assert_eq!(
            (
                config.queue_records,
                config.listen.port(),
                config.otlp_grpc.port()
            ),
            (7, 2, 4317)
        );
        assert_eq!(config.log_format, LogFormat::Json);
        std::fs::write(&path, "listen = \"x\"\n").unwrap();
        assert!(Config::resolve(args).unwrap_err().contains("listen"));
    }

    #[test]
    fn names_of_session_headers_are_checked() {
        let with = |name: &str| ServeArgs {
            session_headers: Some(vec![name.to_owned()]),
            data_dir: Some("/tmp".into()),
            ..ServeArgs::default()
        };
        assert_eq!(
            Config::resolve(with("X-Call-Id ")).unwrap().session_headers,
            ["x-call-id"]
        );
        assert!(Config::resolve(with("call id")).unwrap_err().contains("call id"));
    }

    #[test]
    fn beyond_loopback_keys_are_asked_for() {
        let open = |keys| ServeArgs {
            listen: Some(SocketAddr::from(([0, 0, 0, 0], 4319))),
            keys,
            data_dir: Some("/tmp".into()),
            ..ServeArgs::default()
        };
        assert!(Config::resolve(open(None)).unwrap_err().contains("--keys"));
        assert!(Config::resolve(open(Some(vec![String::new()]))).is_err());
        assert!(Config::resolve(open(Some(vec!["k".to_owned()]))).is_ok());
    }
}
