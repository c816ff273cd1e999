//! The product as its users see it: the real server, real OpenTelemetry clients, real Chromium.
//! One binary, so that it is linked once; a page's tests alone: `--test browser usage::`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

mod accessible;
mod console;
mod metrics;
mod pace;
mod recordings;
mod sessions;
mod studio;
mod systems;
mod usage;
mod views;
mod waterfall;
