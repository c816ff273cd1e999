//! Two sessions beside each other: how their figures differ, and their runs in pairs to be compared.

use crate::client::{self, ask, use_fetch_while};
use crate::components::figures::{money, tokens};
use crate::components::states::Fetched;
use crate::pages::traces::picks;
use crate::state::{param, use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_api::{Params, Session, SessionDetail};
use meshscope_layout::format;

/// Pairs of runs that are offered.
const PAIRS: usize = 8;

/// What is picked in the list, and what can be done with it.
pub(super) fn picked() -> AnyView {
    let pick = param("pick");
    let patch = use_patch();
    let ids = Memo::new(move |_| picks(pick.get().as_deref()));
    let bar = move || {
        let count = ids.with(Vec::len);
        let patch = patch.clone();
        let told = if count == 2 {
            "2 picked"
        } else {
            "1 picked \u{b7} one more session to compare it with"
        };
        let two = (count == 2).then(|| both(ids));
        (count > 0).then(|| {
            view! {
                <div class="picked" role="status">
                    <span>{told}</span>
                    <button class="fold" on:click=move |_| patch(&[("pick", None)])>"Let go"</button>
                </div>
                {two}
            }
        })
    };
    bar.into_any()
}

fn both(ids: Memo<Vec<String>>) -> AnyView {
    let origin = StoredValue::new(client::origin());
    let project = param("project");
    let pair = use_fetch_while(
        move || Some((ids.get(), project.get())),
        || false,
        move |(ids, project), abort| async move {
            let mut found = Vec::new();
            for id in ids {
                let mut params = Params::default();
                params.set("project", project.clone());
                // Ids are picked as the path takes them.
                let path = format!("sessions/{id}");
                let one = ask::<SessionDetail>(path, params, origin, abort.clone());
                found.push(one.await?);
            }
            Ok(found)
        },
    );
    let content = |pair: &Vec<SessionDetail>| match &pair[..] {
        [a, b] => beside(a, b),
        _ => ().into_any(),
    };
    view! { <Fetched fetch=pair what="both sessions" content /> }.into_any()
}

/// A row: its name, both figures, how the second differs.
fn figure(name: &'static str, texts: [String; 2], figures: Option<(i64, i64)>) -> AnyView {
    let change = figures.and_then(|(before, after)| format::change(after, before));
    let [a, b] = texts;
    view! { <tr><th scope="row">{name}</th><td class="num">{a}</td><td class="num">{b}</td><td class="num muted">{change}</td></tr> }.into_any()
}

fn beside(a: &SessionDetail, b: &SessionDetail) -> AnyView {
    let (one, two) = (&a.session, &b.session);
    let texts = |read: &dyn Fn(&Session) -> String| [read(one), read(two)];
    let pair = |read: &dyn Fn(&Session) -> Option<i64>| read(one).zip(read(two));
    let counted =
        |read: fn(&Session) -> i64| (texts(&|s| format::integer(read(s))), Some((read(one), read(two))));
    let runs = counted(|s| i64::from(s.traces));
    let spans = counted(|s| i64::from(s.spans));
    let errors = counted(|s| i64::from(s.errors));
    let rows = vec![
        figure(
            "Duration",
            texts(&|s| format::duration(s.duration_ns)),
            pair(&|s| Some(s.duration_ns)),
        ),
        figure("Runs", runs.0, runs.1),
        figure("Spans", spans.0, spans.1),
        figure(
            "Tokens",
            texts(&|s| tokens(s.tokens.total)),
            pair(&|s| s.tokens.total),
        ),
        figure(
            "Cost",
            texts(&|s| money(s.tokens.total, s.cost_pico_usd, s.unpriced_calls > 0)),
            pair(&|s| s.cost_pico_usd),
        ),
        figure("Failed spans", errors.0, errors.1),
    ];
    let href = use_href();
    let pairs = a.runs.iter().zip(&b.runs).enumerate().take(PAIRS);
    let links = pairs.map(|(n, (a, b))| {
        let to = href(&format!("/compare?a={}&b={}", a.trace_id, b.trace_id));
        view! { <A href=to attr:class="pill" attr:title=format!("{} and {}", a.name, b.name)>{format!("Compare runs {}", n + 1)}</A> }.into_any()
    });
    let links: Vec<AnyView> = links.collect();
    let none = links
        .is_empty()
        .then(|| view! { <span class="muted">"One of them has no runs to compare."</span> });
    view! {
        <section class="card" aria-label="Two sessions">
            <table class="list pair">
                <thead><tr><th></th><th class="num">{one.title.clone()}</th><th class="num">{two.title.clone()}</th><th class="num">"Change"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
            <div class="list-filters">{links}{none}</div>
        </section>
    }
    .into_any()
}
