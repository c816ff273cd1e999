//! Charts on canvas: the one place that knows plotters.

mod chart;
mod draw;
mod metric;
mod series;

pub(crate) use chart::Chart;
pub(crate) use metric::{Show, metric, what};
pub(crate) use series::{Data, Kind, Series, top_groups};
