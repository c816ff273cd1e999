//! The developer console: what happens, as it happens.

mod details;
mod entry;
mod feed;
mod follow;
mod histogram;
mod line;
mod logs;
mod metrics;
mod rows;
mod run;
mod save;
mod services;
mod tokens;
mod traces;
mod volume;

pub(crate) use follow::provide;

use crate::components::states::Failed;
use crate::components::time_text::moment;
use crate::pages::sessions::Choice;
use crate::state::{Live, every, now, param, use_patch, use_replace};
use feed::{BYTES, RECORDS};
use follow::{Console, Link};
use leptos::prelude::*;
use meshscope_api::StreamQuery;
use meshscope_api::query::SEVERITIES;
use meshscope_layout::format;
use meshscope_model::time::{DAY, HOUR, MINUTE};

/// Tabs: word in the URL, title.
const TABS: [(&str, &str); 4] = [
    ("logs", "Logs"),
    ("traces", "Traces"),
    ("metrics", "Metrics"),
    ("services", "Services"),
];

/// Past moments to start at.
const PASTS: [(&str, i64); 6] = [
    ("1 minute ago", MINUTE),
    ("5 minutes ago", 5 * MINUTE),
    ("15 minutes ago", 15 * MINUTE),
    ("1 hour ago", HOUR),
    ("6 hours ago", 6 * HOUR),
    ("24 hours ago", DAY),
];

/// The hue of a service or agent, 1 to 6: the same wherever it stands.
fn hue(name: &str) -> u32 {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    name.bytes().fold(0x811c_9dc5, mix) % 6 + 1
}

/// The page.
#[component]
pub(crate) fn ConsolePage() -> impl IntoView {
    let console = expect_context::<Console>();
    let live = expect_context::<Live>();
    let query = wanted(console.since);
    Effect::new(move |_| console.enter(query.get()));
    Effect::new(move |before: Option<bool>| {
        let paused = console.paused.get();
        if before == Some(true) && !paused {
            console.resume();
        }
        paused
    });
    Effect::new(move |_| live.told.set(Some(console.standing())));
    every(250, move || console.count());
    on_cleanup(move || {
        console.leave();
        live.told.set(None);
    });
    pause_by_space(console);
    let tab = tab();
    view! {
        <Heading />
        <Tabs tab />
        {move || match console.link.get() {
            Link::Refused(problem) => {
                let retry = Callback::new(move |()| console.enter(query.get_untracked()));
                Some(view! { <Failed problem retry /> })
            }
            _ => None,
        }}
        {move || match tab.get().as_str() {
            "traces" => view! { <traces::TracesTab /> }.into_any(),
            "metrics" => view! { <metrics::MetricsTab /> }.into_any(),
            "services" => view! { <services::ServicesTab /> }.into_any(),
            _ => view! { <logs::LogsTab /> }.into_any(),
        }}
    }
}

fn tab() -> Memo<String> {
    let tab = param("tab");
    Memo::new(move |_| tab.get().unwrap_or_else(|| "logs".to_owned()))
}

/// What the stream is asked for: its place, and where it starts. Words and levels are looked for
/// here, so that they can be changed without asking again.
fn wanted(since: Memo<Option<i64>>) -> Memo<StreamQuery> {
    let [project, room, session, service] = ["project", "room", "session", "service"].map(param);
    Memo::new(move |_| StreamQuery {
        project: project.get(),
        room: room.get(),
        session: session.get(),
        service: service.get(),
        since: since.get(),
        ..StreamQuery::default()
    })
}

/// The space bar pauses and goes on.
fn pause_by_space(console: Console) {
    let patch = use_patch();
    let handle = window_event_listener(leptos::ev::keydown, move |event| {
        if event.key() == " " && !crate::state::keys::is_taken(&event) {
            event.prevent_default();
            toggle(console, &patch);
        }
    });
    on_cleanup(move || handle.remove());
}

fn toggle(console: Console, patch: &impl Fn(&[(&str, Option<String>)])) {
    let paused = !console.paused.get_untracked();
    patch(&[("paused", paused.then(|| "1".to_owned()))]);
}

#[component]
fn Heading() -> impl IntoView {
    let console = expect_context::<Console>();
    let places = ["room", "session", "service"].map(|name| (name, param(name)));
    let place = move || {
        let told = places
            .iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.get()?)));
        let told: Vec<String> = told.collect();
        if told.is_empty() {
            "everything".to_owned()
        } else {
            told.join(" \u{b7} ")
        }
    };
    let rate = move || format!("{} rec/s", format::integer(console.figures.get().rate as i64));
    let lag = move || {
        let lag = console.figures.get().lag?;
        Some(
            view! { <span class="pill" title="From a record's own time to its row">"lag "{format::duration(lag)}</span> },
        )
    };
    let patch = use_patch();
    let away = move || match console.link.get() {
        Link::Away(problem) => Some(view! {
            <span class="pill away" role="status" title=problem.detail>"Connection lost: trying again, nothing is missed"</span>
        }),
        _ => None,
    };
    view! {
        <div class="heading">
            <h1>"Developer console"</h1>
            <span class="sub">{place}</span>
            {away}
            <div class="grow"></div>
            <span class="pill" id="rate">{rate}</span>
            {lag}
            <Start />
            <button class="pill" id="pause" class:on=console.paused on:click=move |_| toggle(console, &patch)>
                <b>{move || if console.paused.get() { "\u{25b6} Resume" } else { "\u{2759}\u{2759} Pause" }}</b>
                {waiting(console)}
                <kbd>"space"</kbd>
            </button>
        </div>
    }
}

fn waiting(console: Console) -> impl Fn() -> Option<String> + Copy + Send + 'static {
    move || {
        let (waiting, more) = console.waiting.get();
        let more = if more { "+" } else { "" };
        console
            .paused
            .get()
            .then(|| format!("{}{more} waiting", format::integer(waiting as i64)))
    }
}

/// Where the stream starts: at the latest, or at a past moment.
#[component]
fn Start() -> impl IntoView {
    let console = expect_context::<Console>();
    let patch = use_patch();
    let change = move |event| {
        let choice = event_target_value(&event).parse::<i64>().ok();
        // What is chosen already is left as it is.
        if choice != Some(-1) {
            let since = choice.map(|back| (now() - back).to_string());
            patch(&[
                ("since", since),
                ("paused", None),
                ("brush", None),
                ("record", None),
            ]);
        }
    };
    let options = move || {
        let since = console.since.get();
        let chosen = since.map(|since| {
            view! { <option value="-1" selected=true>{format!("since {}", moment(since))}</option> }
        });
        let pasts = PASTS.map(|(title, back)| view! { <option value=back.to_string()>{title}</option> });
        view! { {chosen} <option value="" selected=since.is_none()>"the latest"</option> {pasts.collect_view()} }
    };
    view! {
        <label class="pill pick" title="Replay what arrived since a past moment, then go on live">
            <span>"from"</span>
            <select id="since" aria-label="Start at" on:change=change>{options}</select>
        </label>
    }
}

#[component]
fn Tabs(tab: Memo<String>) -> impl IntoView {
    let console = expect_context::<Console>();
    let patch = use_patch();
    let button = |(word, title): (&'static str, &'static str)| {
        let patch = patch.clone();
        let running = move || {
            let running = console.figures.get().running;
            (word == "traces" && running > 0)
                .then(|| view! { <span class="count">{running}" running"</span> })
        };
        view! {
            <button role="tab" class:on=move || tab.get() == word aria-selected=move || (tab.get() == word).to_string()
                on:click=move |_| patch(&[("tab", Some(word.to_owned())), ("q", None), ("record", None)])>
                {title} {running}
            </button>
        }
    };
    view! {
        <div class="console-bar">
            <div class="tabs" role="tablist">{TABS.into_iter().map(button).collect_view()}</div>
            <Tools tab />
        </div>
    }
}

/// Filters and what can be done with what is shown.
#[component]
fn Tools(tab: Memo<String>) -> impl IntoView {
    let console = expect_context::<Console>();
    let (q, brush, wrap) = (param("q"), param("brush"), param("wrap"));
    let (patch, choose) = (use_replace(), use_patch());
    let typed = move |event| patch(&[("q", Some(event_target_value(&event)))]);
    let hint = move || match tab.get().as_str() {
        "logs" => "filter: words, -not, key=value, key~part",
        "traces" => "filter runs and their spans",
        _ => "filter by name",
    };
    let logs = move || tab.get() == "logs";
    let held = move || {
        let figures = console.figures.get();
        let [shown, held, most] = [figures.shown, figures.held, RECORDS].map(|n| format::integer(n as i64));
        format!("{shown} shown \u{b7} {held} of {most} held")
    };
    let limit = format!(
        "The page holds the latest {} log records, {} at the most; the rest is on the Logs page",
        format::integer(RECORDS as i64),
        format::bytes(BYTES as u64)
    );
    let log_tools = move || {
        let (brushed, wrapping) = (choose.clone(), choose.clone());
        let levels = SEVERITIES
            .iter()
            .map(|(word, _)| ((*word).to_owned(), format!("\u{2265} {word}")));
        let options = levels.collect();
        let limit = limit.clone();
        logs().then(move || view! {
            <Choice name="severity" label="level" options />
            {move || brush.get().map(|_| {
                let brushed = brushed.clone();
                view! { <button class="pill on" on:click=move |_| brushed(&[("brush", None)])>"\u{2715} chosen time"</button> }
            })}
            <span class="sub held" id="held" title=limit>{held}</span>
            <button class="pill" class:on=move || wrap.get().is_some() aria-pressed=move || wrap.get().is_some().to_string()
                on:click=move |_| wrapping(&[("wrap", wrap.get_untracked().is_none().then(|| "1".to_owned()))])>"Wrap"</button>
            <button class="pill" on:click=move |_| save::copy(console)>{save::copied(console)}</button>
            <button class="pill" title="As JSON, a record a line" on:click=move |_| save::download(console)>"Download"</button>
            <button class="pill" title="Empties the list; the server keeps its records" id="clear" on:click=move |_| console.clear()>"Clear"</button>
        })
    };
    view! {
        <div class="console-tools">
            <label class="pill search console-filter">
                <input id="filter" type="search" placeholder=hint aria-label="Filter" spellcheck="false" autocomplete="off"
                    prop:value=move || q.get().unwrap_or_default() on:input=typed />
            </label>
            {move || (tab.get() == "metrics").then(|| view! { <Counters /> }.into_any())}
            {log_tools}
        </div>
    }
}

/// What is shown of counters.
#[component]
pub(crate) fn Counters() -> impl IntoView {
    let (chosen, patch) = (param("as"), use_patch());
    let change = move |event| patch(&[("as", Some(event_target_value(&event)))]);
    let option = move |(word, title): (&'static str, &'static str)| {
        view! { <option value=word selected=move || chosen.get().unwrap_or_default() == word>{title}</option> }
    };
    let options = [("", "increase"), ("rate", "per second"), ("total", "total")].map(option);
    view! {
        <label class="pill pick" title="What is shown of counters; gauges show their value, histograms their quantiles">
            <span>"counters"</span>
            <select id="as" aria-label="What is shown of counters" on:change=change>{options.collect_view()}</select>
        </label>
    }
    .into_any()
}
