//! A filter of the table by what spans have in common, as a click on a figure or a node sets it.

use super::Loaded;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_analysis::statistics::By;
use meshscope_model::Operation;

/// What spans are put together by, with its name in the URL and its title.
pub(crate) const BYS: [(By, &str, &str); 6] = [
    (By::Name, "name", "Name"),
    (By::Service, "service", "Service"),
    (By::Agent, "agent", "Agent"),
    (By::Model, "model", "Model"),
    (By::Tool, "tool", "Tool"),
    (By::Operation, "operation", "Operation"),
];

/// The filter in the URL: `agent:planner`.
pub(crate) fn only(by: By, value: &str) -> String {
    let word = BYS
        .iter()
        .find(|(known, ..)| *known == by)
        .map_or("name", |(_, word, _)| word);
    format!("{word}:{value}")
}

/// The rows that the filter leaves, in the order of start; all without one.
pub(crate) fn rows(loaded: &Loaded, filter: Option<&str>) -> Vec<u32> {
    let columns = &loaded.columns;
    let all = 0..columns.len() as u32;
    let Some((word, value)) = filter.and_then(|filter| filter.split_once(':')) else {
        return all.collect();
    };
    let texts = match word {
        "name" => &columns.name,
        "service" => &columns.service,
        "agent" => &columns.agent,
        "model" => &columns.model,
        "tool" => &columns.tool,
        _ => {
            let is = |row: &u32| {
                let operation = columns.operation.get(*row as usize).copied().unwrap_or(0);
                Operation::from_number(operation).as_str() == value
            };
            return all.filter(is).collect();
        }
    };
    let Some(wanted) = columns.strings.iter().position(|text| text == value) else {
        return Vec::new();
    };
    all.filter(|row| {
        texts
            .get(*row as usize)
            .is_some_and(|index| *index as usize == wanted)
    })
    .collect()
}

/// The filter that is on, with a way to take it off.
#[component]
pub(crate) fn OnlyMark() -> impl IntoView {
    let only = param("only");
    let patch = use_patch();
    move || {
        let patch = patch.clone();
        only.get().map(|filter| {
            let (word, value) = filter.split_once(':').unwrap_or(("", &filter));
            let text = format!("{word} {value} \u{2715}");
            view! {
                <button class="pill on" title="Show all spans again" on:click=move |_| patch(&[("only", None)])>{text}</button>
            }
        })
    }
}
