//! The server: receivers, query API, the studio's files, command line.

pub mod api;
mod app;
mod ask;
mod auth;
mod body;
mod budgets;
pub mod cli;
mod client;
pub mod config;
pub mod demo;
mod doors;
mod grpc;
mod health;
mod ingest;
mod kept;
mod life;
mod live;
mod mcp_mesh;
mod metrics;
mod otlp;
mod pour;
mod price_api;
mod prices;
mod process;
mod retention;
mod serve;
mod services;
mod stats;
mod studio;
mod tell;
mod trace;
mod transfer;
mod usage;

pub use serve::{Running, start};
