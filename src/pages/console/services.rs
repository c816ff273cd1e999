//! Services: what is alive, what went quiet.

use super::hue;
use crate::client::{self, use_fetch};
use crate::components::onboarding::Onboarding;
use crate::components::states::Fetched;
use crate::components::time_text::moment;
use crate::state::param;
use leptos::prelude::*;
use meshscope_api::{Params, Service, ServiceList};
use meshscope_layout::format;
use meshscope_model::time::{MINUTE, SECOND};

/// How long after its last record an instance counts as quiet.
const QUIET: i64 = MINUTE;

/// The tab.
#[component]
pub(crate) fn ServicesTab() -> impl IntoView {
    let (project, room, q) = (param("project"), param("room"), param("q"));
    let origin = client::origin();
    let services = use_fetch(
        move || Some((project.get(), room.get())),
        move |(project, room), abort| {
            let mut params = Params::default();
            params.set("project", project);
            params.set("room", room);
            let origin = origin.clone();
            async move { client::get::<ServiceList>(&origin, "services", &params, abort.as_ref()).await }
        },
    );
    let wanted = move |service: &Service| {
        let q = q.get().unwrap_or_default().to_lowercase();
        let told = [
            &service.instance,
            &service.version,
            &service.host,
            &service.container,
            &service.sdk,
        ];
        let mut told = told
            .into_iter()
            .flatten()
            .chain([&service.service, &service.project]);
        told.any(|text| text.to_lowercase().contains(&q))
    };
    view! {
        <Fetched fetch=services what="services" content=move |list: &ServiceList| {
            if list.services.is_empty() {
                return view! { <Onboarding what="services" /> }.into_any();
            }
            // The server's clock, as both ends of an age.
            let now = list.now;
            let rows = list.services.iter().filter(|service| wanted(service)).map(|service| row(service, now));
            let alive = list.services.iter().filter(|service| now - service.last_at < QUIET).count();
            view! {
                <div class="sub">{format!("{alive} alive \u{b7} {} quiet \u{b7} last 24 hours", list.services.len() - alive)}</div>
                <div class="panel scroll" tabindex="0">
                    <table class="list services">
                        <thead><tr>
                            <th>"Service"</th><th>"State"</th><th>"Instance"</th><th>"Version"</th><th>"Host"</th><th>"SDK"</th>
                            <th class="num">"Spans/s"</th><th class="num">"Errors"</th><th class="num">"p95"</th>
                            <th class="num">"Spans"</th><th class="num">"Logs"</th><th class="num">"Points"</th>
                        </tr></thead>
                        <tbody>{rows.collect_view()}</tbody>
                    </table>
                </div>
            }
            .into_any()
        } />
    }
}

fn row(service: &Service, now: i64) -> impl IntoView + use<> {
    let age = (now - service.last_at).max(0);
    let quiet = age >= QUIET;
    let ago = if age < SECOND {
        "now".to_owned()
    } else {
        format!("{} ago", format::duration(age / SECOND * SECOND))
    };
    let state = if quiet {
        view! { <span class="badge cut">"\u{25cc} quiet "{ago}</span> }.into_any()
    } else {
        view! { <span class="status-active">"\u{25cf} "{ago}</span> }.into_any()
    };
    let last = format!(
        "last record arrived {}, first of the last 24 hours {}",
        moment(service.last_at),
        moment(service.first_at)
    );
    let dash = || "\u{2013}".to_owned();
    let text = |text: &Option<String>| text.clone().unwrap_or_else(dash);
    let place: Vec<String> = [&service.host, &service.container]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let place = if place.is_empty() {
        dash()
    } else {
        place.join(" \u{b7} ")
    };
    let sdk = match (&service.sdk, &service.sdk_version) {
        (Some(sdk), Some(version)) => format!("{sdk} {version}"),
        (sdk, version) => text(&sdk.clone().or_else(|| version.clone())),
    };
    let rate = service.spans_last_minute as f64 / 60.0;
    let rate = if rate >= 100.0 {
        format!("{rate:.0}")
    } else {
        format!("{rate:.1}")
    };
    let errors = if service.spans > 0 {
        format::percent(service.errors, service.spans)
    } else {
        dash()
    };
    let (instance, version) = (text(&service.instance), text(&service.version));
    let name = format!("swatch h{}", hue(&service.service));
    view! {
        <tr class:quiet=quiet>
            <td class="title"><i class=name></i>{service.service.clone()}<span class="id">{service.project.clone()}</span></td>
            <td class="nowrap" title=last>{state}</td>
            <td class="clip mono" title=instance.clone()>{instance.clone()}</td>
            <td class="clip">{version}</td>
            <td class="clip" title=place.clone()>{place.clone()}</td>
            <td class="clip" title=sdk.clone()>{sdk.clone()}</td>
            <td class="num">{rate}</td>
            <td class="num" class:trouble={service.errors > 0}>{errors}</td>
            <td class="num">{service.p95_ns.map_or_else(dash, format::duration)}</td>
            <td class="num">{format::integer(service.spans)}</td>
            <td class="num">{format::integer(service.logs)}</td>
            <td class="num">{format::integer(service.metric_points)}</td>
        </tr>
    }
}
