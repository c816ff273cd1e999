//! Where things stand on the screen: rows, viewport, ticks, bars, level of detail, hit test,
//! and numbers as text. Pure: what the canvas draws is decided and tested here.
//!
//! A *span* is a row number of [`meshscope_model::SpanColumns`]; a *line* is a place in the
//! list of what is visible, from the top.

mod bitset;
pub mod format;
pub mod rows;
pub mod ticks;
pub mod viewport;

#[cfg(test)]
mod testing;

pub use rows::{Line, Rows, Step};
pub use viewport::{Scroll, TimeView};
