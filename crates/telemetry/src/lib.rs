//! Decodes OTLP and agent dialects into the model
