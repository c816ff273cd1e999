//! A chart on the page: canvas, legend, exact values under the pointer, a brush over time, a click that
//! filters, the same as a table, and files to keep.

use super::data::Data;
use super::hands::stage;
use super::legend::Legend;
use super::plot::Plot;
use super::table::Table;
use super::tip::exemplars;
use crate::canvas::surface;
use crate::canvas::svg::Svg;
use crate::canvas::theme::Theme;
use crate::components::menu::Menu;
use crate::components::save::{save_png, save_text};
use crate::state::prefs::Prefs;
use leptos::prelude::*;

/// A titled chart. Dragging over it sets the page's time range, unless that is `fixed`: a page that follows
/// the stream has none. A click on a series that has a key sets its filter. Where the page `opens` rows, a
/// click with Shift shows those of the step and the series.
#[component]
pub(crate) fn Chart(
    #[prop(into)] title: Signal<String>,
    #[prop(into)] data: Signal<Data>,
    #[prop(optional)] opens: bool,
    #[prop(optional)] fixed: bool,
) -> impl IntoView {
    let plot = Plot::new(data, opens, fixed);
    let as_table = RwSignal::new(false);
    let resized = RwSignal::new(0_u32);
    let prefs = expect_context::<Prefs>();
    surface::on_resize(plot.canvas, move || resized.update(|n| *n = n.wrapping_add(1)));
    Effect::new(move |_| {
        resized.track();
        prefs.drawn.track();
        if let Some(canvas) = plot.canvas.get() {
            plot.paint(&canvas);
        }
    });
    view! {
        <section class="panel chart">
            <h2><span>{title}</span><Legend data hidden=plot.hidden /><Options plot title as_table /></h2>
            {move || if as_table.get() {
                view! { <Table data /> }.into_any()
            } else {
                stage(plot, title)
            }}
            {move || data.with(exemplars)}
        </section>
    }
    .into_any()
}

/// Table or picture, and files to keep.
#[component]
fn Options(plot: Plot, title: Signal<String>, as_table: RwSignal<bool>) -> impl IntoView {
    let open = RwSignal::new(false);
    // The title as the name of a file.
    let file = move |ending: &str| {
        let title = title.get_untracked().to_lowercase();
        let words = title
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty());
        format!("{}.{ending}", words.collect::<Vec<_>>().join("-"))
    };
    let svg = move |_| {
        open.set(false);
        let Some(size) = plot.size() else { return };
        let theme = Theme::read();
        let mut svg = Svg::new(size.0, size.1);
        // Plotters counts in whole pixels: four of them to one of the picture make it smooth.
        untrack(|| plot.draw(&mut svg, size, 4.0, &theme));
        save_text(&svg.finish(&theme.font), "image/svg+xml", &file("svg"));
    };
    let png = move |_| {
        open.set(false);
        if let Some(canvas) = plot.canvas.get_untracked() {
            save_png(&canvas, file("png"));
        }
    };
    let csv = move |_| {
        open.set(false);
        save_text(&plot.data.with_untracked(Data::csv), "text/csv", &file("csv"));
    };
    let turn = move |_| {
        open.set(false);
        as_table.update(|on| *on = !*on);
    };
    let items = Box::new(move || {
        let table = as_table.get();
        let help = (!table).then(|| view! { <div class="note">{plot.help()}</div> });
        let pictures = (!table).then(|| {
            view! {
                <button class="item" on:click=png>"Save as PNG"</button>
                <button class="item" on:click=svg>"Save as SVG"</button>
            }
        });
        view! {
            <button class="item" on:click=turn>{if table { "Show as a chart" } else { "Show as a table" }}</button>
            {pictures}
            <button class="item" on:click=csv>"Save as CSV"</button>
            {help}
        }
        .into_any()
    });
    let about: &'static str = "Table, PNG, SVG, CSV";
    // What the menu is of, for those who hear it.
    view! { <span class="chart-menu" role="group" aria-label=title><Menu label="\u{22ef}" about open items /></span> }
        .into_any()
}
