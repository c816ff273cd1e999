//! Moments in the user's zone, with UTC and nanoseconds one hover away.

use js_sys::{Function, Reflect};
use leptos::prelude::*;
use meshscope_model::time::to_rfc3339;
use wasm_bindgen::{JsCast as _, JsValue};

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

/// A label of a time axis: `21 Nov` where steps are `days`; else `14:00`, with `21 Nov ` before it where the
/// axis is longer than a day, and with `:30` after it where steps are `short` of a minute.
pub(crate) fn axis(ns: i64, days: bool, long: bool, short: bool) -> String {
    let date = date(ns);
    let day = || format!("{} {}", date.get_date(), month(&date));
    if days {
        return day();
    }
    let mut text = format!("{:02}:{:02}", date.get_hours(), date.get_minutes());
    if short {
        text.push_str(&format!(":{:02}", date.get_seconds()));
    }
    if long { format!("{} {text}", day()) } else { text }
}

/// `21 Nov` in the time zone of this IANA name; in the user's where the browser does not know it.
pub(crate) fn day_in(zone: &str, ns: i64) -> String {
    let day = || {
        let options = js_sys::Object::new();
        for (name, value) in [("timeZone", zone), ("day", "numeric"), ("month", "numeric")] {
            Reflect::set(&options, &name.into(), &value.into()).ok()?;
        }
        // Found by name, so that what it throws at a zone it does not know is caught.
        let date = date(ns);
        let write = Reflect::get(&date, &"toLocaleDateString".into()).ok()?;
        let write: Function = write.dyn_into().ok()?;
        let text = write.call2(&date, &"en-US".into(), &options).ok()?.as_string()?;
        let (month, day) = text.split_once('/')?;
        let month: usize = month.parse().ok()?;
        Some(format!("{day} {}", MONTHS.get(month.checked_sub(1)?)?))
    };
    day().unwrap_or_else(|| axis(ns, true, false, false))
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

/// The zone's IANA name, for example `Europe/Berlin`.
pub(crate) fn zone_name() -> Option<String> {
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new());
    let zone = Reflect::get(&format.resolved_options(), &JsValue::from_str("timeZone")).ok()?;
    zone.as_string()
}

/// A moment, with UTC and nanoseconds in its title.
#[component]
pub(crate) fn TimeText(ns: i64, #[prop(optional)] short: bool) -> impl IntoView {
    let text = if short { clock(ns) } else { moment(ns) };
    let title = format!("{} UTC \u{b7} {ns} ns", to_rfc3339(ns));
    view! { <time datetime=to_rfc3339(ns) title=title>{text}</time> }
}
