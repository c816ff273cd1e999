//! How long what is kept stays, and what went last.

use crate::components::fact::Fact;
use crate::components::time_text::TimeText;
use leptos::prelude::*;
use meshscope_api::status::{ProjectRetention, Removed, Retention};
use meshscope_layout::format;

fn age(age_ns: Option<i64>) -> String {
    age_ns.map_or_else(|| "forever".to_owned(), format::duration)
}

fn size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "unlimited".to_owned(), format::bytes)
}

/// The rules of retention, and what was removed by them.
#[component]
pub(super) fn Rules(
    rules: Retention,
    removed: Option<Removed>,
    free: u64,
    trouble: Option<String>,
) -> impl IntoView {
    let whole = |n: u64| format::integer(i64::try_from(n).unwrap_or(i64::MAX));
    let last = match removed {
        None => view! { <p class="muted">"Nothing was removed yet."</p> }.into_any(),
        Some(removed) => view! {
            <p class="muted">
                "Last removed, "<TimeText ns=removed.at />": "
                {format!(
                    "{} spans, {} log records, {} metric points; the file became {} smaller",
                    whole(removed.spans), whole(removed.logs), whole(removed.metric_points), format::bytes(removed.freed_bytes)
                )}
            </p>
        }
        .into_any(),
    };
    let project = |rule: ProjectRetention| {
        view! {
            <tr><td>{rule.project}</td><td class="num">{age(rule.age_ns)}</td><td class="num">{size(rule.size_bytes)}</td></tr>
        }
    };
    let projects = (!rules.projects.is_empty()).then(|| {
        view! {
            <table class="list">
                <thead><tr><th>"Project"</th><th class="num">"Kept for"</th><th class="num">"Up to"</th></tr></thead>
                <tbody>{rules.projects.into_iter().map(project).collect_view()}</tbody>
            </table>
        }
    });
    view! {
        <section class="panel card">
            <h2>"Retention"</h2>
            {trouble.map(|trouble| view! { <p class="error" role="alert">{trouble}</p> })}
            <div class="facts">
                <Fact name="Kept for" value=age(rules.age_ns) />
                <Fact name="Up to" value=size(rules.size_bytes) title="Of the whole store; the oldest goes first".to_owned() />
                <Fact name="Free within the file" value=format::bytes(free) />
            </div>
            {projects}
            {last}
        </section>
    }
}
