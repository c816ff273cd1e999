//! Trees, self time, sessions, conversation, cost. Pure.

pub mod cost;
