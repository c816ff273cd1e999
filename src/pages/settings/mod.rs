//! Settings: how the server stands, what was wrong with what came in, and preferences.

mod ingest;
mod retention;

use crate::client::{self, use_fetch};
use crate::components::copy::Copy;
use crate::components::fact::Fact;
use crate::components::states::Fetched;
use crate::components::time_text::{TimeText, zone};
use crate::state::prefs::{Prefs, Theme};
use crate::state::use_href;
use leptos::prelude::*;
use leptos_router::components::A;
use meshscope_api::status::{McpMeshState, McpMeshStatus, PricesStatus};
use meshscope_api::{Params, ServerStatus};
use meshscope_layout::format;

/// The page.
#[component]
pub(crate) fn SettingsPage() -> impl IntoView {
    let origin = client::origin();
    let status = use_fetch(
        || Some(()),
        move |(), abort| {
            let origin = origin.clone();
            async move { client::get::<ServerStatus>(&origin, "status", &Params::default(), abort.as_ref()).await }
        },
    );
    view! {
        <div class="heading"><h1>"Settings"</h1></div>
        <Appearance />
        <Fetched fetch=status what="the server's status" content=|status: &ServerStatus| server(status.clone()) />
    }
}

#[component]
fn Appearance() -> impl IntoView {
    let prefs = expect_context::<Prefs>();
    let choice = move |theme: Theme| {
        let on = move || prefs.theme.get() == theme;
        view! {
            <button class="pill" class:on=on aria-pressed=move || on().to_string()
                on:click=move |_| prefs.theme.set(theme)>{theme.as_str()}</button>
        }
    };
    view! {
        <section class="panel card">
            <h2>"Appearance"</h2>
            <div class="row">
                <span class="muted">"Theme"</span>
                {Theme::ALL.map(choice).collect_view()}
                <span class="muted">{format!("Times are shown in {}", zone())}</span>
            </div>
        </section>
    }
}

fn server(status: ServerStatus) -> impl IntoView {
    let whole = |n: u64| format::integer(i64::try_from(n).unwrap_or(i64::MAX));
    let listener = |listener: meshscope_api::Listener| {
        let url = listener.url.clone();
        view! { <div class="row"><span class="muted listener">{listener.name}</span><code>{listener.url}</code><Copy text=url /></div> }
    };
    let coming_in = ingest::figures(&status);
    view! {
        <section class="panel card">
            <h2>"Server"</h2>
            <div class="facts">
                <Fact name="Version" value=status.version />
                <Fact name="Up" value=format::duration(status.uptime_ns) />
                <Fact name="Spans" value=whole(status.counts.spans) />
                <Fact name="Log records" value=whole(status.counts.logs) />
                <Fact name="Metric points" value=whole(status.counts.metric_points) />
                <Fact name="Sessions" value=whole(status.counts.sessions) />
            </div>
            <div class="facts">
                <Fact name="Store" value=format::bytes(status.store.size_bytes) title=status.store.path.clone() />
                <Fact name="Recordings" value=format::bytes(status.store.recordings_bytes)
                    title=format!("{} files beside the store", status.store.recordings) />
                <Fact name="Engine" value=status.store.engine />
                {status.memory_bytes.map(|bytes| view! { <Fact name="Memory" value=format::bytes(bytes) /> })}
            </div>
            <p class="muted mono clip">{status.store.path}</p>
        </section>
        {coming_in}
        <section class="panel card">
            <h2>"Listening"</h2>
            {status.listeners.into_iter().map(listener).collect_view()}
        </section>
        {status.mcp_mesh.map(mcp_mesh)}
        <retention::Rules rules=status.retention removed=status.store.removed free=status.store.free_bytes trouble=status.store.trouble />
        {prices(&status.prices)}
        {ingest::problems(status.problems)}
    }
}

/// The reader of MCP Mesh's streams.
fn mcp_mesh(reader: McpMeshStatus) -> impl IntoView {
    let whole = |n: u64| format::integer(i64::try_from(n).unwrap_or(i64::MAX));
    let known = |n: Option<u64>| n.map_or_else(|| "unknown".to_owned(), whole);
    let state = match reader.state {
        McpMeshState::Connecting => "connecting",
        McpMeshState::Consuming => "reading",
        McpMeshState::Waiting => "waiting for Redis",
    };
    let trouble = reader.last_error.zip(reader.last_error_at).map(|(error, at)| {
        view! { <p class="muted">"Last trouble, "<TimeText ns=at />": "{error}</p> }
    });
    view! {
        <section class="panel card">
            <h2>"MCP Mesh"</h2>
            <div class="facts">
                <Fact name="State" value=state />
                <Fact name="Entries kept" value=whole(reader.entries) />
                <Fact name="Left out" value=whole(reader.rejected) />
                <Fact name="Not acknowledged" value=known(reader.pending) />
                <Fact name="Not read yet" value=known(reader.lag) />
                <Fact name="Reconnects" value=reader.reconnects.to_string() />
            </div>
            <p class="muted mono clip">{format!("{} {} as {}", reader.url, reader.streams.join(" "), reader.group)}</p>
            {trouble}
        </section>
    }
}

/// Which price tables there are; they have a page of their own.
fn prices(prices: &PricesStatus) -> impl IntoView + use<> {
    let table = |table: &meshscope_api::status::PriceTableInfo| {
        let date = table
            .date
            .as_ref()
            .map_or_else(String::new, |date| format!(" of {date}"));
        format!("{}{date}, {} prices", table.version, table.prices)
    };
    let tables: Vec<String> = prices.tables.iter().map(table).collect();
    let to = use_href()("/usage?tab=prices");
    view! {
        <section class="panel card">
            <h2>"Prices"</h2>
            <p class="muted">{format!("Price tables: {}. List prices; a cost names the table it was computed from.", tables.join("; "))}</p>
            <div class="row"><A href=to attr:class="pill">"See, add and change prices"</A></div>
        </section>
    }
}
