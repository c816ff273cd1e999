use super::*;
use meshscope_model::columns::{ColumnsBuilder, SpanRow};
use meshscope_model::{SpanId, TraceId};
use proptest::prelude::*;

/// Id, parent or 0, agent, service, tool, model.
type Part = (u64, u64, &'static str, &'static str, &'static str, &'static str);

/// Spans of 10 ns each, an agent's own are invocations; ids give the order.
fn trace(parts: &[Part]) -> SpanColumns {
    let mut builder = ColumnsBuilder::new(TraceId::from_u128(1));
    for (id, parent, agent, service, tool, model) in parts {
        let operation = match (*tool, *model, *agent) {
            ("", "", "") => Operation::Other,
            ("", "", _) => Operation::InvokeAgent,
            ("", _, _) => Operation::Chat,
            _ => Operation::ExecuteTool,
        };
        builder.push(&SpanRow {
            span_id: SpanId::from_u64(*id),
            parent_span_id: (*parent != 0).then(|| SpanId::from_u64(*parent)),
            start_time: *id as i64,
            duration: 10,
            agent,
            service,
            tool,
            model,
            operation,
            total_tokens: (!model.is_empty()).then_some(100),
            ..SpanRow::default()
        });
    }
    builder.finish()
}

fn graph(c: &SpanColumns) -> Graph {
    Graph::build(c, &Tree::build(c))
}

/// `from -> to xN` for each edge.
fn edges(graph: &Graph) -> Vec<String> {
    let label = |place: usize| graph.nodes[place].label.as_str();
    let edges = graph.edges.iter();
    edges
        .map(|edge| format!("{} -> {} x{}", label(edge.from), label(edge.to), edge.calls))
        .collect()
}

#[test]
fn an_agent_calls_models_tools_and_agents() {
    let c = trace(&[
        (1, 0, "", "api", "", ""),
        (2, 1, "planner", "trips", "", ""),
        (3, 2, "planner", "trips", "", "gpt"),
        (4, 2, "planner", "trips", "search", ""),
        (5, 2, "planner", "trips", "", "gpt"),
        (6, 4, "planner", "trips", "", ""),
        (7, 2, "writer", "trips", "", ""),
        (8, 7, "", "trips", "", "gpt"),
    ]);
    let mut c = c;
    c.operation[5] = Operation::Other as u8;
    let graph = graph(&c);
    assert_eq!(
        edges(&graph),
        [
            "planner -> writer x1",
            "planner -> search x1",
            "planner -> gpt x2",
            "writer -> gpt x1",
            "api -> planner x1"
        ]
    );
    let planner = graph.node(NodeKind::Agent, "planner").unwrap();
    let writer = graph.node(NodeKind::Agent, "writer").unwrap();
    let edge = graph
        .edges
        .iter()
        .find(|edge| (edge.from, edge.to) == (planner, writer))
        .unwrap();
    assert_eq!((edge.total_tokens, edge.cost, edge.time), (Some(100), None, 10));
    let search = graph.node(NodeKind::Tool, "search").unwrap();
    assert_eq!(graph.nodes[search].totals.spans, 2, "what runs within it too");
    assert_eq!(graph.node(NodeKind::Tool, "planner"), None);
}

#[test]
fn a_call_seen_from_both_sides_is_one() {
    let c = trace(&[
        (1, 0, "planner", "a", "", ""),
        (2, 1, "planner", "a", "search", ""),
        (3, 2, "", "mcp", "search", ""),
        (4, 1, "planner", "a", "", "gpt"),
        (5, 4, "", "gateway", "", "gpt-2026-01-01"),
    ]);
    assert_eq!(edges(&graph(&c)), ["planner -> search x1", "planner -> gpt x1"]);
    assert_eq!(
        graph(&c).nodes.len(),
        3,
        "the servers of tool and model are no nodes"
    );
}

#[test]
fn loops_are_edges() {
    // A asks B, which asks A again through a tool; and A invokes itself.
    let c = trace(&[
        (1, 0, "A", "s", "", ""),
        (2, 1, "B", "s", "", ""),
        (3, 2, "B", "s", "ask", ""),
        (4, 3, "A", "s", "", ""),
        (5, 4, "A", "s", "", ""),
        (6, 5, "B", "s", "", ""),
    ]);
    let graph = graph(&c);
    assert_eq!(
        edges(&graph),
        ["A -> A x1", "A -> B x2", "B -> ask x1", "ask -> A x1"]
    );
    assert_eq!(graph.edges[1].time, 10, "a call within a call is not added");
}

#[test]
fn trouble_is_counted_once() {
    let mut c = trace(&[
        (1, 0, "A", "s", "", ""),
        (2, 1, "A", "s", "t", ""),
        (3, 1, "A", "s", "t", ""),
        (4, 1, "A", "s", "t", ""),
    ]);
    c.flags = vec![0, flag::ERROR, flag::ERROR | flag::BLOCKED, flag::IN_PROGRESS];
    c.duration[2] = 30;
    let edge = graph(&c).edges[0].clone();
    assert_eq!((edge.calls, edge.errors, edge.blocked), (3, 1, 1));
    assert_eq!((edge.p50, edge.first), (Some(10), 2));
    assert_eq!(graph(&SpanColumns::default()), Graph::default());
}

/// Any small traces of a few agents, services, tools and models.
fn traces() -> impl Strategy<Value = Vec<Part>> {
    let pick = |texts: &'static [&'static str]| prop::sample::select(texts);
    let part = (
        0..20_u64,
        pick(&["", "A", "B"]),
        pick(&["s", "t"]),
        pick(&["", "", "x", "y"]),
        pick(&["", "m"]),
    );
    prop::collection::vec(part, 0..30).prop_map(|parts| {
        let numbered = (1..).zip(parts);
        numbered
            .map(|(id, (parent, agent, service, tool, model))| (id, parent % id, agent, service, tool, model))
            .collect()
    })
}

proptest! {
    #[test]
    fn the_order_of_arrival_plays_no_part(parts in traces(), keys in prop::collection::vec(any::<u32>(), 30)) {
        let expected = graph(&trace(&parts));
        let mut mixed: Vec<_> = parts.into_iter().zip(keys).collect();
        mixed.sort_by_key(|(_, key)| *key);
        let mixed: Vec<Part> = mixed.into_iter().map(|(part, _)| part).collect();
        prop_assert_eq!(graph(&trace(&mixed)), expected);
    }

    #[test]
    fn every_span_is_in_one_node(parts in traces()) {
        let c = trace(&parts);
        let graph = graph(&c);
        let mut all = Totals::default();
        for node in &graph.nodes {
            all.merge(&node.totals);
        }
        prop_assert_eq!(all, Totals::of(&c, 0..c.len() as u32));
        for edge in &graph.edges {
            prop_assert!(edge.from < graph.nodes.len() && edge.to < graph.nodes.len());
            prop_assert!(edge.calls > 0 && edge.errors + edge.blocked <= edge.calls);
        }
        let own = crate::own_times(&c, &Tree::build(&c));
        prop_assert_eq!(graph.nodes.iter().map(|node| node.own).sum::<i64>(), own.iter().sum::<i64>());
    }
}
