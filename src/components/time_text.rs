//! Moments in the user's zone, with UTC and nanoseconds one hover away.

use leptos::prelude::*;
use meshscope_model::time::to_rfc3339;
use wasm_bindgen::JsValue;

fn date(ns: i64) -> js_sys::Date {
    js_sys::Date::new(&JsValue::from_f64(ns as f64 / 1e6))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

fn month(date: &js_sys::Date) -> &'static str {
    MONTHS.get(date.get_month() as usize).copied().unwrap_or_default()
}

/// `14:02:11.491`.
pub(crate) fn clock(ns: i64) -> String {
    let date = date(ns);
    let (h, m, s) = (date.get_hours(), date.get_minutes(), date.get_seconds());
    format!(
        "{h:02}:{m:02}:{s:02}.{:03}",
        ns.rem_euclid(1_000_000_000) / 1_000_000
    )
}

/// `21 Nov 14:02:11`.
pub(crate) fn moment(ns: i64) -> String {
    let date = date(ns);
    let (h, m, s) = (date.get_hours(), date.get_minutes(), date.get_seconds());
    format!("{} {} {h:02}:{m:02}:{s:02}", date.get_date(), month(&date))
}

/// `21 Nov`, or `14:00` for what is within a day.
pub(crate) fn axis(ns: i64, day: bool) -> String {
    let date = date(ns);
    if day {
        format!("{} {}", date.get_date(), month(&date))
    } else {
        format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
    }
}

/// The zone's offset, for example `UTC+1`.
pub(crate) fn zone() -> String {
    let minutes = -js_sys::Date::new_0().get_timezone_offset() as i64;
    match minutes {
        0 => "UTC".to_owned(),
        _ if minutes % 60 == 0 => format!("UTC{:+}", minutes / 60),
        _ => format!("UTC{:+}:{:02}", minutes / 60, (minutes % 60).abs()),
    }
}

/// A moment, with UTC and nanoseconds in its title.
#[component]
pub(crate) fn TimeText(ns: i64, #[prop(optional)] short: bool) -> impl IntoView {
    let text = if short { clock(ns) } else { moment(ns) };
    let title = format!("{} UTC \u{b7} {ns} ns", to_rfc3339(ns));
    view! { <time datetime=to_rfc3339(ns) title=title>{text}</time> }
}
