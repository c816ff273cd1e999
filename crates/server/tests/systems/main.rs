//! What real agent systems sent, replayed as they sent it: the figures that a person expects.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

#[path = "../common.rs"]
mod common;
mod conversation;
mod dexto;
mod meshagent;
mod meshflow;
mod reference;
mod replay;
mod round_trip;
mod videosdk;
