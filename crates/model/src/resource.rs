//! What emitted a record: the resource (a process, a container) and the scope (a library).

use crate::value::Attributes;
use serde::{Deserialize, Serialize};

/// The entity that emitted telemetry, described by its attributes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Resource {
    /// For example `service.name`.
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    #[serde(default)]
    pub dropped_attributes_count: u32,
    /// Schema of the attribute names; empty when the sender named none.
    #[serde(default)]
    pub schema_url: String,
}

impl Resource {
    /// `service.name`, or `unknown_service` as the specification has it.
    #[must_use]
    pub fn service(&self) -> &str {
        self.attributes.text("service.name").unwrap_or("unknown_service")
    }

    /// `service.version`, when there is one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.attributes
            .text("service.version")
            .filter(|version| !version.is_empty())
    }
}

/// The instrumentation scope: the library, module or agent that made the record.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Name, may be empty.
    #[serde(default)]
    pub name: String,
    /// Version, may be empty.
    #[serde(default)]
    pub version: String,
    /// Attributes of the scope itself.
    #[serde(default)]
    pub attributes: Attributes,
    /// How many attributes the sender dropped.
    #[serde(default)]
    pub dropped_attributes_count: u32,
    /// Schema of the names used under this scope.
    #[serde(default)]
    pub schema_url: String,
}
