//! What only a browser can tell: real canvases, real fonts, real pixels.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::painter::{Painter as _, Pen, Text};
use super::row::Row;
use super::svg::Svg;
use super::theme::Theme;
use super::waterfall::{Cursor, Scene, ScrollBar};
use super::{surface, waterfall};
use leptos::prelude::document;
use meshscope_analysis::{Tree, subtree_flags};
use meshscope_layout::{BarPlace, Frame, Hit, Part, Rows, Scroll, TimeView, Waterfall};
use meshscope_model::columns::{ColumnsBuilder, SpanRow, flag};
use meshscope_model::{SpanColumns, SpanId, TraceId};
use wasm_bindgen::JsCast as _;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{CanvasRenderingContext2d as Context, HtmlCanvasElement};

wasm_bindgen_test_configure!(run_in_browser);

const SURFACE: (u8, u8, u8) = (0, 0, 0);
const HUE: (u8, u8, u8) = (0, 200, 0);

/// A canvas on the page, this many CSS pixels wide and high.
fn canvas(width: u32, height: u32) -> HtmlCanvasElement {
    let canvas: HtmlCanvasElement = document().create_element("canvas").unwrap().unchecked_into();
    canvas
        .set_attribute(
            "style",
            &format!("display:block;width:{width}px;height:{height}px"),
        )
        .unwrap();
    document().body().unwrap().append_child(&canvas).unwrap();
    canvas
}

/// The colour at a place given in CSS pixels.
fn pixel(c: &Context, x: f64, y: f64) -> (u8, u8, u8) {
    let at = |css: f64| (css * surface::ratio()).floor();
    let data = c.get_image_data(at(x), at(y), 1.0, 1.0).unwrap().data();
    (data[0], data[1], data[2])
}

fn css((r, g, b): (u8, u8, u8)) -> String {
    format!("rgb({r},{g},{b})")
}

fn theme() -> Theme {
    Theme {
        surface: css(SURFACE),
        error: css((200, 0, 0)),
        text: css((255, 255, 255)),
        hues: std::array::from_fn(|_| css(HUE)),
        font: "sans-serif".to_owned(),
        ..Theme::default()
    }
}

/// A root from 0 to 100 with a failed child from 60 to 90.
fn columns() -> SpanColumns {
    let mut builder = ColumnsBuilder::new(TraceId::from_u128(1));
    builder.push(&SpanRow {
        span_id: SpanId::from_u64(1),
        duration: 100,
        name: "root",
        ..SpanRow::default()
    });
    builder.push(&SpanRow {
        span_id: SpanId::from_u64(2),
        parent_span_id: Some(SpanId::from_u64(1)),
        start_time: 60,
        duration: 30,
        name: "child",
        flags: flag::ERROR,
        ..SpanRow::default()
    });
    builder.finish()
}

#[wasm_bindgen_test]
fn a_canvas_has_the_pixels_of_the_device() {
    let canvas = canvas(201, 103);
    assert_eq!(surface::fit(&canvas), (201.0, 103.0));
    let scaled = |css: f64| (css * surface::ratio()).round() as u32;
    assert_eq!((canvas.width(), canvas.height()), (scaled(201.0), scaled(103.0)));
    let c = surface::context(&canvas).unwrap();
    c.set_fill_style_str("rgb(1,2,3)");
    c.fill_rect(100.0, 50.0, 10.0, 10.0);
    assert_eq!(pixel(&c, 105.0, 55.0), (1, 2, 3));
    assert_eq!(pixel(&c, 95.0, 55.0), (0, 0, 0));
    // Fitting again must not wipe what is drawn.
    surface::fit(&canvas);
    assert_eq!(pixel(&c, 105.0, 55.0), (1, 2, 3));
}

#[wasm_bindgen_test]
fn texts_are_as_wide_as_the_font_makes_them() {
    let canvas = canvas(10, 10);
    let c = surface::context(&canvas).unwrap();
    c.set_font(&waterfall::font(&theme(), 12.0));
    assert!(waterfall::measure(&c, "WWWW") > 2.0 * waterfall::measure(&c, "iiii"));
    assert_eq!(waterfall::measure(&c, ""), 0.0);
    let small = waterfall::measure(&c, "invoke_agent");
    c.set_font(&waterfall::font(&theme(), 24.0));
    assert!((waterfall::measure(&c, "invoke_agent") / small - 2.0).abs() < 0.1);
}

#[wasm_bindgen_test]
fn the_pointer_hits_what_is_painted() {
    let (columns, frame) = (
        columns(),
        Frame {
            width: 600.0,
            height: 120.0,
            name_width: 200.0,
        },
    );
    let tree = Tree::build(&columns);
    let rows = Rows::new(&tree, &columns, false);
    let w = Waterfall {
        columns: &columns,
        tree: &tree,
        rows: &rows,
        frame,
        view: TimeView::new(0, 100, frame.time_width()),
        scroll: Scroll::new(rows.len(), frame.lines_height()),
        now: 100,
    };
    let canvas = canvas(600, 120);
    surface::fit(&canvas);
    let c = surface::context(&canvas).unwrap();
    let mut bars = Vec::new();
    let flags = subtree_flags(&tree, &columns.flags);
    w.bars(&flags, &|text| waterfall::measure(&c, text), &mut bars);
    assert_eq!(bars.len(), 2);
    let rows: Vec<Row> = bars
        .iter()
        .cloned()
        .map(|bar| Row {
            bar,
            ..Row::default()
        })
        .collect();
    let theme = theme();
    let scene = Scene {
        waterfall: w.clone(),
        rows: &rows,
        theme: &theme,
        width: frame.width,
        heads: Vec::new(),
        head_width: 0.0,
        cursor: Cursor::default(),
        bar: ScrollBar::default(),
    };
    waterfall::draw(&mut Pen::new(&c, &theme), &scene);
    for bar in &bars {
        let BarPlace::Within { x0, x1, .. } = bar.place else {
            panic!("{bar:?} is in view");
        };
        // Beyond the reach of the line between names and time.
        let (x, y) = (frame.name_width + x0 + 8.0, bar.y + 2.0);
        assert!(
            matches!(w.hit(x, y), Some(Hit::Line { span, part: Part::Bar, .. }) if span == bar.span),
            "{:?}",
            w.hit(x, y)
        );
        assert_ne!(pixel(&c, x, y), SURFACE, "{bar:?}");
        assert!(x1 > x0);
    }
    let beside = (frame.name_width + 100.0, bars[1].y + 3.0);
    assert!(matches!(
        w.hit(beside.0, beside.1),
        Some(Hit::Line { part: Part::Time, .. })
    ));
    assert_eq!(pixel(&c, beside.0, beside.1), SURFACE);
}

#[wasm_bindgen_test]
fn what_a_clip_changes_ends_with_it() {
    let canvas = canvas(200, 60);
    surface::fit(&canvas);
    let c = surface::context(&canvas).unwrap();
    let theme = theme();
    let mut pen = Pen::new(&c, &theme);
    let ink = css(HUE);
    pen.rect(&css(SURFACE), 0.0, 0.0, 200.0, 60.0);
    pen.text(&ink, Text::ending("\u{2588}\u{2588}", 50.0, 10.0, 12.0));
    pen.clip(0.0, 20.0, 200.0, 20.0);
    pen.text(&ink, Text::at("\u{2588}\u{2588}", 100.0, 30.0, 12.0));
    pen.rect(&css((9, 9, 9)), 0.0, 50.0, 200.0, 10.0);
    pen.unclip();
    pen.text(&ink, Text::ending("\u{2588}\u{2588}", 50.0, 50.0, 12.0));
    assert_eq!(pixel(&c, 46.0, 10.0), HUE, "ends at 50");
    assert_eq!(pixel(&c, 55.0, 10.0), SURFACE);
    assert_eq!(pixel(&c, 104.0, 30.0), HUE, "starts at 100");
    assert_eq!(pixel(&c, 95.0, 30.0), SURFACE);
    assert_eq!(
        pixel(&c, 46.0, 50.0),
        HUE,
        "ends at 50 again, in the colour of before"
    );
    assert_eq!(
        pixel(&c, 150.0, 55.0),
        SURFACE,
        "outside of the clip nothing is drawn"
    );
}

#[wasm_bindgen_test]
fn a_picture_holds_texts_as_text() {
    let mut svg = Svg::new(100.0, 40.0);
    svg.rect("red", 1.0, 2.0, 3.0, 4.0);
    svg.clip(0.0, 0.0, 50.0, 20.0);
    svg.text("blue", Text::ending("<script>&\"\u{1b}", 40.0, 10.0, 12.0));
    svg.unclip();
    let text = svg.finish("A, \"B\"");
    let parser = web_sys::DomParser::new().unwrap();
    let read = parser
        .parse_from_string(&text, web_sys::SupportedType::ImageSvgXml)
        .unwrap();
    let root = read.document_element().unwrap();
    assert_eq!(root.tag_name(), "svg", "{text}");
    assert_eq!(root.get_attribute("font-family").as_deref(), Some("A, \"B\""));
    let said = read.query_selector("text").unwrap().unwrap();
    assert_eq!(said.text_content().as_deref(), Some("<script>&\""));
    assert!(read.query_selector("script").unwrap().is_none());
}
