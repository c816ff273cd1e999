//! Charts on canvas: the one place that knows plotters.

mod chart;
mod data;
mod draw;
mod legend;
mod metric;
mod sheet;
mod table;

pub(crate) use chart::Chart;
pub(crate) use data::{Data, Kind, Series, hue};
pub(crate) use metric::{Show, metric, what};
