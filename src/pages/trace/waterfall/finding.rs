//! The field that searches the trace.

use super::stage::Stage;
use crate::client::{self, use_fetch_while};
use crate::state::{param, use_patch, use_replace};
use leptos::html::Input;
use leptos::prelude::*;
use meshscope_api::Params;
use meshscope_api::search::SpanMatches;
use meshscope_layout::format;
use std::time::Duration;

/// The server is asked when nobody typed for so long.
const PAUSE: Duration = Duration::from_millis(300);
/// So many spans the server gives at the most.
const MOST: u32 = 100_000;

/// The field, how many were found, next and previous. `go` goes to the next find, or back.
#[component]
pub(super) fn FindBox(id: Memo<Option<String>>, stage: Stage, go: Callback<bool>) -> impl IntoView {
    let find = param("find");
    let only = param("only");
    let (patch, replace) = (use_patch(), use_replace());
    let origin = client::origin();
    let found = use_fetch_while(
        move || Some((id.get()?, find.get()?)),
        || false,
        move |(trace, text), abort| {
            let origin = origin.clone();
            async move {
                let mut params = Params::default();
                params.set("q", Some(&text));
                params.set("limit", Some(MOST));
                let path = format!("traces/{}/search", meshscope_api::params::encode(&trace));
                let found = client::get::<SpanMatches>(&origin, &path, &params, abort.as_ref()).await?;
                Ok((text, found))
            }
        },
    );
    let field = NodeRef::<Input>::new();
    // Counts what was typed; while it is not in the URL yet, the URL's text is an old one.
    let waits = StoredValue::new((0_u32, false));
    let said = RwSignal::new(0_u32);
    // What the URL says is looked for; what the server found comes to it.
    Effect::new(move |_| {
        let text = find.get().unwrap_or_default();
        said.track();
        let here = found.value.with(|found| {
            let (_, found) = found.as_ref().filter(|(of, _)| *of == text)?;
            let ids = found.spans.iter().map(|span| span.span_id.as_u64());
            Some((ids.collect::<Vec<_>>(), found.more))
        });
        let failed = found.error.with(Option::is_some);
        if waits.get_value().1 {
            return;
        }
        if let Some(field) = field.get().filter(|field| field.value().trim() != text) {
            field.set_value(&text);
        }
        let (ids, more) = here.map_or((failed.then(Vec::new), false), |(ids, more)| (Some(ids), more));
        stage.change(|model| model.look_for(&text, ids, more));
    });
    let say = move |text: String| {
        waits.update_value(|waits| waits.1 = false);
        let text = text.trim().to_owned();
        if find.get_untracked().unwrap_or_default() == text {
            said.update(|n| *n = n.wrapping_add(1));
        } else {
            replace(&[("find", Some(text))]);
        }
    };
    let typed = {
        let say = say.clone();
        move |event| {
            let text = event_target_value(&event);
            stage.change(|model| model.look_for(&text, None, false));
            waits.update_value(|waits| *waits = (waits.0.wrapping_add(1), true));
            let mine = waits.get_value();
            let say = say.clone();
            set_timeout(
                move || {
                    if waits.try_get_value() == Some(mine) {
                        say(text);
                    }
                },
                PAUSE,
            );
        }
    };
    let key = move |event: web_sys::KeyboardEvent| match event.key().as_str() {
        "Enter" => {
            event.prevent_default();
            go.run(event.shift_key());
        }
        "Escape" => {
            event.stop_propagation();
            waits.update_value(|waits| waits.0 = waits.0.wrapping_add(1));
            if let Some(field) = field.get_untracked() {
                field.set_value("");
            }
            stage.change(|model| model.look_for("", None, false));
            say(String::new());
            super::focus_grid();
        }
        _ => {}
    };
    let count = move || {
        stage.told.with(|told| {
            let finds = told.finds?;
            let all = format::integer(finds as i64);
            let more = if told.open { "+" } else { "" };
            Some(match told.at_find {
                Some(at) => format!("{} of {all}{more}", format::integer(at as i64 + 1)),
                None => format!("{all}{more} found"),
            })
        })
    };
    let on = move || stage.told.with(|told| told.finds.is_some());
    let filter = move |_| patch(&[("only", only.get_untracked().is_none().then(|| "1".to_owned()))]);
    let problem = move || {
        let error = found.error.get().filter(|_| on())?;
        Some(view! { <span class="badge err" title=error.detail>"payloads not searched"</span> })
    };
    view! {
        <div class="find" role="search">
            <input id="find" type="search" placeholder="find in the trace" aria-label="Find in the trace"
                title="Names, services and payloads; KEY=VALUE asks for an attribute" autocomplete="off" spellcheck="false"
                node_ref=field on:input=typed on:keydown=key />
            <span class="count" role="status">{count}</span>
            {problem}
            <Show when=on>
                <button class="tool" aria-label="The find before" title="Shift+Enter" on:click=move |_| go.run(true)>"\u{2191}"</button>
                <button class="tool" aria-label="The next find" title="Enter" on:click=move |_| go.run(false)>"\u{2193}"</button>
                <button class="tool" aria-pressed=move || only.get().is_some().to_string()
                    title="Show finds with their ancestors alone" on:click=filter.clone()>"only finds"</button>
            </Show>
        </div>
    }
}
