//! The server: receivers, query API, the studio's files, command line.

pub mod api;
mod app;
mod ask;
mod auth;
mod body;
pub mod cli;
mod client;
pub mod config;
pub mod demo;
mod doors;
mod file;
mod grpc;
mod health;
mod ingest;
mod life;
mod live;
mod mcp_mesh;
mod metrics;
mod otlp;
mod pour;
mod prices;
mod process;
mod recordings;
mod retention;
mod serve;
mod services;
mod session;
mod stats;
mod studio;
mod tell;
mod trace;
mod transfer;

pub use serve::{Running, start};
