//! Small marks: system, errors, blocked, status. Colour never stands alone.

use leptos::prelude::*;
use meshscope_api::SessionStatus;
use meshscope_model::System;

/// The agent system.
#[component]
pub(crate) fn SystemBadge(system: System) -> impl IntoView {
    view! { <span class="badge">{system.title()}</span> }
}

/// How many errors; nothing when there are none.
#[component]
pub(crate) fn Errors(count: u32, #[prop(optional)] word: bool) -> impl IntoView {
    (count > 0).then(|| {
        let title = if count == 1 {
            "1 error".to_owned()
        } else {
            format!("{count} errors")
        };
        let text = if word { title.clone() } else { count.to_string() };
        view! { <span class="badge err" title=title>"\u{25cf} " {text}</span> }
    })
}

/// How many blocked steps; nothing when there are none.
#[component]
pub(crate) fn Blocked(count: u32, #[prop(optional)] word: bool) -> impl IntoView {
    (count > 0).then(|| {
        let title = format!("{count} blocked");
        let text = if word { title.clone() } else { count.to_string() };
        view! { <span class="badge blk" title=title>"\u{25c6} " {text}</span> }
    })
}

/// How many turns were cut short; nothing when there are none.
#[component]
pub(crate) fn Interrupted(count: u32, #[prop(optional)] word: bool) -> impl IntoView {
    (count > 0).then(|| {
        let title = format!("{count} interrupted");
        let text = if word { title.clone() } else { count.to_string() };
        view! { <span class="badge cut" title=title>"\u{25d0} " {text}</span> }
    })
}

/// How a session stands.
#[component]
pub(crate) fn Status(status: SessionStatus) -> impl IntoView {
    match status {
        SessionStatus::Active => view! { <span class="status-active">"\u{25cf} active"</span> }.into_any(),
        SessionStatus::Failed => view! { <span class="badge err">"\u{25cf} failed"</span> }.into_any(),
        SessionStatus::Ended => view! { <span class="muted">"ended"</span> }.into_any(),
    }
}
