//! Charts on canvas: the one place that knows plotters.

mod chart;
mod data;
mod draw;
mod hands;
mod legend;
mod metric;
mod plot;
mod sheet;
mod table;
mod tip;

pub(crate) use chart::Chart;
pub(crate) use data::{Data, Kind, Series, hue};
pub(crate) use metric::{Show, metric, what};
