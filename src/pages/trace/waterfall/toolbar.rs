//! Above the waterfall: finding, what is shown and how, and ways to take it along.

use super::finding::FindBox;
use super::save;
use super::stage::Stage;
use crate::components::menu::Menu;
use crate::pages::trace::load::Loaded;
use crate::pages::trace::model::{Figure, Model};
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_layout::format;
use std::sync::Arc;

/// The bar.
#[component]
pub(super) fn Toolbar(
    id: Memo<Option<String>>,
    loaded: Memo<Option<Arc<Loaded>>>,
    stage: Stage,
    go: Callback<bool>,
) -> impl IntoView {
    view! {
        <div class="tools" role="toolbar" aria-label="The waterfall">
            <FindBox id stage go />
            <Turn name="fold" off=true label="fold loops" title="Tell what repeats as one line" />
            <Turn name="idle" off=false label="compress idle" title="Shorten the time in which nothing works" />
            <Turn name="critical" off=true label="critical path" title="Mark what the end was waiting for" />
            <Clocks loaded />
            <Levels loaded stage />
            <Columns />
            <save::Save stage />
        </div>
    }
}

/// A switch in the URL: there when it is not as usual. `off`: it is usually on.
#[component]
fn Turn(name: &'static str, off: bool, label: &'static str, title: &'static str) -> impl IntoView {
    let value = param(name);
    let patch = use_patch();
    let on = move || value.get().is_some() != off;
    let word = if off { "off" } else { "on" };
    let toggle = move |_| patch(&[(name, value.get_untracked().is_none().then(|| word.to_owned()))]);
    view! {
        <button class="tool" title=title aria-pressed=move || on().to_string() on:click=toggle>{label}</button>
    }
}

/// Says by how much clocks differ, and shows the times as sent or set right.
#[component]
fn Clocks(loaded: Memo<Option<Arc<Loaded>>>) -> impl IntoView {
    let patch = use_patch();
    move || {
        let loaded = loaded.get()?;
        let most = loaded
            .skew
            .clocks()
            .iter()
            .max_by_key(|clock| clock.ahead.unsigned_abs())?;
        let clocks = loaded.skew.clocks().iter().map(|clock| {
            let way = if clock.ahead > 0 { "ahead" } else { "behind" };
            let by = format::duration(clock.ahead.saturating_abs());
            format!("{}: {by} {way}", loaded.columns.string(clock.service))
        });
        let title = clocks.collect::<Vec<_>>().join("\n");
        let by = format::duration(most.ahead.saturating_abs());
        let corrected = loaded.corrected;
        let text = if corrected {
            format!("clocks corrected by up to {by}")
        } else {
            format!("clocks differ by {by}, times as sent")
        };
        let patch = patch.clone();
        let toggle = move |_| patch(&[("clock", (!corrected).then(|| "corrected".to_owned()))]);
        Some(view! {
            <button class="tool clocks" title=title aria-pressed=corrected.to_string() on:click=toggle>{text}</button>
        })
    }
}

/// Expands to a level.
#[component]
fn Levels(loaded: Memo<Option<Arc<Loaded>>>, stage: Stage) -> impl IntoView {
    let deepest = Memo::new(move |_| loaded.with(|loaded| loaded.as_ref().map_or(0, |l| l.tree.max_depth())));
    let options = move || {
        let levels = (1..=deepest.get().min(8)).map(|level| {
            let title = format!("level {level}");
            view! { <option value=level.to_string()>{title}</option> }
        });
        levels.collect_view()
    };
    let change = move |event| {
        let key = event_target_value(&event);
        stage.change(|model| model.key(&key));
        stage.hear();
    };
    view! {
        <select class="tool" aria-label="Expand to a level" on:change=change prop:value="">
            <option value="">"levels"</option>
            <option value="c">"roots alone"</option>
            {options}
            <option value="e">"everything"</option>
            <option value="o">"the path to this"</option>
        </select>
    }
}

/// Chooses the columns of figures.
#[component]
fn Columns() -> impl IntoView {
    let columns = param("columns");
    let patch = use_patch();
    let open = RwSignal::new(false);
    let item = {
        let patch = patch.clone();
        move |figure: Figure| {
            let patch = patch.clone();
            let chosen = move || columns.get().map(|words| Figure::list(&words));
            let on = move || {
                chosen().map_or(matches!(figure, Figure::Tokens | Figure::Cost), |c| {
                    c.contains(&figure)
                })
            };
            let toggle = move |_| {
                let usual = vec![Figure::Tokens, Figure::Cost];
                let mut now = untrack(chosen).unwrap_or(usual);
                if now.contains(&figure) {
                    now.retain(|other| *other != figure);
                } else {
                    now.push(figure);
                }
                let words = now
                    .iter()
                    .map(|figure| figure.word())
                    .collect::<Vec<_>>()
                    .join(",");
                let words = if words.is_empty() {
                    "none".to_owned()
                } else {
                    words
                };
                patch(&[("columns", Some(words))]);
            };
            view! {
                <label class="check" title=figure.title()>
                    <input type="checkbox" prop:checked=on on:change=toggle />
                    {figure.word()}
                </label>
            }
        }
    };
    let items = Box::new(move || Figure::ALL.map(item.clone()).collect_view().into_any());
    view! { <Menu label="columns" open items /> }
}

/// Says how many of the framework's own spans are hidden, and shows them.
#[component]
pub(super) fn Noise(stage: Stage) -> impl IntoView {
    let all = param("all");
    let only = param("only");
    let patch = use_patch();
    let hidden = move || stage.told.with(|told| told.hidden);
    move || {
        let (hidden, shown, filtered) = (hidden(), all.get().is_some(), only.get().is_some());
        let patch = patch.clone();
        let toggle = move |_| patch(&[("all", (!shown).then(|| "1".to_owned()))]);
        (!filtered && (hidden > 0 || shown)).then(move || {
            let text = if shown {
                "Hide the framework's own spans".to_owned()
            } else {
                format!("{hidden} of the framework's own spans are hidden")
            };
            view! { <button class="noise" on:click=toggle>{text}</button> }
        })
    }
}

/// True while the model has anything to show.
pub(super) fn has_rows(stage: Stage) -> bool {
    stage
        .with(|model: &Model| !model.rows.is_empty())
        .unwrap_or(false)
}
