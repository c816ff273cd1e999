//! The volume of log records above the list; dragging over it chooses a time.

use super::follow::Console;
use super::volume::Volume;
use crate::canvas::surface;
use crate::canvas::theme::Theme;
use crate::components::time_text::moment;
use crate::state::prefs::Prefs;
use crate::state::{param, use_quiet_patch};
use leptos::html::Canvas;
use leptos::prelude::*;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// Pixels of a bar, at the least.
const BAR: f64 = 8.0;

/// The brush in the URL: two moments, ns since the epoch.
pub(crate) fn brush() -> Memo<Option<(i64, i64)>> {
    let brush = param("brush");
    Memo::new(move |_| {
        let text = brush.get()?;
        let (from, to) = text.split_once('-')?;
        Some((from.parse().ok()?, to.parse().ok()?))
    })
}

/// Bars, and what is brushed.
#[component]
pub(crate) fn Histogram() -> impl IntoView {
    let console = expect_context::<Console>();
    let prefs = expect_context::<Prefs>();
    let canvas = NodeRef::<Canvas>::new();
    let resized = RwSignal::new(0_u32);
    let volume = StoredValue::new(None::<Volume>);
    let drag = RwSignal::new(None::<(f64, f64)>);
    let hover = RwSignal::new(None::<f64>);
    let (brush, patch) = (brush(), use_quiet_patch());
    surface::on_resize(canvas, move || resized.update(|n| *n = n.wrapping_add(1)));
    Effect::new(move |_| {
        resized.track();
        prefs.drawn.track();
        console.figures.track();
        let Some(canvas) = canvas.get() else { return };
        let (width, height) = surface::fit(&canvas);
        let most = (width / BAR) as usize;
        let counted = console
            .with_feed(|feed| Volume::of(feed.matched(), most))
            .flatten();
        if let Some(context) = surface::context(&canvas) {
            draw(
                &context,
                counted.as_ref(),
                &Theme::read(),
                (width, height),
                brush.get(),
            );
        }
        volume.set_value(counted);
    });
    let part = move |event: &web_sys::PointerEvent| {
        let width = canvas
            .get_untracked()
            .map_or(1.0, |canvas| f64::from(canvas.client_width()));
        (f64::from(event.offset_x()) / width.max(1.0)).clamp(0.0, 1.0)
    };
    let released = move |_| {
        let Some((a, b)) = drag.get_untracked() else {
            return;
        };
        drag.set(None);
        let chosen = volume.with_value(|volume| {
            let volume = volume.as_ref()?;
            Some((volume.at(a.min(b)), volume.at(a.max(b))))
        });
        let chosen = chosen.filter(|_| (a - b).abs() > 0.004);
        patch(&[("brush", chosen.map(|(from, to)| format!("{from}-{to}")))]);
    };
    let tip = move || {
        console.figures.track();
        let part = hover.get()?;
        volume.with_value(|volume| {
            let volume = volume.as_ref()?;
            let bar = volume.bars.get((part * volume.bars.len() as f64) as usize)?;
            let [errors, warnings, _] = *bar;
            let all: u32 = bar.iter().sum();
            let text = format!(
                "{} \u{b7} {all} records \u{b7} {warnings} warnings \u{b7} {errors} errors",
                moment(volume.at(part))
            );
            let side = if part < 0.5 { "left" } else { "right" };
            let at = if part < 0.5 { part } else { 1.0 - part };
            Some(view! { <div class="volume-tip" style=format!("{side}:{:.1}%", at * 100.0)>{text}</div> })
        })
    };
    view! {
        <div class="panel volume">
            <canvas node_ref=canvas role="img" aria-label="Log records over time; drag to choose a time"
                on:pointerdown=move |event| { let at = part(&event); capture(&event); drag.set(Some((at, at))); }
                on:pointermove=move |event| {
                    let at = part(&event);
                    hover.set(Some(at));
                    if let Some((from, _)) = drag.get_untracked() { drag.set(Some((from, at))); }
                }
                on:pointerleave=move |_| hover.set(None)
                on:pointerup=released></canvas>
            {move || drag.get().map(|(a, b)| {
                let style = format!("left:{:.2}%;width:{:.2}%", a.min(b) * 100.0, (a - b).abs() * 100.0);
                view! { <div class="brush" style=style></div> }
            })}
            {tip}
        </div>
    }
}

/// Keeps the pointer when it leaves the canvas.
fn capture(event: &web_sys::PointerEvent) {
    use wasm_bindgen::JsCast as _;
    let canvas = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlCanvasElement>().ok());
    if let Some(Err(error)) = canvas.map(|canvas| canvas.set_pointer_capture(event.pointer_id())) {
        leptos::logging::warn!("the pointer cannot be kept: {error:?}");
    }
}

fn draw(
    context: &CanvasRenderingContext2d,
    volume: Option<&Volume>,
    theme: &Theme,
    (width, height): (f64, f64),
    brush: Option<(i64, i64)>,
) {
    context.clear_rect(0.0, 0.0, width, height);
    let Some(volume) = volume else { return };
    let step = width / volume.bars.len().max(1) as f64;
    let gap = if step > 4.0 { 2.0 } else { 0.5 };
    let top = f64::from(volume.top().max(1));
    if let Some((from, to)) = brush {
        context.set_fill_style_str(&theme.accent_bg);
        let (left, right) = (volume.part(from) * width, volume.part(to) * width);
        context.fill_rect(left, 0.0, (right - left).max(1.0), height);
    }
    let colors = [&theme.error, &theme.warn, &theme.hues[0]];
    for (at, bar) in volume.bars.iter().enumerate() {
        let mut base = height;
        for (class, count) in bar.iter().enumerate() {
            if *count == 0 {
                continue;
            }
            let high = (f64::from(*count) / top * (height - 2.0)).max(1.5);
            base -= high;
            context.set_global_alpha(if class == 2 { 0.5 } else { 0.9 });
            context.set_fill_style_str(colors.get(class).map_or("", |color| color.as_str()));
            // No wider than twice a bar: a few bars are not a wall.
            let wide = (step - gap).clamp(0.75, BAR * 2.0);
            context.fill_rect(at as f64 * step, base, wide, high);
        }
    }
    context.set_global_alpha(1.0);
}
