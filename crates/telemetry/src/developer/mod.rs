//! What developers post by hand or from a console: log lines of any form ([`logs`]), and the
//! frames of MeshAgent's developer stream ([`frames`]).

mod frames;
mod line;
mod logs;

pub use frames::frames;
pub use line::fields as line_fields;
pub use logs::{logs, names};

use crate::json;
use serde_json::Value;

/// The items of a body: an array's, or JSON documents one after the other, one a line or spread
/// over lines. An item that cannot be read is an error with what is wrong and stands in its place.
fn items(text: &str) -> Vec<Result<Value, String>> {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return match value {
            Value::Array(items) => items.into_iter().map(Ok).collect(),
            one => vec![Ok(one)],
        };
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).map_err(|error| format!("it is no JSON: {error}")))
        .collect()
}

/// What is wrong with an item that should be an object.
fn no_object(value: &Value) -> String {
    format!("it must be an object, got {}", json::kind(value))
}
