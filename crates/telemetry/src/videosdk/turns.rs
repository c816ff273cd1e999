//! `{"data": [{...}], "agentId": ...}`: what one turn of a call took and used.

use super::calls::{self, Component};
use super::{SERVICE, provider};
use crate::decoded::{DecodeError, Decoded, Rejected};
use crate::json;
use meshscope_model::batch::PointUsage;
use meshscope_model::fingerprint::fingerprint;
use meshscope_model::metric::Exemplar;
use meshscope_model::{
    Attributes, Call, Metric, MetricKind, MetricPoint, Operation, Origin, PointEntry, PointValue, Resource,
    Scope, System, Temporality, Tokens, Usage,
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Name of the counter that carries the whole of a turn, and of the scope.
const TURNS: &str = "videosdk.turns";

/// Decodes the metrics of turns; `received` is the present in ns since the epoch, which is when
/// they happened as far as the body says.
pub fn turns(body: &[u8], received: i64) -> Result<Decoded, DecodeError> {
    let error = |detail: String| DecodeError::new("turn metrics of VideoSDK", detail);
    let value: Value = serde_json::from_slice(body).map_err(|e| error(e.to_string()))?;
    let Some(Value::Array(items)) = value.get("data") else {
        return Err(error("data must be an array of turns".to_owned()));
    };
    let mut resource = Resource::default();
    resource.attributes.push("service.name", SERVICE);
    resource.attributes.push("sdk.name", "AGENTS");
    if let Some(agent) = value.get("agentId").and_then(Value::as_str) {
        resource.attributes.push("agentId", agent);
    }
    let resource = Arc::new(resource);
    let scope = Arc::new(Scope {
        name: TURNS.to_owned(),
        ..Scope::default()
    });
    let mut decoded = Decoded::default();
    for (index, item) in items.iter().enumerate() {
        let Value::Object(fields) = item else {
            decoded.rejected.record(format!(
                "turn {} was left out: it must be an object, got {}",
                index + 1,
                json::kind(item)
            ));
            continue;
        };
        let turn = Turn {
            fields,
            resource: &resource,
            scope: &scope,
            received,
            identity: fingerprint(&[item.to_string().as_bytes()]),
        };
        turn.points(index + 1, &mut decoded);
    }
    Ok(decoded)
}

/// Understands points of turns that come back as OTLP: the whole of a turn stands on its counter,
/// and one identity holds its points together.
pub(crate) fn understand(points: &mut [PointEntry]) {
    for points in points.chunk_by_mut(|a, b| a.identity.is_some() && a.identity == b.identity) {
        let whole = points.iter().find_map(|entry| {
            let point = &entry.point;
            let is_whole = point.scope.name == TURNS && point.metric.name == TURNS;
            let sent = point.exemplars.first().filter(|_| is_whole)?;
            Some((
                entry.identity?,
                Arc::clone(&point.resource),
                Arc::clone(&point.scope),
                sent.clone(),
            ))
        });
        let Some((identity, resource, scope, sent)) = whole else {
            continue;
        };
        let sent_fields = sent.filtered_attributes.iter();
        let turn = Turn {
            fields: &sent_fields
                .map(|kv| (kv.key.clone(), kv.value.to_json()))
                .collect(),
            resource: &resource,
            scope: &scope,
            received: sent.time,
            identity,
        };
        turn.relate(points);
    }
}

struct Turn<'a> {
    fields: &'a Map<String, Value>,
    resource: &'a Arc<Resource>,
    scope: &'a Arc<Scope>,
    received: i64,
    identity: u64,
}

/// Figures that every version sends: what is no number there is reported.
const FIGURES: [&str; 12] = [
    "e2eLatency",
    "sttLatency",
    "eouLatency",
    "ttft",
    "llmDuration",
    "promptTokens",
    "completionTokens",
    "totalTokens",
    "promptCachedTokens",
    "ttsLatency",
    "ttfb",
    "ttsCharacters",
];

impl Turn<'_> {
    /// One point a figure, and one that counts the turn and keeps all that was sent.
    fn points(&self, nth: usize, into: &mut Decoded) {
        self.check(nth, &mut into.rejected);
        let first = into.batch.points.len();
        into.batch.points.push(self.whole());
        for (key, value) in self.fields {
            // Times are seconds of a clock of the process's own.
            if let Some(x) = value.as_f64().filter(|_| !key.ends_with("Time")) {
                into.batch.points.push(self.figure(key, x));
            }
        }
        self.relate(into.batch.points.get_mut(first..).unwrap_or_default());
    }

    /// Gives the turn's points their calls and what those used.
    fn relate(&self, points: &mut [PointEntry]) {
        let main = self
            .llm()
            .or_else(|| calls::realtime(self.ns("e2eLatency"), calls::TURN))
            .or_else(|| self.text_to_speech());
        points.iter_mut().for_each(|entry| entry.call = main);
        for (carriers, usage, call) in self.usages() {
            let carrier = carriers.iter().find_map(|key| {
                points
                    .iter()
                    .position(|entry| entry.point.metric.name == name(key))
            });
            if let Some(entry) = carrier.and_then(|index| points.get_mut(index)) {
                entry.usage = Some(usage);
                entry.call = call;
            }
        }
    }

    fn check(&self, nth: usize, rejected: &mut Rejected) {
        for key in FIGURES {
            if let Some(value) = self.fields.get(key)
                && !value.is_number()
                && !value.is_null()
            {
                rejected.note(format!(
                    "turn {nth} was kept without its {key}: it must be a number, got {}",
                    json::kind(value)
                ));
            }
        }
    }

    fn text(&self, key: &str) -> &str {
        json::text(self.fields, key).unwrap_or_default()
    }

    /// Milliseconds in ns.
    fn ns(&self, key: &str) -> Option<i64> {
        scaled(self.fields.get(key)?.as_f64()?, 1.0e6)
    }

    fn count(&self, key: &str) -> Option<i64> {
        scaled(self.fields.get(key)?.as_f64()?, 1.0)
    }

    fn component(&self, kind: &str) -> Component<'_> {
        Component {
            class: json::text(self.fields, &format!("{kind}ProviderClass")),
            model: json::text(self.fields, &format!("{kind}ModelName")),
        }
    }

    /// The call of the model; none in a turn of a realtime model, which reports no such tokens.
    fn llm(&self) -> Option<Call> {
        let tokens = ["promptTokens", "completionTokens", "totalTokens"].map(|key| self.count(key));
        let answer = if tokens == [None; 3] {
            ""
        } else {
            self.text("agent_speech")
        };
        calls::llm(
            self.component("llm"),
            self.ns("llmDuration"),
            tokens,
            answer,
            calls::TURN,
        )
    }

    fn text_to_speech(&self) -> Option<Call> {
        let spoken = self.ns("agentSpeechDuration");
        calls::text_to_speech(
            self.component("tts"),
            self.count("ttsCharacters"),
            spoken,
            self.text("agent_speech"),
            calls::TURN,
        )
    }

    /// What the turn used: the figures that may carry it, the usage, and its call.
    fn usages(&self) -> Vec<(&'static [&'static str], PointUsage, Option<Call>)> {
        let mut found: Vec<(&'static [&'static str], PointUsage, Option<Call>)> = Vec::new();
        let mut add = |carriers, kind: &str, operation, usage: Usage, call| {
            let of = self.component(kind);
            let usage = PointUsage {
                usage,
                operation,
                model: of.model.map(str::to_owned),
                provider: of.class.map(provider),
                duration: None,
                time_to_first_token: None,
            };
            found.push((carriers, usage, call));
        };
        let tokens = self.tokens([
            "promptTokens",
            "promptCachedTokens",
            "completionTokens",
            "totalTokens",
        ]);
        if !tokens.is_empty() {
            add(
                &["totalTokens", "promptTokens", "completionTokens"],
                "llm",
                Operation::Chat,
                of_tokens(tokens),
                self.llm(),
            );
        }
        let realtime = Tokens {
            reasoning: self.count("realtimeThoughtsTokens"),
            audio_input: self.count("realtimeInputAudioTokens"),
            audio_output: self.count("realtimeOutputAudioTokens"),
            ..self.tokens([
                "realtimeInputTokens",
                "realtimeInputCachedTokens",
                "realtimeOutputTokens",
                "realtimeTotalTokens",
            ])
        };
        if !realtime.is_empty() {
            let call = calls::realtime(self.ns("e2eLatency"), calls::TURN);
            let carriers = &[
                "realtimeTotalTokens",
                "realtimeInputTokens",
                "realtimeOutputTokens",
            ];
            add(carriers, "realtime", Operation::Chat, of_tokens(realtime), call);
        }
        if let Some(characters) = self.count("ttsCharacters").filter(|n| *n > 0) {
            let usage = Usage {
                characters: Some(characters),
                ..Usage::default()
            };
            let call = self.text_to_speech();
            add(&["ttsCharacters"], "tts", Operation::TextToSpeech, usage, call);
        }
        let heard = self.fields.get("sttDuration").and_then(Value::as_f64);
        if let Some(audio_ns) = heard.and_then(|s| scaled(s, 1.0e9)).filter(|ns| *ns > 0) {
            let usage = Usage {
                audio_ns: Some(audio_ns),
                ..Usage::default()
            };
            let (of, latency) = (self.component("stt"), self.ns("sttLatency"));
            let call = calls::speech_to_text(of, latency, self.text("user_speech"), calls::TURN);
            add(&["sttDuration"], "stt", Operation::SpeechToText, usage, call);
        }
        if let Some((_, usage, _)) = found
            .first_mut()
            .filter(|(_, usage, _)| usage.operation == Operation::Chat)
        {
            usage.duration = self.ns("llmDuration");
            usage.time_to_first_token = self.ns("ttft");
        }
        found
    }

    fn tokens(&self, [input, cached, output, total]: [&str; 4]) -> Tokens {
        Tokens {
            input: self.count(input),
            cached_input: self.count(cached),
            output: self.count(output),
            total: self.count(total),
            ..Tokens::default()
        }
    }

    /// The point that counts the turn. All that was sent stands on its exemplar, as what
    /// aggregation leaves out of a series does.
    fn whole(&self) -> PointEntry {
        let metric = Metric {
            name: TURNS.to_owned(),
            description: "Completed turns; the exemplar has all that the agent sent".to_owned(),
            unit: "{turn}".to_owned(),
            kind: MetricKind::Sum,
            temporality: Temporality::Delta,
            monotonic: true,
            metadata: Vec::new(),
        };
        let interrupted = self.fields.get("interrupted").and_then(Value::as_bool);
        let mut attributes = Attributes::default();
        attributes.push("interrupted", interrupted.unwrap_or(false));
        let mut entry = self.entry(metric, attributes, PointValue::Int(1));
        entry.point.exemplars.push(Exemplar {
            time: self.received,
            value: PointValue::Int(1),
            trace_id: None,
            span_id: None,
            filtered_attributes: json::attributes(self.fields, &[]),
        });
        entry
    }

    fn figure(&self, key: &str, value: f64) -> PointEntry {
        let metric = Metric {
            name: name(key),
            unit: unit(key).to_owned(),
            ..Metric::default()
        };
        let mut attributes = Attributes::default();
        let part = ["stt", "tts", "eou", "vad", "kb", "realtime"]
            .into_iter()
            .find(|part| key.starts_with(part));
        let of = match part {
            Some(part) => self.component(part),
            None if key == "ttfb" => self.component("tts"),
            None if key.starts_with("user") || key.starts_with("agent") || key == "e2eLatency" => {
                Component::default()
            }
            None => self.component("llm"),
        };
        if let Some(class) = of.class {
            attributes.push("provider", provider(class));
        }
        if let Some(model) = of.model {
            attributes.push("model", model);
        }
        self.entry(metric, attributes, PointValue::Double(value))
    }

    fn entry(&self, metric: Metric, attributes: Attributes, value: PointValue) -> PointEntry {
        PointEntry {
            point: MetricPoint {
                resource: Arc::clone(self.resource),
                scope: Arc::clone(self.scope),
                metric: Arc::new(metric),
                attributes,
                start_time: 0,
                time: self.received,
                flags: 0,
                value,
                exemplars: Vec::new(),
            },
            origin: Origin {
                system: System::VideoSdk,
                session: json::text(self.fields, "sessionId").map(str::to_owned),
                room: json::text(self.fields, "roomId").map(str::to_owned),
                ..Origin::default()
            },
            usage: None,
            identity: Some(self.identity),
            call: None,
        }
    }
}

fn of_tokens(tokens: Tokens) -> Usage {
    Usage {
        tokens: tokens.with_total(),
        ..Usage::default()
    }
}

/// `x * factor` as an integer; negative and huge figures are none.
fn scaled(x: f64, factor: f64) -> Option<i64> {
    let x = x * factor;
    (0.0..9.0e18).contains(&x).then(|| x.round() as i64)
}

/// `e2eLatency` is `videosdk.e2e_latency`.
fn name(key: &str) -> String {
    let mut name = String::from("videosdk.");
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// UCUM unit of a figure. Latencies are in milliseconds, audio heard in seconds.
fn unit(key: &str) -> &'static str {
    match key {
        "sttDuration" => "s",
        "sttConfidence" | "eouProbability" => "1",
        "tokensPerSecond" => "{token}/s",
        "ttsCharacters" => "{character}",
        _ if key.ends_with("Tokens") => "{token}",
        "ttft" | "ttfb" | "realtimeTtfb" => "ms",
        _ if key.ends_with("Latency") || key.ends_with("Duration") || key.ends_with("Ms") => "ms",
        _ => "",
    }
}
