//! The systems: which packages, what they are told, and what their users expect to see.

/// Where a client finds what it needs.
pub(super) struct Places {
    /// OTLP over HTTP, without a path.
    pub(super) http: String,
    /// OTLP over gRPC.
    pub(super) grpc: String,
    /// The OpenAI-compatible stub, with `/v1`.
    pub(super) openai: String,
    /// Redis, for systems that use one.
    pub(super) redis: String,
}

/// An agent system and its client.
pub(super) struct System {
    /// Its name, and with underscores its script's in `tests/interop`.
    pub(super) name: &'static str,
    /// Minor versions of Python 3 that the packages take, the best first.
    pub(super) pythons: &'static [u32],
    /// What pip installs, `name==version`; the first one's version is shown.
    pub(super) packages: &'static [&'static str],
    /// Whether it needs a Redis, which the server then reads.
    pub(super) redis: bool,
    /// Its own configuration, pointed at Meshscope.
    pub(super) environment: fn(&Places) -> Vec<(&'static str, String)>,
    /// Its sessions, in the order in which the client prints their ids.
    pub(super) sessions: &'static [Session],
    /// What the server answers besides, to paths that the system's own server has too.
    pub(super) answers: &'static [Answer],
}

/// A figure in the answer to a GET.
pub(super) struct Answer {
    /// Path below the studio's address.
    pub(super) path: &'static str,
    /// JSON pointer into the answer.
    pub(super) pointer: &'static str,
    /// The value there, as JSON.
    pub(super) is: &'static str,
}

/// What a session must show.
#[derive(Clone, Copy)]
pub(super) struct Session {
    pub(super) title: Option<&'static str>,
    pub(super) project: &'static str,
    pub(super) room: Option<&'static str>,
    pub(super) agents: &'static [&'static str],
    pub(super) models: &'static [&'static str],
    /// Tools called, alphabetical.
    pub(super) tools: &'static [&'static str],
    /// Texts of what failed or was blocked, alphabetical.
    pub(super) errors: &'static [&'static str],
    pub(super) blocked: u64,
    pub(super) interrupted: u64,
    pub(super) spans: u64,
    pub(super) logs_at_least: u64,
    pub(super) tokens: Tokens,
    /// Rows of the ledger, each once; `None` where the system does not tell calls apart.
    pub(super) calls: Option<u64>,
    /// Cost where the system itself reports it; else it only has to be known.
    pub(super) cost_pico_usd: Option<u64>,
}

/// Tokens by class; `None` where the system does not tell.
#[derive(Clone, Copy)]
pub(super) struct Tokens {
    pub(super) input: Option<u64>,
    pub(super) cached_input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) reasoning: Option<u64>,
    pub(super) total: Option<u64>,
}

/// What `calls` calls of the stub use: 123 in, of which 23 cached, 45 out, of which 5 reasoning.
const fn used(calls: u64) -> Tokens {
    Tokens {
        input: Some(123 * calls),
        cached_input: Some(23 * calls),
        output: Some(45 * calls),
        reasoning: Some(5 * calls),
        total: Some(168 * calls),
    }
}

const fn only_total(total: u64) -> Tokens {
    Tokens {
        total: Some(total),
        ..NO_TOKENS
    }
}

const NO_TOKENS: Tokens = Tokens {
    input: None,
    cached_input: None,
    output: None,
    reasoning: None,
    total: None,
};

const SESSION: Session = Session {
    title: None,
    project: "default",
    room: None,
    agents: &[],
    models: &[],
    tools: &[],
    errors: &[],
    blocked: 0,
    interrupted: 0,
    spans: 0,
    logs_at_least: 0,
    tokens: NO_TOKENS,
    calls: Some(0),
    cost_pico_usd: None,
};

pub(super) const SYSTEMS: [System; 5] = [MESHAGENT, VIDEOSDK, MESHFLOW, MCP_MESH, OPENINFERENCE];

const MESHAGENT: System = System {
    name: "meshagent",
    pythons: &[13],
    // 0.56.0 wants a certifi of the day after the newest that indexes offered in November 2026.
    packages: &[
        "meshagent-otel==0.55.1",
        "meshagent-agents==0.55.1",
        "meshagent-openai==0.55.1",
        "meshagent-tools==0.55.1",
    ],
    redis: false,
    environment: |places| {
        vec![
            ("OTEL_ENDPOINT", places.http.clone()),
            ("MESHAGENT_PROJECT_ID", "proj-interop".to_owned()),
            ("MESHAGENT_ROOM", "gettingstarted".to_owned()),
            ("MESHAGENT_SESSION_ID", "sess-interop".to_owned()),
        ]
    },
    sessions: &[Session {
        title: Some("gettingstarted"),
        project: "proj-interop",
        room: Some("gettingstarted"),
        agents: &["my-chat-agent"],
        models: &["gpt-5.4"],
        tools: &["weather-toolkit/get_weather"],
        spans: 75,
        logs_at_least: 6,
        // Its adapter drops the reasoning tokens, and a counter has one exemplar for all calls of a second.
        tokens: Tokens {
            reasoning: None,
            ..used(3)
        },
        calls: None,
        ..SESSION
    }],
    answers: &[],
};

const VIDEOSDK: System = System {
    name: "videosdk",
    pythons: &[12, 13, 11],
    packages: &["videosdk-agents==1.0.30"],
    redis: false,
    environment: |places| vec![("MESHSCOPE", places.http.clone())],
    sessions: &[Session {
        title: Some("call with Haley"),
        room: Some("interop-room"),
        agents: &["Haley"],
        models: &["eleven_flash_v2_5", "eou-v1", "gpt-4o-mini", "nova-2", "silero"],
        tools: &["get_weather"],
        errors: &["429 rate limited"],
        interrupted: 1,
        spans: 28,
        logs_at_least: 40,
        tokens: Tokens {
            reasoning: None,
            ..used(2)
        },
        // Speech to text, model, text to speech; of each turn.
        calls: Some(6),
        ..SESSION
    }],
    answers: &[],
};

/// A run of four agents, which make eight calls and report their cost by MeshFlow's own rates.
const MESHFLOW_RUN: Session = Session {
    agents: &["critic", "executor", "planner", "researcher"],
    spans: 5,
    tokens: only_total(8 * 168),
    // One a step.
    calls: Some(4),
    cost_pico_usd: Some(10_320_000_000),
    ..SESSION
};

const MESHFLOW: System = System {
    name: "meshflow",
    pythons: &[12, 13, 11],
    packages: &[
        "meshflow==1.14.0",
        "opentelemetry-sdk==1.45.2",
        "opentelemetry-exporter-otlp-proto-grpc==1.45.2",
        "opentelemetry-exporter-otlp-proto-http==1.45.2",
        "openai==3.52.0",
    ],
    redis: false,
    environment: |places| {
        vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", places.http.clone()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()),
            ("MESHSCOPE_GRPC", places.grpc.clone()),
            ("MESHFLOW_SIEM_HTTP_URL", format!("{}/siem", places.http)),
            ("MESHFLOW_CLOUD_KEY", "mfc_interop".to_owned()),
            (
                "MESHFLOW_CLOUD_ENDPOINT",
                format!("{}/api/ingest/run", places.http),
            ),
            ("PHOENIX_COLLECTOR_ENDPOINT", format!("{}/v1/traces", places.http)),
        ]
    },
    sessions: &[
        Session {
            title: Some("interop-grpc"),
            room: Some("interop-grpc"),
            ..MESHFLOW_RUN
        },
        Session {
            title: Some("interop-http"),
            room: Some("interop-http"),
            ..MESHFLOW_RUN
        },
        Session {
            agents: &["failing", "research"],
            errors: &["node_exception:boom"],
            blocked: 1,
            // Two steps, each told twice, and a node span of the one that passed.
            spans: 3,
            tokens: only_total(148),
            calls: Some(2),
            cost_pico_usd: Some(1_200_000_000),
            ..SESSION
        },
        Session {
            agents: &["solo"],
            models: &["gpt-4o-mini"],
            spans: 1,
            tokens: only_total(168),
            calls: Some(1),
            cost_pico_usd: Some(1_290_000_000),
            ..SESSION
        },
        Session {
            agents: &["research"],
            errors: &["zero_trust:auth_denied:agent 'research' not registered — deny by default"],
            blocked: 1,
            spans: 1,
            logs_at_least: 1,
            tokens: only_total(0),
            calls: Some(1),
            ..SESSION
        },
    ],
    answers: &[],
};

const MCP_MESH: System = System {
    name: "mcp-mesh",
    pythons: &[12, 13, 11],
    packages: &["mcp-mesh==3.8.0"],
    redis: true,
    environment: |places| {
        vec![
            ("MCP_MESH_DISTRIBUTED_TRACING_ENABLED", "true".to_owned()),
            ("REDIS_URL", places.redis.clone()),
        ]
    },
    sessions: &[
        Session {
            title: Some("generate_report"),
            agents: &["report-agent", "time-agent"],
            tools: &["generate_report", "get_current_time"],
            spans: 2,
            ..SESSION
        },
        Session {
            title: Some("chat"),
            agents: &["report-agent", "time-agent"],
            models: &["gpt-4o-mini"],
            tools: &["chat", "provider"],
            spans: 2,
            // The SDK tells neither cached nor reasoning tokens.
            tokens: Tokens {
                cached_input: None,
                reasoning: None,
                ..used(1)
            },
            calls: Some(1),
            ..SESSION
        },
        Session {
            title: Some("always_fails"),
            agents: &["time-agent"],
            tools: &["always_fails"],
            errors: &["deliberate failure"],
            spans: 1,
            ..SESSION
        },
    ],
    answers: &[
        Answer {
            path: "/trace/stats",
            pointer: "/total_traces",
            is: "3",
        },
        Answer {
            path: "/trace/stats",
            pointer: "/failed_traces",
            is: "1",
        },
        Answer {
            path: "/api/trace/model-stats?window=all",
            pointer: "/models/0/total_tokens",
            is: "168",
        },
        Answer {
            path: "/trace/search?operation=always_fails",
            pointer: "/traces/0/Spans/0/ErrorMessage",
            is: "\"deliberate failure\"",
        },
    ],
};

const OPENINFERENCE: System = System {
    name: "openinference",
    pythons: &[12, 13, 11],
    packages: &[
        "openinference-instrumentation-openai==0.1.66",
        "opentelemetry-sdk==1.45.2",
        "opentelemetry-exporter-otlp-proto-http==1.45.2",
        "openai==3.52.0",
    ],
    redis: false,
    environment: |places| vec![("OTEL_EXPORTER_OTLP_ENDPOINT", places.http.clone())],
    sessions: &[Session {
        models: &["gpt-4o-mini"],
        errors: &["BadRequestError: Error code: 400 - stub failure"],
        spans: 4,
        tokens: used(3),
        calls: Some(3),
        ..SESSION
    }],
    answers: &[],
};

impl System {
    /// The client's version.
    pub(super) fn version(&self) -> &'static str {
        self.versions().first().copied().unwrap_or_default()
    }

    /// The versions pinned, each once.
    pub(super) fn versions(&self) -> Vec<&'static str> {
        let mut versions = Vec::new();
        for (_, version) in self
            .packages
            .iter()
            .filter_map(|package| package.split_once("=="))
        {
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        versions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned() {
        for package in SYSTEMS.iter().flat_map(|system| system.packages) {
            assert!(package.contains("=="), "{package}");
        }
        assert_eq!(MESHAGENT.versions(), ["0.55.1"]);
        assert_eq!(MESHFLOW.version(), "1.14.0");
    }
}
