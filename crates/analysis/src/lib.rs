//! Trees, self time, critical path, totals, sessions, cost. Pure: no I/O, no clock.
//!
//! Everything about a trace works on [`meshscope_model::SpanColumns`] by row number, in arrays
//! of plain integers, without recursion: it may have a million spans or be a thousand levels deep.

pub mod cost;
pub mod tree;

#[cfg(test)]
mod testing;

pub use tree::Tree;
