//! A chart's figures as a table.

use super::data::Data;
use crate::components::time_text::moment;
use leptos::prelude::*;

/// Rows of the table; a file holds them all.
const MOST: usize = 500;

/// A row a step that has anything, a column a series, and the sums.
#[component]
pub(super) fn Table(data: Signal<Data>) -> impl IntoView {
    move || data.with(table)
}

fn table(data: &Data) -> AnyView {
    let head = data
        .series
        .iter()
        .map(|series| view! { <th class="num" scope="col">{series.name.clone()}</th> });
    let filled = |step: &usize| data.series.iter().any(|series| series.at(*step).is_some());
    let row = |step: usize| {
        let cells = data.series.iter().map(|series| {
            let text = series
                .at(step)
                .map_or_else(|| "\u{2013}".to_owned(), |value| data.read(value));
            view! { <td class="num">{text}</td> }
        });
        let time = moment(data.moment(step as f64));
        view! { <tr><th scope="row">{time}</th>{cells.collect_view()}</tr> }
    };
    let rows: Vec<_> = (0..data.steps()).filter(filled).collect();
    let more = rows.len().saturating_sub(MOST);
    let more = (more > 0)
        .then(|| view! { <p class="muted">{format!("{more} more; save as CSV to have them all")}</p> });
    view! {
        <div class="plot scroll" tabindex="0">
            <table class="list">
                <thead><tr><th scope="col">"Time"</th>{head.collect_view()}</tr></thead>
                <tbody>{rows.into_iter().take(MOST).map(row).collect_view()}</tbody>
            </table>
            {more}
        </div>
    }
    .into_any()
}
