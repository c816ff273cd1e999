//! What Meshscope concludes from a record, in one vocabulary for all dialects. The record
//! itself stays as sent; `telemetry` fills these in once, at ingest.

use crate::usage::Usage;
use serde::{Deserialize, Serialize};

/// The agent system (dialect) a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// Any OpenTelemetry sender, GenAI conventions included.
    #[default]
    #[serde(rename = "opentelemetry")]
    OpenTelemetry = 0,
    /// OpenInference conventions.
    #[serde(rename = "openinference")]
    OpenInference = 1,
    /// MeshAgent.
    #[serde(rename = "meshagent")]
    MeshAgent = 2,
    /// VideoSDK agents.
    #[serde(rename = "videosdk")]
    VideoSdk = 3,
    /// MeshFlow.
    #[serde(rename = "meshflow")]
    MeshFlow = 4,
    /// Dexto.
    Dexto = 5,
    /// MCP Mesh.
    McpMesh = 6,
}

impl System {
    /// Systems in the order of their stored numbers.
    pub const ALL: [Self; 7] = [
        Self::OpenTelemetry,
        Self::OpenInference,
        Self::MeshAgent,
        Self::VideoSdk,
        Self::MeshFlow,
        Self::Dexto,
        Self::McpMesh,
    ];

    /// The name in the API, for example `mcp-mesh`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenTelemetry => "opentelemetry",
            Self::OpenInference => "openinference",
            Self::MeshAgent => "meshagent",
            Self::VideoSdk => "videosdk",
            Self::MeshFlow => "meshflow",
            Self::Dexto => "dexto",
            Self::McpMesh => "mcp-mesh",
        }
    }

    /// The name on the screen, for example `MCP Mesh`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::OpenTelemetry => "OpenTelemetry",
            Self::OpenInference => "OpenInference",
            Self::MeshAgent => "MeshAgent",
            Self::VideoSdk => "VideoSDK",
            Self::MeshFlow => "MeshFlow",
            Self::Dexto => "Dexto",
            Self::McpMesh => "MCP Mesh",
        }
    }

    /// The system named `name` in the API.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.as_str() == name)
    }
}

/// What a span does, in the words of the GenAI conventions where they have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Nothing the conventions have a word for.
    #[default]
    Other = 0,
    /// A model call: `chat`, `generate_content`, `text_completion`.
    Chat = 1,
    /// An embedding call.
    Embeddings = 2,
    /// An agent at work.
    InvokeAgent = 3,
    /// A workflow of agents.
    InvokeWorkflow = 4,
    /// A tool call.
    ExecuteTool = 5,
    /// A retrieval or reranking.
    Retrieval = 6,
    /// A guardrail, gate or policy check.
    Guardrail = 7,
    /// An evaluation.
    Evaluation = 8,
    /// Speech to text.
    SpeechToText = 9,
    /// Text to speech.
    TextToSpeech = 10,
    /// One turn of a conversation.
    Turn = 11,
    /// A hand-over between agents.
    Handoff = 12,
    /// Planning.
    Plan = 13,
    /// Waiting for the end of speech.
    EndOfUtterance = 14,
}

impl Operation {
    /// Operations in the order of their stored numbers.
    pub const ALL: [Self; 15] = [
        Self::Other,
        Self::Chat,
        Self::Embeddings,
        Self::InvokeAgent,
        Self::InvokeWorkflow,
        Self::ExecuteTool,
        Self::Retrieval,
        Self::Guardrail,
        Self::Evaluation,
        Self::SpeechToText,
        Self::TextToSpeech,
        Self::Turn,
        Self::Handoff,
        Self::Plan,
        Self::EndOfUtterance,
    ];

    /// Snake-case name; empty for `Other`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Other => "",
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::InvokeAgent => "invoke_agent",
            Self::InvokeWorkflow => "invoke_workflow",
            Self::ExecuteTool => "execute_tool",
            Self::Retrieval => "retrieval",
            Self::Guardrail => "guardrail",
            Self::Evaluation => "evaluation",
            Self::SpeechToText => "speech_to_text",
            Self::TextToSpeech => "text_to_speech",
            Self::Turn => "turn",
            Self::Handoff => "handoff",
            Self::Plan => "plan",
            Self::EndOfUtterance => "end_of_utterance",
        }
    }

    /// The operation named `word`, one of [`Operation::as_str`].
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == word)
    }

    /// The operation stored as `n`; unknown numbers are `Other`.
    #[must_use]
    pub fn from_number(n: u8) -> Self {
        Self::ALL.get(usize::from(n)).copied().unwrap_or_default()
    }

    /// True for what is priced by tokens: a call of a model.
    #[must_use]
    pub fn is_model_call(self) -> bool {
        matches!(self, Self::Chat | Self::Embeddings)
    }
}

/// Where a record belongs, as far as the record itself says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// The dialect.
    pub system: System,
    /// The tenant the record names; the receiver falls back to a header, then to `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The room the record names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The session the record names; others of its trace may inherit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// A session to fall back to where no record of the trace names one: a resource's
    /// `session.id` spans all that a browser or process did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_session: Option<String>,
    /// Who acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// The identity of a call (of a model, of speech to text) that several records may describe, so
/// that it is counted once: a span and a metric of the same call have the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Made of what all its sources say about it.
    #[serde(with = "crate::decimal")]
    pub key: u64,
    /// Which of the sources this is; of several the lowest is counted.
    pub source: u8,
}

impl Call {
    /// The call that `parts` tell from all others, as described by `source`.
    #[must_use]
    pub fn new(parts: &[&str], source: u8) -> Self {
        let bytes: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        let key = crate::fingerprint::fingerprint(&bytes);
        Self { key, source }
    }
}

/// What a span means.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SpanFacts {
    /// Where it belongs.
    pub origin: Origin,
    /// What it does.
    pub operation: Operation,
    /// Role of the agent (planner, critic).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Tool it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Model it called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Provider of the model, in the GenAI conventions' names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The thread of conversation it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// The end user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Title for the session or run, where this span has one (workflow name, agent name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Verdict of a gate in its own word (`commit`, `reject`, `blocked`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// A gate, guard or policy stopped it.
    pub blocked: bool,
    /// What went wrong, from status or from where the dialect hides it; `Some("")` when it
    /// failed without a text, `None` when it did not fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Time to first token, ns.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub time_to_first_token: Option<i64>,
    /// The real duration in ns where the span's own times do not carry it.
    #[serde(with = "crate::decimal::option", skip_serializing_if = "Option::is_none")]
    pub reported_duration: Option<i64>,
    /// Internal chatter of the framework, folded by default.
    pub noise: bool,
    /// Someone cut in: the turn or speech ended before its end.
    pub interrupted: bool,
    /// How unsure its result is, 0 to 1, where the dialect measures that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncertainty: Option<f64>,
    /// The call it describes, where other records may describe the same one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// What it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}
