//! What the figures are of: project, room, time and filters, all in the URL; and asking for them.

use crate::client::{self, Fetch, use_fetch_while};
use crate::components::time_text::zone_name;
use crate::components::top_bar::{scoped, scoped_params};
use crate::state::time_range::Range;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use meshscope_api::{Params, UsageGroupBy, UsageKey, UsageReport};

/// Filters of the page besides project, room and time.
pub(super) const FILTERS: [&str; 18] = [
    "q",
    "system",
    "session",
    "agent",
    "role",
    "model",
    "provider",
    "tool",
    "service",
    "version",
    "operation",
    "user",
    "trace",
    "none",
    "where",
    "blocked",
    "has_error",
    "status",
];

/// Names and values of a query.
pub(super) type Pairs = Vec<(String, String)>;

/// Everything that chooses calls.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Selection {
    /// Time, project, room.
    scope: (Range, Option<String>, Option<String>),
    /// Those of [`FILTERS`] that are set.
    pub filters: Pairs,
}

impl Selection {
    /// All time has no period before it.
    pub(super) fn has_before(&self) -> bool {
        self.scope.0.length().is_some()
    }

    /// As the API takes it, now.
    pub(super) fn params(&self) -> Params {
        let mut params = scoped_params(&self.scope);
        params.0.extend(self.filters.iter().cloned());
        params.set("tz", zone_name());
        params
    }
}

/// What the URL chooses.
pub(super) fn selection() -> Memo<Selection> {
    let (scope, query) = (scoped(), use_query_map());
    Memo::new(move |_| Selection {
        scope: scope.get(),
        filters: query.with(|query| {
            let set = |name: &&str| {
                let value = query.get(name).filter(|value| !value.is_empty())?;
                Some(((*name).to_owned(), value))
            };
            FILTERS.iter().filter_map(set).collect()
        }),
    })
}

/// Sets `name` alone.
pub(super) fn only(params: &mut Params, name: &str, value: &str) {
    params.0.retain(|(known, _)| known != name);
    params.set(name, Some(value));
}

/// The filter for what has this value of a key: `model=gpt-4o`, `none=model` where it has none.
pub(super) fn filter_of(key: &UsageKey, value: &str) -> (String, String) {
    match key {
        UsageKey::Attribute(key) => ("where".to_owned(), format!("{key}={value}")),
        UsageKey::By(by) if value.is_empty() => ("none".to_owned(), by.as_str().to_owned()),
        UsageKey::By(by) => (by.as_str().to_owned(), value.to_owned()),
    }
}

/// The keys that `by` of the URL names: one or two, the model when none.
pub(super) fn keys(by: Option<&str>) -> Vec<UsageKey> {
    let known = by.unwrap_or_default().split(',').filter_map(UsageKey::parse);
    let mut keys: Vec<UsageKey> = known.take(2).collect();
    if keys.is_empty() {
        keys.push(UsageKey::By(UsageGroupBy::Model));
    }
    keys
}

/// Fetches a report of the selection with what `more` adds; nothing while that is `None`. One that is not
/// `live` is asked again when the selection changes, and not at each tick of the clock.
pub(super) fn use_report(more: Signal<Option<Pairs>>, live: bool) -> Fetch<UsageReport> {
    let (selection, origin) = (selection(), client::origin());
    use_fetch_while(
        move || Some((selection.get(), more.get()?)),
        move || live,
        move |(selection, more), abort| {
            let mut params = selection.params();
            params.0.extend(more);
            let origin = origin.clone();
            async move { client::get::<UsageReport>(&origin, "usage", &params, abort.as_ref()).await }
        },
    )
}

/// Names and values as [`use_report`] takes them.
pub(super) fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}
