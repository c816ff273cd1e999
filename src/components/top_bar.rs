//! The top bar: project, room, search, time, live or paused.

use super::menu::Menu;
use super::time_text;
use crate::client::{self, use_fetch};
use crate::state::time_range::{PRESETS, Range};
use crate::state::{self, Live, param, use_patch};
use leptos::prelude::*;
use meshscope_api::{Params, ProjectList};

/// What holds on every page.
#[component]
pub(crate) fn TopBar() -> impl IntoView {
    let live = expect_context::<Live>();
    // A page that follows the stream shows what comes, whatever the range.
    let ranged = move || live.told.with(Option::is_none).then(|| view! { <Time /> });
    view! {
        <header class="top">
            <Places />
            <div class="grow"></div>
            <Search />
            {ranged}
            <Following />
        </header>
    }
}

/// Project and room.
#[component]
fn Places() -> impl IntoView {
    let origin = client::origin();
    let projects = use_fetch(
        || Some(()),
        move |(), abort| {
            let origin = origin.clone();
            async move {
                client::get::<ProjectList>(&origin, "projects", &Params::default(), abort.as_ref()).await
            }
        },
    );
    let (project, room) = (param("project"), param("room"));
    let patch = use_patch();
    let choose_project = {
        let patch = patch.clone();
        move |event| {
            patch(&[
                ("project", Some(event_target_value(&event))),
                ("room", None),
                ("cursor", None),
            ]);
        }
    };
    let choose_room = move |event| patch(&[("room", Some(event_target_value(&event))), ("cursor", None)]);
    let names = move || {
        let mut names: Vec<String> = projects.value.with(|list| {
            list.iter()
                .flat_map(|list| &list.projects)
                .map(|project| project.project.clone())
                .collect()
        });
        names.extend(project.get().filter(|chosen| !names.contains(chosen)));
        names
    };
    let rooms = move || {
        let chosen = project.get();
        let mut rooms: Vec<String> = projects.value.with(|list| {
            let all = list.iter().flat_map(|list| &list.projects);
            all.filter(|p| chosen.as_ref().is_none_or(|name| *name == p.project))
                .flat_map(|p| p.rooms.clone())
                .collect()
        });
        rooms.extend(room.get().filter(|chosen| !rooms.contains(chosen)));
        rooms.sort();
        rooms.dedup();
        rooms
    };
    view! {
        <label class="pill pick">
            <span>"project"</span>
            <select id="project" on:change=choose_project prop:value=move || project.get().unwrap_or_default()>
                <option value="">"all"</option>
                {move || options(names(), project.get())}
            </select>
        </label>
        <label class="pill pick">
            <span>"room"</span>
            <select id="room" on:change=choose_room prop:value=move || room.get().unwrap_or_default()>
                <option value="">"all"</option>
                {move || options(rooms(), room.get())}
            </select>
        </label>
    }
}

fn options(names: Vec<String>, chosen: Option<String>) -> impl IntoView {
    let option = move |name: String| {
        let selected = chosen.as_ref() == Some(&name);
        view! { <option value=name.clone() selected=selected>{name.clone()}</option> }
    };
    names.into_iter().map(option).collect_view()
}

#[component]
fn Search() -> impl IntoView {
    let q = param("q");
    let patch = use_patch();
    let change = move |event| patch(&[("q", Some(event_target_value(&event))), ("cursor", None)]);
    view! {
        <label class="pill search">
            <span aria-hidden="true">"\u{2315}"</span>
            <input id="search" type="search" placeholder="search" aria-label="Search this page"
                prop:value=move || q.get().unwrap_or_default() on:change=change />
            <kbd>"/"</kbd>
        </label>
    }
}

/// Presets, an absolute range, and zooming out.
#[component]
fn Time() -> impl IntoView {
    let range = expect_context::<Memo<Range>>();
    let open = RwSignal::new(false);
    let patch = use_patch();
    let title = move || match range.get() {
        Range::Last(index) => PRESETS
            .get(index)
            .map_or_else(String::new, |(_, title, _)| (*title).to_owned()),
        Range::Fixed(from, to) => format!("{} \u{2013} {}", time_text::moment(from), time_text::moment(to)),
    };
    let preset = {
        let patch = patch.clone();
        move |(index, (word, title, _)): (usize, (&'static str, &'static str, i64))| {
            let patch = patch.clone();
            let choose = move |_| {
                patch(&[("range", Some(word.to_owned())), ("from", None), ("to", None)]);
                open.set(false);
            };
            let on = move || range.get() == Range::Last(index);
            view! { <button class="item" class:on=on on:click=choose>{title}</button> }
        }
    };
    let fixed = patch.clone();
    let set_fixed = move |from: i64, to: i64| {
        fixed(&[
            ("range", None),
            ("from", Some(from.to_string())),
            ("to", Some(to.to_string())),
        ]);
    };
    let zoom = {
        let (set_fixed, patch) = (set_fixed.clone(), patch.clone());
        move |_| match (range.get_untracked(), range.get_untracked().length()) {
            (Range::Fixed(from, to), Some(length)) => set_fixed(from - length / 2, to + length / 2),
            (Range::Last(index), Some(_)) => {
                let next = PRESETS.get(index + 1).map(|(word, ..)| (*word).to_owned());
                patch(&[("range", next)]);
            }
            _ => {}
        }
    };
    let (from, to) = (
        NodeRef::<leptos::html::Input>::new(),
        NodeRef::<leptos::html::Input>::new(),
    );
    let apply = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let read = |field: NodeRef<leptos::html::Input>| {
            let text = field
                .get_untracked()
                .map(|field| field.value())
                .unwrap_or_default();
            let ms = js_sys::Date::parse(&text);
            ms.is_finite().then_some((ms * 1e6) as i64)
        };
        if let (Some(from), Some(to)) = (read(from), read(to))
            && from < to
        {
            set_fixed(from, to);
            open.set(false);
        }
    };
    let items = Box::new(move || {
        view! {
            {PRESETS.into_iter().enumerate().map(preset.clone()).collect_view()}
            <div class="sep"></div>
            <button class="item" on:click=zoom.clone()>"Zoom out"</button>
            <form on:submit=apply.clone()>
                <label>"From" <input type="datetime-local" step="1" node_ref=from required /></label>
                <label>"To" <input type="datetime-local" step="1" node_ref=to required /></label>
                <button class="pill" type="submit">"Apply"</button>
            </form>
        }
        .into_any()
    });
    view! {
        <Menu label=Signal::derive(title) id="time-range" class="pill" panel="menu time-menu" open items>
            <span class="zone">{format!("\u{b7} {}", time_text::zone())}</span>
        </Menu>
    }
}

/// Live or paused.
#[component]
fn Following() -> impl IntoView {
    let live = expect_context::<Live>();
    let range = expect_context::<Memo<Range>>();
    let paused = param("paused");
    let patch = use_patch();
    let toggle = move |_| {
        if matches!(range.get_untracked(), Range::Fixed(..)) && live.told.with_untracked(Option::is_none) {
            let (from, to) = (None, None);
            patch(&[("from", from), ("to", to), ("paused", None)]);
        } else {
            patch(&[("paused", paused.get_untracked().is_none().then(|| "1".to_owned()))]);
        }
    };
    let text = move || {
        let standing = if live.on.get() {
            "\u{25cf} live"
        } else {
            "\u{2759}\u{2759} paused"
        };
        live.told
            .get()
            .map_or_else(|| standing.to_owned(), |told| told.text)
    };
    let on = move || {
        live.told
            .with(|told| told.as_ref().map(|told| told.live))
            .unwrap_or(live.on.get())
    };
    let title = "Follow what arrives, or stand still (p)";
    view! {
        <button class="pill following" class:live=on id="live" title=title on:click=toggle>{text}</button>
    }
}

/// Time, project and room of the page.
pub(crate) type Scope = (Range, Option<String>, Option<String>);

/// The parameters of the page's place and time, as the lists take them.
pub(crate) fn scoped() -> Memo<Scope> {
    let range = expect_context::<Memo<Range>>();
    let (project, room) = (param("project"), param("room"));
    Memo::new(move |_| (range.get(), project.get(), room.get()))
}

/// A query with place and time.
pub(crate) fn scoped_params(scope: &Scope) -> Params {
    let mut params = Params::default();
    state::scope_params(&mut params, scope.0, scope.1.clone(), scope.2.clone());
    params
}
