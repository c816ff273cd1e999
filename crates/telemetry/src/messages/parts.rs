//! A part of a message in the shapes of the GenAI conventions and of the APIs that senders
//! copy from: OpenAI (chat and responses), Anthropic, Gemini, the Vercel AI SDK.

use meshscope_model::Part;
use serde_json::{Map, Value};

/// The parts that `value` is: a text, a part, or a list of them.
pub(super) fn all(value: &Value) -> Vec<Part> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::Array(items) => items.iter().filter(|item| !item.is_null()).map(one).collect(),
        other => vec![one(other)],
    }
}

/// True when `value` has the looks of a part rather than of a message: a kind and no role.
pub(super) fn looks_like(value: &Value) -> bool {
    let Value::Object(map) = value else {
        return value.is_string();
    };
    !map.contains_key("role") && (map.contains_key("type") || map.contains_key("text"))
}

/// The part that `value` is; what is not known is kept as JSON.
pub(super) fn one(value: &Value) -> Part {
    let Value::Object(map) = value else {
        return text(plain(value));
    };
    if let Some(inner) = map.get("message_content").or_else(|| map.get("tool_call")) {
        return one(inner);
    }
    let kind = str(map, &["type"]).unwrap_or_default();
    known(kind, map).unwrap_or_else(|| unknown(kind, value))
}

/// What is not known, as JSON.
pub(super) fn unknown(kind: &str, value: &Value) -> Part {
    Part::Other {
        kind: kind.to_owned(),
        content: value.to_string(),
    }
}

fn known(kind: &str, map: &Map<String, Value>) -> Option<Part> {
    match kind {
        "text" | "input_text" | "output_text" | "summary_text" | "refusal" => {
            str(map, &["content", "text", "refusal"]).map(|content| text(content.to_owned()))
        }
        "reasoning" | "thinking" => reasoning(map),
        "tool_call" | "tool_use" | "tool-call" | "function_call" | "server_tool_use" | "function" => {
            call(map)
        }
        "tool_call_response" | "tool_result" | "tool-result" | "function_call_output" => Some(result(map)),
        "" => untyped(map),
        "blob" | "uri" | "file" | "image" | "image_url" | "audio" | "video" | "document" | "media"
        | "input_image" | "input_audio" | "input_file" => media(kind, map),
        _ => None,
    }
}

/// Gemini names a part by its only key; others leave the kind of a text or call out.
fn untyped(map: &Map<String, Value>) -> Option<Part> {
    if let Some(content) = str(map, &["text"]) {
        let content = content.to_owned();
        let thought = map.get("thought").and_then(Value::as_bool) == Some(true);
        return Some(if thought {
            Part::Reasoning { content }
        } else {
            text(content)
        });
    }
    if let Some(Value::Object(inner)) = map.get("functionCall").or_else(|| map.get("function_call")) {
        return call(inner);
    }
    if let Some(Value::Object(inner)) = map
        .get("functionResponse")
        .or_else(|| map.get("function_response"))
    {
        return Some(result(inner));
    }
    let data = map.get("inlineData").or_else(|| map.get("inline_data"));
    let file = map.get("fileData").or_else(|| map.get("file_data"));
    match data.or(file) {
        Some(Value::Object(inner)) => located(inner),
        _ => call(map),
    }
}

/// A call of a tool, when it names one.
pub(super) fn call(map: &Map<String, Value>) -> Option<Part> {
    let function = match map.get("function") {
        Some(Value::Object(function)) => function,
        _ => map,
    };
    let name = str(function, &["name", "toolName", "tool_name"])?.to_owned();
    let arguments = ["arguments", "input", "args"]
        .iter()
        .find_map(|key| function.get(*key));
    Some(Part::ToolCall {
        id: id(map),
        name,
        arguments: arguments.map(plain).unwrap_or_default(),
    })
}

fn result(map: &Map<String, Value>) -> Part {
    let content = ["response", "result", "content", "output"]
        .iter()
        .find_map(|key| map.get(*key));
    Part::ToolResult {
        id: id(map),
        name: str(map, &["toolName", "tool_name", "name"]).map(str::to_owned),
        content: content.map(joined).unwrap_or_default(),
    }
}

/// The id that ties call and result; OpenAI's `id` beside a `call_id` names something else.
pub(super) fn id(map: &Map<String, Value>) -> Option<String> {
    str(
        map,
        &[
            "call_id",
            "callId",
            "tool_use_id",
            "toolCallId",
            "tool_call_id",
            "id",
        ],
    )
    .map(str::to_owned)
}

fn reasoning(map: &Map<String, Value>) -> Option<Part> {
    let content = match str(map, &["content", "text", "thinking"]) {
        Some(content) => content.to_owned(),
        None => joined(map.get("summary").or_else(|| map.get("content"))?),
    };
    Some(Part::Reasoning { content })
}

/// Pictures, sound and files, inside the message or elsewhere.
fn media(kind: &str, map: &Map<String, Value>) -> Option<Part> {
    // The data lies under the kind's own name, under `source`, or beside the kind.
    let inner = [kind, "image_url", "source", "input_audio", "file"]
        .iter()
        .find_map(|key| map.get(*key));
    match inner {
        Some(Value::Object(inner)) if inner.contains_key("image") => match inner.get("image") {
            Some(Value::Object(image)) => located(image),
            _ => None,
        },
        Some(Value::Object(inner)) => located(inner),
        Some(Value::String(address)) => Some(address_or_data(address, mime(map))),
        _ => located(map),
    }
}

/// Data or an address, with its media type.
fn located(map: &Map<String, Value>) -> Option<Part> {
    let address = str(map, &["url", "uri", "file_uri", "fileUri", "file_id"]);
    if let Some(address) = address {
        return Some(address_or_data(address, mime(map)));
    }
    let data = str(map, &["data", "content", "file_data"])?;
    Some(match data.starts_with("data:") {
        true => address_or_data(data, mime(map)),
        false => Part::Blob {
            mime_type: mime(map),
            data: data.to_owned(),
        },
    })
}

fn mime(map: &Map<String, Value>) -> Option<String> {
    let named = str(map, &["mime_type", "mimeType", "media_type", "mediaType"]).map(str::to_owned);
    named.or_else(|| str(map, &["format"]).map(|format| format!("audio/{format}")))
}

/// A `data:` URL is the data itself (<https://www.rfc-editor.org/rfc/rfc2397>).
fn address_or_data(address: &str, mime_type: Option<String>) -> Part {
    let inline = address
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    match inline {
        Some((media, data)) => Part::Blob {
            mime_type: Some(media.to_owned()).filter(|media| !media.is_empty()),
            data: data.to_owned(),
        },
        None => Part::Uri {
            mime_type,
            uri: address.to_owned(),
        },
    }
}

/// The first of `keys` that holds text.
pub(super) fn str<'a>(map: &'a Map<String, Value>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| map.get(*key)?.as_str())
}

/// A part of text.
pub(super) fn text(content: String) -> Part {
    Part::Text { content }
}

/// Text as it is, everything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The text of a list made of text parts alone; of everything else, [`plain`].
pub(super) fn joined(value: &Value) -> String {
    let Value::Array(items) = value else {
        return plain(value);
    };
    let texts: Option<Vec<String>> = items
        .iter()
        .map(|item| match one(item) {
            Part::Text { content } => Some(content),
            _ => None,
        })
        .collect();
    texts.map_or_else(|| plain(value), |texts| texts.join("\n"))
}
