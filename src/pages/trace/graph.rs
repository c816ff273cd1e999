//! The agent graph: who called whom, how often, and what came of it.

use super::Loaded;
use super::only::only;
use super::shared::{Shown, span_id};
use crate::state::playhead::Playhead;
use crate::state::{param, use_patch};
use leptos::prelude::*;
use meshscope_analysis::graph::{Edge, Node};
use meshscope_analysis::statistics::By;
use meshscope_analysis::{Graph, NodeKind};
use meshscope_layout::graph::{EdgePlace, NODE_HEIGHT, NodePlace};
use meshscope_layout::{GraphLayout, format};
use meshscope_model::SpanId;
use std::sync::Arc;

/// Free px around the graph.
const MARGIN: f64 = 28.0;
/// Width of a character of a node's name, px.
const CHARACTER: f64 = 7.2;
/// Characters of a name that are shown.
const LONGEST: usize = 30;

/// A placed graph of a trace.
struct Placed {
    graph: Graph,
    layout: GraphLayout,
    loaded: Arc<Loaded>,
}

impl Placed {
    fn of(loaded: Arc<Loaded>) -> Self {
        let graph = Graph::build(&loaded.columns, &loaded.tree);
        let width = |node: usize| {
            let node = graph.nodes.get(node);
            let name = node.map_or(0, |node| title(node).chars().count().min(LONGEST));
            let figures = node.map_or(0, |node| figures(node).chars().count());
            ((name + 2) as f64 * CHARACTER).max(figures as f64 * 6.2) + 24.0
        };
        Self {
            layout: GraphLayout::place(&graph, &width),
            graph,
            loaded,
        }
    }
}

fn kind(node: &Node) -> (&'static str, &'static str, By) {
    match node.kind {
        NodeKind::Agent => ("agent", "\u{25cf}", By::Agent),
        NodeKind::Service => ("service", "\u{25a0}", By::Service),
        NodeKind::Tool => ("tool", "\u{25b2}", By::Tool),
        NodeKind::Model => ("model", "\u{25c6}", By::Model),
    }
}

fn title(node: &Node) -> String {
    if node.label.is_empty() {
        "no service".to_owned()
    } else {
        node.label.clone()
    }
}

/// A name that fits into its node.
fn short(node: &Node) -> String {
    let title = title(node);
    if title.chars().count() <= LONGEST {
        return title;
    }
    let head: String = title.chars().take(LONGEST - 1).collect();
    format!("{head}\u{2026}")
}

/// What stands below a node's name.
fn figures(node: &Node) -> String {
    let totals = &node.totals;
    let mut words = vec![
        match totals.spans {
            1 => "1 span".to_owned(),
            count => format!("{} spans", format::integer(i64::from(count))),
        },
        format!("self {}", format::duration(node.own)),
    ];
    words.extend(totals.cost.map(format::cost));
    words.join(" \u{b7} ")
}

/// An edge in words.
fn calls(edge: &Edge) -> String {
    let mut words = match edge.calls {
        1 => "1 call".to_owned(),
        calls => format!("{} calls", format::integer(i64::from(calls))),
    };
    if edge.errors > 0 {
        words += &format!(", {} failed", edge.errors);
    }
    if edge.blocked > 0 {
        words += &format!(", {} blocked", edge.blocked);
    }
    words
}

/// Class and mark of what went wrong; nothing where nothing did.
fn trouble(errors: u32, blocked: u32) -> (&'static str, &'static str) {
    match (errors, blocked) {
        (1.., _) => ("error", " \u{25cf}"),
        (0, 1..) => ("blocked", " \u{25c6}"),
        (0, 0) => ("", ""),
    }
}

/// The graph of the trace. A click on a node or edge selects its first span.
#[component]
pub(crate) fn GraphView(shown: Shown) -> impl IntoView {
    let placed = Memo::new_with_compare(
        move |_| shown.loaded.get().map(|loaded| Arc::new(Placed::of(loaded))),
        |_, _| true,
    );
    view! {
        <div class="panel view graph-view">
            {move || placed.get().map(|placed| {
                if placed.graph.nodes.is_empty() {
                    view! { <div class="empty"><h2>"Nobody acts in this trace"</h2></div> }.into_any()
                } else {
                    view! { <Picture placed shown /> }.into_any()
                }
            })}
        </div>
    }
}

#[component]
fn Picture(placed: Arc<Placed>, shown: Shown) -> impl IntoView {
    // The node that is at hand stands in the URL: `node=agent:planner`.
    let at_hand = param("node");
    let patch = use_patch();
    let choose = {
        let (patch, placed) = (patch.clone(), Arc::clone(&placed));
        Callback::new(move |(node, span): (Option<usize>, u64)| {
            let node = node.and_then(|node| placed.graph.nodes.get(node));
            let word = node.map(|node| only(kind(node).2, &node.label));
            patch(&[("node", word), ("span", Some(SpanId::from_u64(span).to_string()))]);
        })
    };
    let (graph, layout) = (&placed.graph, &placed.layout);
    let (width, height) = (layout.width + 2.0 * MARGIN, layout.height + 2.0 * MARGIN);
    let chosen = {
        let placed = Arc::clone(&placed);
        Memo::new(move |_| {
            let word = at_hand.get()?;
            placed
                .graph
                .nodes
                .iter()
                .position(|node| only(kind(node).2, &node.label) == word)
        })
    };
    let edges = graph.edges.iter().zip(&layout.edges);
    // Within a session that is looked at as of an instant, only what had been called by then is there.
    let playhead = use_context::<Playhead>();
    let lines = edges
        .clone()
        .map(|(edge, place)| line_view(edge, place, chosen, playhead));
    let counts = edges.map(|(edge, place)| {
        let names = [edge.from, edge.to].map(|node| graph.nodes.get(node).map(title).unwrap_or_default());
        count_view(edge, place, &names, (chosen, playhead), choose)
    });
    let nodes = graph.nodes.iter().zip(&layout.nodes).enumerate();
    let nodes = nodes.map(|(at, (node, place))| {
        let since = playhead.map(|playhead| (node.start, playhead));
        node_view(at, node, *place, (chosen, since), choose)
    });
    let told = {
        let placed = Arc::clone(&placed);
        move || {
            chosen
                .get()
                .and_then(|at| Some(told(&placed, at, placed.graph.nodes.get(at)?, patch.clone())))
        }
    };
    let summary = format!(
        "Agent graph: {} nodes, {} kinds of calls",
        graph.nodes.len(),
        graph.edges.len()
    );
    let shape = format!("0 0 {width:.0} {height:.0}");
    let size = format!("width:{width:.0}px;height:{height:.0}px");
    let escape = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Escape" {
            choose.run((None, 0));
            shown.select.run(None);
        }
    };
    view! {
        <div class="graph" on:keydown=escape>
            <svg viewBox=shape style=size role="group" aria-label=summary>
                <defs>
                    <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
                        <path d="M0 1l7 3-7 3z" class="tip" />
                    </marker>
                </defs>
                <g transform=format!("translate({MARGIN} {MARGIN})")>
                    {lines.collect_view()}
                    {nodes.collect_view()}
                    {counts.collect_view()}
                </g>
            </svg>
        </div>
        <div class="view-foot muted">
            {move || told().unwrap_or_else(|| {
                "A node or a number of calls selects its first span; dashed lines lead back".into_any()
            })}
        </div>
    }
}

/// What is known of the node at hand, and a way to its spans.
fn told(
    placed: &Placed,
    at: usize,
    node: &Node,
    patch: impl Fn(&[(&str, Option<String>)]) + Clone + Send + Sync + 'static,
) -> AnyView {
    let (word, _, by) = kind(node);
    let of = |edges: &dyn Fn(&Edge) -> bool| {
        let calls = placed
            .graph
            .edges
            .iter()
            .filter(|edge| edges(edge))
            .map(|edge| i64::from(edge.calls));
        format::integer(calls.sum())
    };
    let mut words = vec![
        format!("{word} {}", title(node)),
        figures(node),
        format!("called {} times", of(&|edge| edge.to == at)),
        format!("calls {} times", of(&|edge| edge.from == at)),
    ];
    words.extend(
        node.totals
            .total_tokens
            .map(|tokens| format!("{} tokens", format::count(tokens))),
    );
    let first = placed.loaded.tree.row_of(&placed.loaded.columns, node.first);
    words.extend(first.map(|row| format!("first span {}", span_id(&placed.loaded.columns, row))));
    let filter = only(by, &node.label);
    let open = move |_| {
        patch(&[
            ("tab", Some("table".to_owned())),
            ("by", None),
            ("only", Some(filter.clone())),
        ]);
    };
    view! { <span>{words.join(" \u{b7} ")}" "<button class="fold" on:click=open>"its spans as a table"</button></span> }.into_any()
}

/// The path of a curve through points; loops are round.
fn curve(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        match at.checked_sub(1).and_then(|before| points.get(before)) {
            None => path += &format!("M{x:.1} {y:.1}"),
            Some((x0, y0)) => {
                let bend = ((x - x0).abs() / 2.0).max(12.0).copysign(x - x0);
                path += &format!("C{:.1} {y0:.1} {:.1} {y:.1} {x:.1} {y:.1}", x0 + bend, x - bend);
            }
        }
    }
    path
}

/// The class of an edge, and whether it is of no concern to the node at hand.
fn edge_look(edge: &Edge, chosen: Memo<Option<usize>>) -> (String, impl Fn() -> bool + Clone + Send + use<>) {
    let ends = [edge.from, edge.to];
    let beside = move || chosen.get().is_some_and(|chosen| !ends.contains(&chosen));
    (format!("edge {}", trouble(edge.errors, edge.blocked).0), beside)
}

/// Whether what began at `first` is still to come at the instant, where there is one.
fn is_later(first: Option<i64>, playhead: Option<Playhead>) -> bool {
    playhead
        .zip(first)
        .is_some_and(|(playhead, first)| !playhead.has_passed(first))
}

fn line_view(
    edge: &Edge,
    place: &EdgePlace,
    chosen: Memo<Option<usize>>,
    playhead: Option<Playhead>,
) -> impl IntoView + use<> {
    let loops = edge.from == edge.to;
    let path = if loops {
        polyline(&place.points)
    } else {
        curve(&place.points)
    };
    let stroke = if place.back { "6 4" } else { "none" };
    let (class, beside) = edge_look(edge, chosen);
    let first = edge.starts.first().copied();
    let ahead = move || is_later(first, playhead);
    view! { <path class=class class:beside=beside class:ahead=ahead d=path stroke-dasharray=stroke marker-end="url(#tip)" /> }
}

/// How often, as a button on the middle of the line.
fn count_view(
    edge: &Edge,
    place: &EdgePlace,
    [from, to]: &[String; 2],
    (chosen, playhead): (Memo<Option<usize>>, Option<Playhead>),
    choose: Callback<(Option<usize>, u64)>,
) -> impl IntoView + use<> {
    let mark = trouble(edge.errors, edge.blocked).1;
    let (x, y) = if edge.from == edge.to {
        above(&place.points)
    } else {
        middle(&place.points)
    };
    let said = format!("{from} to {to}: {}", calls(edge));
    let mut about = vec![said.clone(), format!("total {}", format::duration(edge.time))];
    about.extend(edge.p50.map(|p50| format!("p50 {}", format::duration(p50))));
    about.extend(
        edge.total_tokens
            .map(|tokens| format!("{} tokens", format::count(tokens))),
    );
    about.extend(edge.cost.map(format::cost));
    let sign = if edge.from == edge.to { "\u{21ba} " } else { "" };
    let count = move |calls: usize| format!("{sign}{}{mark}", format::integer(calls as i64));
    let half = count(edge.starts.len()).chars().count() as f64 * 3.6 + 6.0;
    let begins = edge.starts.first().copied();
    let starts = edge.starts.clone();
    let count = move || {
        let at = playhead
            .and_then(|playhead| playhead.at.get())
            .unwrap_or(i64::MAX);
        count(starts.partition_point(|start| *start <= at))
    };
    let ahead = move || is_later(begins, playhead);
    let first = edge.first;
    let (class, beside) = edge_look(edge, chosen);
    let typed = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Enter" || event.key() == " " {
            event.prevent_default();
            choose.run((None, first));
        }
    };
    view! {
        <g class=format!("{class} calls") class:beside=beside class:ahead=ahead role="button" tabindex="0" aria-label=said
            transform=format!("translate({x:.1} {y:.1})") on:click=move |_| choose.run((None, first)) on:keydown=typed>
            <title>{about.join(" \u{b7} ")}</title>
            <rect x=-half y="-9" width=half * 2.0 height="18" rx="9" />
            <text aria-hidden="true" text-anchor="middle" dominant-baseline="central">{count}</text>
        </g>
    }
}

fn polyline(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        path += &format!("{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" });
    }
    path
}

/// Where the number of a loop stands: above it, where no other line comes.
fn above(points: &[(f64, f64)]) -> (f64, f64) {
    let x = points.iter().map(|(x, _)| *x).fold(f64::NEG_INFINITY, f64::max);
    let y = points.iter().map(|(_, y)| *y).fold(f64::INFINITY, f64::min);
    (x, y - 14.0)
}

/// Where the number of calls stands: half way.
fn middle(points: &[(f64, f64)]) -> (f64, f64) {
    let at = |place: usize| points.get(place).copied().unwrap_or_default();
    let half = points.len() / 2;
    if points.len() % 2 == 1 {
        return at(half);
    }
    let ((x0, y0), (x1, y1)) = (at(half.saturating_sub(1)), at(half));
    ((x0 + x1) / 2.0, (y0 + y1) / 2.0)
}

fn node_view(
    at: usize,
    node: &Node,
    place: NodePlace,
    (chosen, since): (Memo<Option<usize>>, Option<(i64, Playhead)>),
    choose: Callback<(Option<usize>, u64)>,
) -> impl IntoView + use<> {
    let ahead = move || since.is_some_and(|(first, playhead)| !playhead.has_passed(first));
    let (word, sign, _) = kind(node);
    let (trouble, mark) = trouble(node.totals.errors, node.totals.blocked);
    let class = format!("node is-{word} {trouble}");
    let said = format!(
        "{word} {}, {}{}",
        title(node),
        figures(node),
        match trouble {
            "error" => format!(", {} failed", node.totals.errors),
            "blocked" => format!(", {} blocked", node.totals.blocked),
            _ => String::new(),
        }
    );
    let (first, label) = (node.first, said.clone());
    let on = move || chosen.get() == Some(at);
    let typed = move |event: web_sys::KeyboardEvent| {
        if event.key() == "Enter" || event.key() == " " {
            event.prevent_default();
            choose.run((Some(at), first));
        }
    };
    view! {
        <g class=class class:on=on class:ahead=ahead role="button" tabindex="0" aria-label=label aria-pressed=move || on().to_string()
            transform=format!("translate({:.1} {:.1})", place.x, place.y)
            on:click=move |_| choose.run((Some(at), first)) on:keydown=typed>
            <title>{said}</title>
            <rect width=place.width height=NODE_HEIGHT rx="6" />
            <text aria-hidden="true" class="sign" x="12" y="17" dominant-baseline="central">{sign}</text>
            <text aria-hidden="true" class="name" x="27" y="17" dominant-baseline="central">{short(node)}{mark}</text>
            <text aria-hidden="true" class="figures" x="12" y="33" dominant-baseline="central">{figures(node)}</text>
        </g>
    }
}
