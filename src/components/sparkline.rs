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
