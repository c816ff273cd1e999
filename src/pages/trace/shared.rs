//! What all views of a trace share: the trace, one selection, and the colours of its services.

use super::Loaded;
use leptos::prelude::*;
use meshscope_model::{SpanColumns, SpanId};
use std::sync::Arc;

/// The trace on the page and what of it is selected.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    /// Its id, as the URL has it.
    pub id: Memo<String>,
    /// As much of it as is here.
    pub loaded: Memo<Option<Arc<Loaded>>>,
    /// Id of the selected span, as the URL has it.
    pub span: Memo<Option<String>>,
    /// Selects a span by its id, or none.
    pub select: Callback<Option<String>>,
}

impl Shown {
    /// Row of the selected span.
    pub(crate) fn row(&self) -> Option<u32> {
        let id = self.span.get()?.parse::<SpanId>().ok()?;
        self.loaded.with(|loaded| {
            let loaded = loaded.as_ref()?;
            loaded.tree.row_of(&loaded.columns, id.as_u64())
        })
    }

    /// Selects the span of a row.
    pub(crate) fn choose(&self, row: u32) {
        let id = self
            .loaded
            .with_untracked(|loaded| Some(span_id(&loaded.as_ref()?.columns, row)));
        self.select.run(id);
    }

    /// Whether the trace may still change.
    pub(crate) fn is_running(&self) -> bool {
        self.loaded
            .with_untracked(|loaded| loaded.as_ref().is_some_and(|loaded| loaded.is_running()))
    }
}

/// Id of the span of a row, as the URL has it; empty when there is none.
pub(crate) fn span_id(columns: &SpanColumns, row: u32) -> String {
    let id = columns.span_id.get(row as usize);
    id.map_or_else(String::new, |id| SpanId::from_u64(*id).to_string())
}

/// The services of a trace in the order in which they start, each with a hue of its number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Services {
    /// By interned string.
    numbers: Vec<usize>,
    /// Interned strings of the services.
    names: Vec<u32>,
}

impl Services {
    /// The services of a trace.
    pub(crate) fn of(columns: &SpanColumns) -> Self {
        let mut services = Self {
            numbers: vec![usize::MAX; columns.strings.len()],
            names: Vec::new(),
        };
        for service in &columns.service {
            let number = services.numbers.get_mut(*service as usize);
            if let Some(number) = number.filter(|number| **number == usize::MAX) {
                *number = services.names.len();
                services.names.push(*service);
            }
        }
        services
    }

    /// Number of the hue of a service, an interned string.
    pub(crate) fn hue(&self, service: u32) -> usize {
        self.numbers.get(service as usize).copied().unwrap_or(0)
    }
}

/// How many services a legend names.
const NAMED: usize = 12;

/// Which hue is which service.
#[component]
pub(crate) fn Legend(loaded: Arc<Loaded>) -> impl IntoView {
    let services = Services::of(&loaded.columns);
    let more = services.names.len().saturating_sub(NAMED);
    let entry = |(number, name): (usize, &u32)| {
        let class = format!("swatch h{}", number % 6 + 1);
        let name = match loaded.columns.string(*name) {
            "" => "no service".to_owned(),
            name => name.to_owned(),
        };
        view! { <span class="legend-entry"><i class=class></i>{name}</span> }
    };
    let entries = services
        .names
        .iter()
        .enumerate()
        .take(NAMED)
        .map(entry)
        .collect_view();
    view! {
        <div class="legend" aria-label="Services">
            {entries}
            {(more > 0).then(|| view! { <span class="muted">{format!("+{more}")}</span> })}
        </div>
    }
}
