//! The binary meshscope: receivers, query API, static files, CLI
