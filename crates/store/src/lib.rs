//! trait Store and the embedded DuckDB engine
