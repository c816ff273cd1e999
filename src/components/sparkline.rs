//! Activity as small bars.

use leptos::prelude::*;

/// Bars of `counts`, scaled to the largest.
#[component]
pub(crate) fn Sparkline(counts: Vec<u32>) -> impl IntoView {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bars: String = counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(i, count)| {
            let height = (f64::from(*count) / f64::from(most) * 15.0).max(1.5);
            format!("M{:.1} 16v-{height:.1}", i as f64 * 4.5 + 1.5)
        })
        .collect();
    view! {
        <svg class="sparkline" viewBox="0 0 90 16" width="90" height="16" aria-hidden="true">
            <path d=bars />
        </svg>
    }
}

/// A line of `values` over the place it is given, from 0 to the largest; it breaks where there is none.
#[component]
pub(crate) fn Trend(values: Vec<Option<f64>>) -> impl IntoView {
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let mut line = String::new();
    let known = |at: usize| values.get(at).copied().flatten();
    for at in 0..values.len() {
        let Some(value) = known(at) else { continue };
        let y = 23.0 - 22.0 * value / if most > 0.0 { most } else { 1.0 };
        let on = at > 0 && known(at - 1).is_some();
        let word = if on { 'L' } else { 'M' };
        // A lone value is a short stroke.
        let stroke = if on || known(at + 1).is_some() { "" } else { "h.5" };
        line.push_str(&format!("{word}{at} {y:.1}{stroke}"));
    }
    let view_box = format!("0 0 {} 24", values.len().saturating_sub(1).max(1));
    view! {
        <svg class="trend" viewBox=view_box preserveAspectRatio="none" aria-hidden="true"><path d=line /></svg>
    }
    .into_any()
}
