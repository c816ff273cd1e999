//! How long the pure passes take over a million spans, and how many bytes they keep a span:
//! `cargo run --release -p meshscope-layout --example million [SPANS]`. Prints; judges nothing.

use meshscope_analysis::statistics::{By, statistics};
use meshscope_analysis::{
    Comparison, Folding, Graph, Heavy, Side, Skew, Tolerance, Tree, critical_path, own_times, subtree_flags,
    subtree_sums,
};
use meshscope_layout::viewport::ROW_HEIGHT;
use meshscope_layout::waterfall::RULER_HEIGHT;
use meshscope_layout::{Flame, Frame, Gaps, HeavyFlame, Minimap, Profile, Rows, Scroll, TimeView, Waterfall};
use meshscope_model::columns::{ColumnsBuilder, SpanRow, flag};
use meshscope_model::{Operation, SpanColumns, SpanId, TraceId};
use peak_alloc::PeakAlloc;
use std::time::Instant;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Width of the time area and height of the lines, px.
const SURFACE: (f64, f64) = (1_600.0, 1_000.0);

/// A span of a shape: its parent's number, its start and duration, its name's number.
type Shape = (usize, i64, i64, usize);

/// Chains of a thousand levels.
fn deep(count: usize) -> Vec<Shape> {
    let chain = |n: usize| (n / 1_000, n % 1_000);
    (0..count)
        .map(|n| {
            let (chain, level) = chain(n);
            let parent = if level == 0 { 0 } else { n - 1 };
            let start = chain as i64 * 3_000 + level as i64;
            (parent, start, 2_500 - 2 * level as i64, level % 7)
        })
        .collect()
}

/// Nodes of a hundred thousand children; neighbours overlap.
fn wide(count: usize) -> Vec<Shape> {
    (0..count)
        .map(|n| match n % 100_000 {
            0 => (0, n as i64 * 10, 1_000_100, 0),
            child => (n - child, n as i64 * 10, 5 + n as i64 % 40, n % 11),
        })
        .collect()
}

/// Turns of an agent: a model and a tool by turns, each with a call below it.
fn loops(count: usize) -> Vec<Shape> {
    (0..count)
        .map(|n| match n % 1_001 {
            0 => (0, n as i64 * 100, 100_050, 0),
            at => {
                let (call, below) = ((at - 1) / 2, (at - 1) % 2);
                let start = n as i64 * 100;
                match below {
                    0 => (n - at, start, 150, 1 + call % 2),
                    _ => (n - 1, start, 40, 3 + call % 2),
                }
            }
        })
        .collect()
}

/// An id as random as those of real senders (the mixer of splitmix64).
fn id(n: usize) -> SpanId {
    let mut x = (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    SpanId::from_u64((x ^ (x >> 31)).max(1))
}

/// The spans as they stand in columns: by start, the first one over all others.
fn columns(shapes: &[Shape]) -> SpanColumns {
    const NAMES: [&str; 11] = [
        "turn", "chat", "search", "post", "fetch", "read", "write", "plan", "embed", "rank", "judge",
    ];
    let end = shapes
        .iter()
        .map(|(_, start, duration, _)| start + duration)
        .max();
    let mut order: Vec<usize> = (0..shapes.len()).collect();
    order.sort_by_key(|n| shapes.get(*n).map(|shape| shape.1));
    let mut builder = ColumnsBuilder::new(TraceId::from_u128(1));
    for n in order {
        let Some((parent, start, duration, name)) = shapes.get(n) else {
            continue;
        };
        let duration = if n == 0 { end.unwrap_or(0) } else { *duration };
        let name = NAMES.get(*name).copied().unwrap_or_default();
        builder.push(&SpanRow {
            span_id: id(n),
            parent_span_id: (n > 0).then(|| id(*parent)),
            start_time: 1_795_000_000_000_000_000 + start,
            duration,
            name,
            service: if name == "search" { "tools" } else { "agents" },
            agent: if name == "turn" { "planner" } else { "" },
            tool: if name == "search" { "search" } else { "" },
            model: if name == "chat" { "gpt" } else { "" },
            operation: match name {
                "chat" => Operation::Chat,
                "search" => Operation::ExecuteTool,
                _ => Operation::Other,
            },
            flags: if n % 9_973 == 0 { flag::ERROR } else { 0 },
            total_tokens: (name == "chat").then_some(100),
            cost: (name == "chat").then_some(1_000),
            ..SpanRow::default()
        });
    }
    builder.finish()
}

/// Prints the best of three runs in ms, and how much of the result stays in the heap.
fn measure<T>(what: &str, spans: usize, mut run: impl FnMut() -> T) -> T {
    let mut best = f64::INFINITY;
    for _ in 0..2 {
        let start = Instant::now();
        drop(run());
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
    }
    let before = HEAP.current_usage();
    let start = Instant::now();
    let result = run();
    best = best.min(start.elapsed().as_secs_f64() * 1e3);
    let kept = HEAP.current_usage().saturating_sub(before) as f64 / spans as f64;
    println!("  {what:<28} {best:>9.2} ms {kept:>8.1} bytes a span");
    result
}

fn run(name: &str, shapes: &[Shape]) {
    let n = shapes.len();
    println!("{name}, {n} spans");
    let c = measure("columns (by the builder)", n, || columns(shapes));
    let tree = measure("tree", n, || Tree::build(&c));
    let own = measure("own times", n, || own_times(&c, &tree));
    measure("subtree sums", n, || subtree_sums(&tree, &c.cost));
    measure("subtree flags", n, || subtree_flags(&tree, &c.flags));
    let root = tree.main_root().unwrap_or(0);
    let path = measure("critical path", n, || critical_path(&c, &tree, root));
    println!("  {:<28} {:>9} segments", "", path.len());
    let folding = measure("folding", n, || Folding::build(&c, &tree, &|_| true));
    println!("  {:<28} {:>9} groups", "", folding.groups().len());
    measure("skew", n, || Skew::find(&c, &tree));
    measure("statistics by name", n, || {
        statistics(&c, &own, By::Name, 0..n as u32)
    });
    measure("agent graph", n, || Graph::build(&c, &tree));
    let side = Side {
        columns: &c,
        tree: &tree,
        answer: &|_| None,
    };
    measure("comparison with itself", n, || {
        Comparison::of(side, side, Tolerance::default())
    });
    layout(&c, &tree);
}

fn layout(c: &SpanColumns, tree: &Tree) {
    let n = c.len();
    let mut rows = measure("rows", n, || Rows::new(tree, c, true));
    measure("rows, grouped", n, || {
        let mut rows = rows.clone();
        rows.set_grouping(tree, c, true);
        rows
    });
    measure("collapse all", n, || rows.collapse_all(tree));
    measure("expand all", n, || rows.expand_all(tree));
    let first = c.start_time.first().copied().unwrap_or(0);
    let last = (0..n).map(|row| c.end_time(row)).max().unwrap_or(first);
    let view = TimeView::new(first, last, SURFACE.0);
    measure("minimap", n, || Minimap::paint(c, tree, &rows, &view, last, 12));
    measure("profile", n, || Profile::build(c, tree, last));
    let gaps = measure("gaps", n, || Gaps::find(c, tree, last));
    println!("  {:<28} {:>9} gaps", "", gaps.gaps().len());
    let mut scroll = Scroll::new(rows.len(), SURFACE.1);
    scroll.set_top(rows.len() as f64 / 2.0 * ROW_HEIGHT);
    let waterfall = Waterfall {
        columns: c,
        tree,
        rows: &rows,
        frame: Frame {
            width: SURFACE.0 + 300.0,
            height: SURFACE.1 + RULER_HEIGHT,
            name_width: 300.0,
        },
        view: view.clone(),
        scroll,
        now: last,
    };
    let width = |text: &str| text.len() as f64 * 6.0;
    let mut bars = Vec::new();
    measure("frame: lines", n, || waterfall.bars(&[], &width, &mut bars));
    flames(c, tree, &view, last);
}

fn flames(c: &SpanColumns, tree: &Tree, view: &TimeView, last: i64) {
    let n = c.len();
    let flame = measure("flame", n, || Flame::build(c, tree, last));
    let seen = (SURFACE.1 / meshscope_layout::flame::LANE_HEIGHT) as usize;
    let mut rects = Vec::new();
    measure("frame: flame, all of time", n, || {
        flame.rects(c, view, 0..seen, &mut rects);
    });
    println!(
        "  {:<28} {:>9} of {} lanes, {} rectangles",
        "",
        seen.min(flame.lanes()),
        flame.lanes(),
        rects.len()
    );
    let mut near = view.clone();
    near.zoom(SURFACE.0 / 2.0, 1e-3);
    measure("frame: flame, a thousandth", n, || {
        flame.rects(c, &near, 0..seen, &mut rects);
    });
    let heavy = measure("by-name tree", n, || Heavy::build(c, tree));
    let lanes = HeavyFlame::build(&heavy);
    let all = TimeView::new(0, heavy.weight(), SURFACE.0);
    measure("frame: by-name tree", n, || {
        lanes.rects(&heavy, &all, 0..seen, &mut rects);
    });
}

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok());
    let count = count.unwrap_or(1_000_000);
    run("deep", &deep(count));
    run("wide", &wide(count));
    run("loops", &loops(count));
}
