//! Where things stand on the screen: rows, viewport, ticks, bars, level of detail, hit test,
//! and numbers as text. Pure: what the canvas draws is decided and tested here.
//!
//! A *span* is a row number of [`meshscope_model::SpanColumns`]; a *line* is a place in the
//! list of what is visible, from the top.

pub mod ansi;
pub mod bars;
mod bitset;
pub mod flame;
pub mod format;
pub mod gaps;
pub mod graph;
pub mod group_bar;
pub mod heavy;
pub mod hit;
mod lanes;
pub mod minimap;
pub mod profile;
pub mod reduce;
pub mod rows;
pub mod stretches;
pub mod text;
pub mod ticks;
pub mod viewport;
pub mod waterfall;
pub mod wave;

#[cfg(test)]
mod testing;

pub use bars::{Bar, BarPlace, Label, Side};
pub use flame::Flame;
pub use gaps::{Gap, Gaps};
pub use graph::{GraphHit, GraphLayout};
pub use group_bar::GroupBar;
pub use heavy::HeavyFlame;
pub use hit::{Hit, Part};
pub use lanes::Rect;
pub use minimap::{Minimap, Painting, Run};
pub use profile::{Bucket, Profile};
pub use rows::{Line, Rows, Step};
pub use stretches::{Painted, density, painted};
pub use viewport::{Scroll, TimeView};
pub use waterfall::{Frame, Waterfall};
