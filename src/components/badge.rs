//! Small marks: system, errors, blocked, status. Colour never stands alone.

use leptos::prelude::*;
use meshscope_api::SessionStatus;
use meshscope_layout::format;
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
        let number = format::count(count.into());
        let title = if count == 1 {
            "1 error".to_owned()
        } else {
            format!("{number} errors")
        };
        let text = if word { title.clone() } else { number };
        view! { <span class="badge err" title=title>"\u{25cf} " {text}</span> }
    })
}

/// How many blocked steps; nothing when there are none.
#[component]
pub(crate) fn Blocked(count: u32, #[prop(optional)] word: bool) -> impl IntoView {
    (count > 0).then(|| {
        let number = format::count(count.into());
        let title = format!("{number} blocked");
        let text = if word { title.clone() } else { number };
        view! { <span class="badge blk" title=title>"\u{25c6} " {text}</span> }
    })
}

/// How many turns were cut short; nothing when there are none.
#[component]
pub(crate) fn Interrupted(count: u32, #[prop(optional)] word: bool) -> impl IntoView {
    (count > 0).then(|| {
        let number = format::count(count.into());
        let title = format!("{number} interrupted");
        let text = if word { title.clone() } else { number };
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
