//! The server: receivers, query API, the studio's files, command line.

pub mod api;
mod app;
mod auth;
mod body;
pub mod cli;
pub mod config;
pub mod demo;
mod doors;
mod grpc;
mod ingest;
mod life;
mod mcp_mesh;
mod otlp;
mod prices;
mod retention;
mod serve;
mod stats;
mod studio;
mod transfer;

pub use serve::{Running, start};
