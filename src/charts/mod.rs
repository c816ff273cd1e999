//! Charts on canvas: the one place that knows plotters.

mod chart;
mod draw;
mod series;

pub(crate) use chart::Chart;
pub(crate) use series::{Data, Kind, Series, metric, top_groups};
