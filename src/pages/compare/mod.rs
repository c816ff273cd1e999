//! Two traces side by side, aligned by structure: what came, what went, and what of the rest takes longer,
//! costs more or answers differently.

mod pairs;

use super::trace::Loaded;
use crate::client::{self, use_fetch_while};
use crate::components::fact::Fact;
use crate::components::figures::{money, tokens};
use crate::components::states::Fetched;
use crate::components::time_text::TimeText;
use crate::state::{param, use_href, use_patch};
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_analysis::compare::change;
use meshscope_analysis::{Comparison, Side, Tolerance, TraceFacts, subtree_sums};
use meshscope_api::params::encode;
use meshscope_api::{Conversation, Params, Problem};
use meshscope_layout::format;
use pairs::Pairs;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a text that come with the answers.
const PREVIEW: u32 = 4 * 1024;

/// One of the traces with what it says.
pub(crate) struct One {
    id: String,
    loaded: Loaded,
    /// What was said; or why that is not known.
    talk: Result<Conversation, Problem>,
    /// Cost of each span with all that is below it.
    costs: Vec<i64>,
}

/// Both, and how they differ.
pub(crate) struct Both {
    left: One,
    right: One,
    comparison: Comparison,
}

/// What is counted and can be filtered by: name in the URL, bits, singular and plural.
pub(crate) const CHANGES: [(&str, u16, &str, &str); 9] = [
    ("added", change::ADDED, "added", "+"),
    ("removed", change::REMOVED, "removed", "\u{2212}"),
    ("slower", change::SLOWER, "slower", "\u{25b2}"),
    ("faster", change::FASTER, "faster", "\u{25bc}"),
    ("costlier", change::COSTLIER, "costlier", "\u{25b2}$"),
    ("cheaper", change::CHEAPER, "cheaper", "\u{25bc}$"),
    ("answer", change::ANSWER, "different answer", "\u{2260}"),
    ("broke", change::BROKE, "broke", "\u{25cf}"),
    ("mended", change::MENDED, "mended", "\u{2713}"),
];

/// What is worse about a change, better, or only other, as a class.
pub(crate) fn class_of(bit: u16) -> &'static str {
    match bit {
        change::SLOWER | change::COSTLIER | change::BROKE => "worse",
        change::FASTER | change::CHEAPER | change::MENDED => "better",
        _ => "other",
    }
}

/// The page.
#[component]
pub(crate) fn ComparePage() -> impl IntoView {
    let (a, b) = (param("a"), param("b"));
    let origin = client::origin();
    let both = use_fetch_while(
        move || a.get().zip(b.get()),
        || false,
        move |(a, b), abort| {
            let origin = origin.clone();
            async move {
                let left = one(&origin, a, abort.as_ref()).await?;
                let right = one(&origin, b, abort.as_ref()).await?;
                Ok(Arc::new(compared(left, right)))
            }
        },
    );
    let (patch, href) = (use_patch(), use_href());
    let swap = move |_| patch(&[("a", b.get_untracked()), ("b", a.get_untracked()), ("pair", None)]);
    let content = |both: &Arc<Both>| view! { <Heads both=Arc::clone(both) /><Pairs both=Arc::clone(both) /> };
    let missing = move || a.with(Option::is_none) || b.with(Option::is_none);
    view! {
        <div class="heading">
            <h1>"Compare traces"</h1>
            <div class="grow"></div>
            <button class="pill" title="What is on the left goes right" on:click=swap disabled=missing>"\u{21c4} Swap"</button>
        </div>
        {move || if missing() {
            let to = href("/traces");
            view! {
                <div class="empty"><h2>"Two traces are needed"</h2>
                <p>"Choose two in the list of "<A href=to attr:class="fold">"traces"</A>", or give their ids as "<code>"?a=ID&b=ID"</code>"."</p></div>
            }.into_any()
        } else {
            view! { <Fetched fetch=both what="both traces" content /> }.into_any()
        }}
    }
}

async fn one(origin: &str, id: String, abort: Option<&web_sys::AbortSignal>) -> Result<One, Problem> {
    let columns = client::trace_columns(origin, &id, abort).await?;
    let mut params = Params::default();
    params.set("preview", Some(PREVIEW));
    let path = format!("traces/{}/conversation", encode(&id));
    let talk = client::get::<Conversation>(origin, &path, &params, abort).await;
    let loaded = Loaded::new(columns);
    Ok(One {
        id,
        costs: subtree_sums(&loaded.tree, &loaded.columns.cost),
        loaded,
        talk,
    })
}

impl One {
    /// What each span answered, by its row.
    fn answers(&self) -> BTreeMap<u32, u64> {
        let answers = self.talk.iter().flat_map(|talk| &talk.answers);
        let row = |span: u64| self.loaded.tree.row_of(&self.loaded.columns, span);
        answers
            .filter_map(|answer| Some((row(answer.span_id.as_u64())?, answer.hash)))
            .collect()
    }
}

fn compared(left: One, right: One) -> Both {
    let (said_left, said_right) = (left.answers(), right.answers());
    let comparison = Comparison::of(
        Side {
            columns: &left.loaded.columns,
            tree: &left.loaded.tree,
            answer: &|row| said_left.get(&row).copied(),
        },
        Side {
            columns: &right.loaded.columns,
            tree: &right.loaded.tree,
            answer: &|row| said_right.get(&row).copied(),
        },
        Tolerance::default(),
    );
    Both {
        left,
        right,
        comparison,
    }
}

/// Both traces with their figures, the right ones beside how they differ.
#[component]
fn Heads(both: Arc<Both>) -> impl IntoView {
    let facts = [&both.left, &both.right].map(|one| TraceFacts::of(&one.loaded.columns));
    let [before, after] = &facts;
    let unheard = [&both.left, &both.right]
        .into_iter()
        .find_map(|one| one.talk.as_ref().err())
        .map(|problem| view! { <p class="muted">{format!("Answers are not compared: {}", problem.detail)}</p> });
    view! {
        <div class="compare-heads">
            {head(&both.left, before, None, "A")}
            {head(&both.right, after, Some(before), "B")}
        </div>
        {unheard}
    }
}

/// `now`, and how it differs from `before`.
fn beside(now: String, figures: Option<(i64, i64)>) -> String {
    let change = figures.and_then(|(after, before)| format::change(after, before));
    change.map_or_else(|| now.clone(), |change| format!("{now} ({change})"))
}

fn head(one: &One, facts: &TraceFacts, before: Option<&TraceFacts>, mark: &'static str) -> AnyView {
    let columns = &one.loaded.columns;
    let root = one.loaded.tree.main_root();
    let name = root.map_or("", |root| columns.name(root as usize)).to_owned();
    let href = use_href()(&format!("/traces/{}", encode(&one.id)));
    let (now, was) = (&facts.totals, before.map(|before| &before.totals));
    let pair = |now: Option<i64>, was: Option<Option<i64>>| now.zip(was.flatten());
    let spans = was.map(|was| (i64::from(now.spans), i64::from(was.spans)));
    let duration = before.map(|before| (facts.duration(), before.duration()));
    let trouble = match (now.errors, now.blocked) {
        (0, 0) => "none".to_owned(),
        (errors, 0) => format!("{errors} failed"),
        (0, blocked) => format!("{blocked} blocked"),
        (errors, blocked) => format!("{errors} failed, {blocked} blocked"),
    };
    view! {
        <section class="panel card compare-head" aria-label=format!("Trace {mark}")>
            <h2><span class="badge">{mark}</span><A href=href>{name}</A></h2>
            <div class="muted"><TimeText ns=facts.start_time />" \u{b7} "<span class="mono">{one.id.clone()}</span></div>
            <div class="facts">
                <Fact name="Duration" value=beside(format::duration(facts.duration()), duration) />
                <Fact name="Spans" value=beside(format::integer(i64::from(now.spans)), spans) />
                <Fact name="Tokens" value=beside(tokens(now.total_tokens), pair(now.total_tokens, was.map(|was| was.total_tokens))) />
                <Fact name="Cost" value=beside(money(now.total_tokens, now.cost, now.unpriced_calls > 0), pair(now.cost, was.map(|was| was.cost))) />
                <Fact name="Trouble" value=trouble />
            </div>
        </section>
    }
    .into_any()
}
