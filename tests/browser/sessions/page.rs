//! What a person does on the pages of sessions, and sees there.

use meshscope_tests::{Browser, Server};
use thirtyfour::prelude::*;

/// Width of the names of lanes, and height of the axis above them, CSS pixels.
pub(crate) const NAMES: f64 = 116.0;
pub(crate) const LANE: f64 = 18.0;
pub(crate) const AXIS: f64 = 26.0;
/// The timeline leaves a twentieth free at its right.
pub(crate) const WHOLE: f64 = 1.05;

pub(crate) async fn open(browser: &Browser, server: &Server, path: &str, ready: &str) {
    let whole = if path.contains('?') { '&' } else { '?' };
    browser
        .page
        .goto(format!("{}{path}{whole}range=all", server.studio))
        .await
        .unwrap();
    let ready = serde_json::to_string(ready).unwrap();
    browser
        .until(path, &format!("return !!document.querySelector({ready})"))
        .await;
}

pub(crate) async fn press(browser: &Browser, selector: &str) {
    browser
        .page
        .find(By::Css(selector))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
}

/// Presses a button by what it says.
pub(crate) async fn press_text(browser: &Browser, within: &str, text: &str) {
    let script = format!(
        "const b = [...document.querySelectorAll('{within} button')].find(b => b.innerText.startsWith('{text}')); b.click(); return true"
    );
    browser.script(&script).await;
}

/// Drags over the timeline from one place to another, parts of the session's time, at a height.
pub(crate) async fn drag(browser: &Browser, from: f64, to: f64, y: f64) {
    let script = format!(
        "const e = document.querySelector('.timeline-plot canvas'), r = e.getBoundingClientRect();
        const x = part => r.left + {NAMES} + part / {WHOLE} * (r.width - {NAMES});
        e.setPointerCapture = () => {{}};
        const at = part => ({{clientX: x(part), clientY: r.top + {y}, bubbles: true, pointerId: 1, pointerType: 'mouse', button: 0}});
        e.dispatchEvent(new PointerEvent('pointerdown', at({from})));
        for (let n = 1; n <= 5; n++) e.dispatchEvent(new PointerEvent('pointermove', at({from} + ({to} - {from}) * n / 5)));
        e.dispatchEvent(new PointerEvent('pointerup', at({to})));"
    );
    browser.script(&script).await;
}

/// Whether something is drawn at a part of the session's time in a row of the timeline.
pub(crate) async fn drawn(browser: &Browser, part: f64, y: f64) -> bool {
    let script = format!(
        "const e = document.querySelector('.timeline-plot canvas'), r = e.width / e.clientWidth;
        const x = {NAMES} + {part} / {WHOLE} * (e.clientWidth - {NAMES});
        const c = e.getContext('2d'), at = (x, y) => [...c.getImageData(Math.round(x * r), Math.round(y * r), 1, 1).data].slice(0, 3);
        const empty = at(e.clientWidth - 3, {AXIS} + 9), here = at(x, {y});
        return here.some((v, n) => Math.abs(v - empty[n]) > 24);"
    );
    browser.script(&script).await.as_bool().unwrap()
}

/// A parameter of the page's URL.
pub(crate) async fn parameter(browser: &Browser, name: &str) -> Option<String> {
    let value = browser
        .script(&format!(
            "return new URLSearchParams(location.search).get('{name}')"
        ))
        .await;
    value.as_str().map(str::to_owned)
}

/// The figures at the head, by name.
pub(crate) async fn figure(browser: &Browser, name: &str) -> String {
    let script = format!(
        "const f = [...document.querySelectorAll('.session-facts .fact')].find(f => f.querySelector('.k').innerText === '{name}');
        return f ? f.querySelector('.v').innerText : ''"
    );
    browser.script(&script).await.as_str().unwrap().to_owned()
}

pub(crate) async fn rows(browser: &Browser, count: usize) {
    let script = format!("return document.querySelector('.grid')?.dataset.rows === '{count}'");
    browser.until(&format!("{count} rows"), &script).await;
}
