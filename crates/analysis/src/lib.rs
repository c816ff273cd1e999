//! Trees, self time, critical path, folding, skew, statistics, graphs, comparison, totals, sessions,
//! cost. Pure: no I/O, no clock.
//!
//! Everything about a trace works on [`meshscope_model::SpanColumns`] by row number, in arrays
//! of plain integers, without recursion: it may have a million spans or be a thousand levels deep.

mod align;
pub mod compare;
pub mod conversation;
pub mod cost;
pub mod critical_path;
pub mod distribution;
pub mod fold;
pub mod graph;
pub mod heavy;
pub mod live;
pub mod live_tree;
pub mod log_filter;
pub mod metric;
pub mod moment;
pub mod order;
pub mod prices;
pub mod quantile;
pub mod self_time;
pub mod session;
pub mod skew;
pub mod stages;
pub mod statistics;
pub mod timeline;
pub mod totals;
pub mod tree;
pub mod what_if;

#[cfg(test)]
mod testing;

pub use compare::{Comparison, Pair, Side, Tolerance};
pub use critical_path::{Segment, critical_path};
pub use fold::{Folding, Group};
pub use graph::{Graph, NodeKind};
pub use heavy::{Heavy, HeavyNode};
pub use live::{LiveCounts, LiveFold, LiveTrace};
pub use live_tree::{LiveRow, live_tree};
pub use log_filter::LogFilter;
pub use moment::{Moments, State, Stretches, Sums};
pub use prices::{PriceTable, Prices};
pub use self_time::{own_time, own_times};
pub use session::{Sessions, TraceSession};
pub use skew::{Clock, Skew};
pub use stages::{Stages, turn_of};
pub use timeline::{Lane, LaneKind, Stretch, Timeline};
pub use totals::{Totals, TraceFacts, subtree_flags, subtree_sums};
pub use tree::Tree;
