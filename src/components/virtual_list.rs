//! A list of any length of which only the rows in view are on the page.

use crate::canvas::surface::on_resize;
use leptos::html::Div;
use leptos::prelude::*;

/// Height of a row, CSS pixels.
pub(crate) const ROW: f64 = 26.0;
/// Rows that are made above and below what is in view.
const SPARE: usize = 6;
/// Browsers give up on elements that are much higher; longer lists scroll by more than a pixel a pixel.
const HIGHEST: f64 = 8_000_000.0;

/// What is in view: how far it is scrolled, and how high it is, CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Window {
    top: f64,
    height: f64,
}

impl Window {
    /// How far the rows are scrolled, where the page is scrolled to `top`.
    fn rows_top(self, count: usize) -> f64 {
        let all = count as f64 * ROW;
        if all <= HIGHEST {
            return self.top;
        }
        let most = (HIGHEST - self.height).max(1.0);
        // A row more, for the head that stands above the rows.
        (self.top / most).min(1.0) * (all + ROW - self.height)
    }

    /// How far the page has to be scrolled for the rows to be at `rows_top`.
    fn top_for(self, rows_top: f64, count: usize) -> f64 {
        let all = count as f64 * ROW;
        if all <= HIGHEST {
            return rows_top;
        }
        rows_top / (all + ROW - self.height) * (HIGHEST - self.height).max(1.0)
    }

    /// The rows to be made.
    fn rows(self, count: usize) -> (usize, usize) {
        let first = (self.rows_top(count) / ROW) as usize;
        let last = first + (self.height / ROW) as usize + 2;
        (first.saturating_sub(SPARE), (last + SPARE).min(count))
    }
}

/// Rows 0 to `count`, below what `children` put above them. `row` makes one; all are made anew when
/// `version` changes, and `shown` is scrolled into view when it does.
#[component]
pub(crate) fn VirtualList(
    #[prop(into)] count: Signal<usize>,
    #[prop(into)] version: Signal<u64>,
    #[prop(into)] shown: Signal<Option<usize>>,
    row: impl Fn(usize) -> AnyView + Send + Sync + Clone + 'static,
    children: Children,
) -> impl IntoView {
    let place = NodeRef::<Div>::new();
    let window = RwSignal::new(Window::default());
    let measure = move || {
        if let Some(place) = place.get_untracked() {
            let now = Window {
                top: f64::from(place.scroll_top()),
                height: f64::from(place.client_height()),
            };
            if window.get_untracked() != now {
                window.set(now);
            }
        }
    };
    on_resize(place, measure);
    Effect::new(move |_| {
        count.track();
        measure();
    });
    Effect::new(move |_| {
        let Some((at, place)) = shown.get().zip(place.get()) else {
            return;
        };
        version.track();
        measure();
        let (window, count) = (window.get_untracked(), count.get_untracked());
        let (top, room) = (window.rows_top(count), (window.height - 2.0 * ROW).max(ROW));
        let wanted = at as f64 * ROW;
        if wanted < top || wanted > top + room - ROW {
            let to = (wanted - room / 2.0).max(0.0);
            place.set_scroll_top(window.top_for(to, count).round() as i32);
        }
    });
    let rows = Memo::new(move |_| (window.get().rows(count.get()), version.get()));
    let each = move || {
        let ((first, last), version) = rows.get();
        (first..last).map(move |at| (version, at)).collect::<Vec<_>>()
    };
    let height = move || format!("height:{}px", (count.get() as f64 * ROW).min(HIGHEST));
    // Where the first row that is made stands.
    let offset = move || {
        let (window, ((first, _), _)) = (window.get(), rows.get());
        let behind = window.top - window.rows_top(count.get());
        format!(
            "transform:translateY({}px)",
            (first as f64 * ROW + behind).round()
        )
    };
    view! {
        <div class="vlist" node_ref=place on:scroll=move |_| measure()>
            {children()}
            <div class="vlist-all" style=height role="presentation">
                <div class="vlist-rows" style=offset role="presentation">
                    <For each=each key=|key| *key children=move |(_, at)| row(at) />
                </div>
            </div>
        </div>
    }
}
