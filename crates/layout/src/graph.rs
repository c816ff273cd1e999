//! Where the nodes and edges of an agent graph stand: layers from left to right, callers left of
//! whom they call, edges back to a caller marked. The same graph is placed the same every time.

use meshscope_analysis::Graph;

/// Height of a node, px.
pub const NODE_HEIGHT: f64 = 44.0;
/// Free px between two layers.
pub const LAYER_GAP: f64 = 72.0;
/// Free px between two nodes of a layer.
const NODE_GAP: f64 = 20.0;
/// Height of the place where an edge passes through a layer, px.
const BEND_HEIGHT: f64 = 6.0;
/// How far a loop reaches out of its node, px.
const LOOP_REACH: f64 = 22.0;
/// How far beside an edge the pointer still means it, px.
const REACH: f64 = 5.0;
/// How often the layers are put in order by their neighbours.
const SWEEPS: usize = 6;
/// Graphs of more edges than this have straight ones.
const MOST_BENT: usize = 2_000;

/// Where a node stands, px from the top left of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NodePlace {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// How many layers are left of it.
    pub layer: usize,
}

/// Where an edge runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EdgePlace {
    /// From the caller to the called, two at least; a curve through them is drawn.
    pub points: Vec<(f64, f64)>,
    /// It leads back to a node that (over others) calls its caller, or to the caller itself.
    pub back: bool,
}

/// A placed graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GraphLayout {
    /// In the order of the graph's nodes.
    pub nodes: Vec<NodePlace>,
    /// In the order of the graph's edges.
    pub edges: Vec<EdgePlace>,
    /// Width of all, px.
    pub width: f64,
    /// Height of all, px.
    pub height: f64,
}

/// What is under the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphHit {
    /// A node, by its place in the graph.
    Node(usize),
    /// An edge, by its place in the graph.
    Edge(usize),
}

impl GraphLayout {
    /// Places `graph`; `width_of` gives the width of a node by its place in the graph, px. Nothing
    /// is placed of a graph with an edge to a node that it does not have.
    #[must_use]
    pub fn place(graph: &Graph, width_of: &dyn Fn(usize) -> f64) -> Self {
        let count = graph.nodes.len();
        let ends: Vec<(usize, usize)> = graph.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        if ends.iter().any(|(from, to)| *from.max(to) >= count) {
            return Self::default();
        }
        let back = back_edges(count, &ends);
        let turned = ends.iter().zip(&back).map(|((from, to), back)| match back {
            true => (*to, *from),
            false => (*from, *to),
        });
        let turned: Vec<(usize, usize)> = turned.collect();
        let layer = layers(count, &turned);
        let mut slots = Slots::new(layer, &turned);
        slots.sort();
        slots.finish(&turned, &back, width_of, count)
    }

    /// What is at `x`, `y` px from the top left of the graph.
    #[must_use]
    pub fn hit(&self, x: f64, y: f64) -> Option<GraphHit> {
        let on_node = |node: &NodePlace| {
            (node.x..=node.x + node.width).contains(&x) && (node.y..=node.y + NODE_HEIGHT).contains(&y)
        };
        let near = |edge: &EdgePlace| {
            let distances = edge.points.windows(2).map(|pair| distance((x, y), pair));
            distances.fold(f64::INFINITY, f64::min)
        };
        if let Some(node) = self.nodes.iter().position(on_node) {
            return Some(GraphHit::Node(node));
        }
        let edges = self.edges.iter().map(near).enumerate();
        let nearest = edges.min_by(|a, b| a.1.total_cmp(&b.1));
        nearest
            .filter(|(_, distance)| *distance <= REACH)
            .map(|(edge, _)| GraphHit::Edge(edge))
    }
}

/// How far a point is from a stretch.
fn distance((x, y): (f64, f64), stretch: &[(f64, f64)]) -> f64 {
    let [(x0, y0), (x1, y1)] = stretch else {
        return f64::INFINITY;
    };
    let (dx, dy) = (x1 - x0, y1 - y0);
    let length = dx * dx + dy * dy;
    let part = if length > 0.0 {
        (((x - x0) * dx + (y - y0) * dy) / length).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (x - x0 - part * dx).hypot(y - y0 - part * dy)
}

/// For each node the edges that leave it.
fn leaving(count: usize, ends: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut leaving = vec![Vec::new(); count];
    for (edge, (from, _)) in ends.iter().enumerate() {
        if let Some(list) = leaving.get_mut(*from) {
            list.push(edge);
        }
    }
    leaving
}

/// The edges that close a circle when one walks from those whom nobody calls.
fn back_edges(count: usize, ends: &[(usize, usize)]) -> Vec<bool> {
    const ON_PATH: u8 = 1;
    const DONE: u8 = 2;
    let leaving = leaving(count, ends);
    let mut called = vec![false; count];
    for (from, to) in ends {
        if from != to {
            called[*to] = true;
        }
    }
    let uncalled = (0..count).filter(|node| !called[*node]);
    let mut state = vec![0_u8; count];
    let mut back = vec![false; ends.len()];
    for start in uncalled.chain(0..count) {
        if state[start] != 0 {
            continue;
        }
        state[start] = ON_PATH;
        let mut path = vec![(start, leaving[start].iter())];
        while let Some((node, edges)) = path.last_mut() {
            let Some(edge) = edges.next() else {
                state[*node] = DONE;
                path.pop();
                continue;
            };
            let to = ends[*edge].1;
            match state[to] {
                0 => {
                    state[to] = ON_PATH;
                    path.push((to, leaving[to].iter()));
                }
                ON_PATH => back[*edge] = true,
                _ => {}
            }
        }
    }
    back
}

/// The layer of each node: right of all whose edges lead to it. `ends` have no circles but
/// nodes that lead to themselves.
fn layers(count: usize, ends: &[(usize, usize)]) -> Vec<usize> {
    let leaving = leaving(count, ends);
    let mut left = vec![0_usize; count];
    for (from, to) in ends {
        left[*to] += usize::from(from != to);
    }
    let mut layer = vec![0; count];
    let mut ready: Vec<usize> = (0..count).filter(|node| left[*node] == 0).collect();
    while let Some(node) = ready.pop() {
        for edge in &leaving[node] {
            let to = ends[*edge].1;
            if to != node {
                layer[to] = layer[to].max(layer[node] + 1);
                left[to] -= 1;
                if left[to] == 0 {
                    ready.push(to);
                }
            }
        }
    }
    layer
}

/// What takes a place in a layer: the nodes, and behind them where edges pass through.
struct Slots {
    layer: Vec<usize>,
    /// Slots of each layer, from the top.
    layers: Vec<Vec<usize>>,
    /// Slots next to a slot in the layer left and right of it.
    beside: Vec<[Vec<usize>; 2]>,
    /// Slots that each edge passes through, from the left.
    bends: Vec<Vec<usize>>,
}

impl Slots {
    fn new(layer: Vec<usize>, ends: &[(usize, usize)]) -> Self {
        let mut slots = Self {
            beside: vec![Default::default(); layer.len()],
            layer,
            layers: Vec::new(),
            bends: vec![Vec::new(); ends.len()],
        };
        for (edge, (from, to)) in ends.iter().enumerate() {
            if from == to {
                continue;
            }
            let mut last = *from;
            if ends.len() <= MOST_BENT {
                for layer in slots.layer[*from] + 1..slots.layer[*to] {
                    let bend = slots.layer.len();
                    slots.layer.push(layer);
                    slots.beside.push(Default::default());
                    slots.bends[edge].push(bend);
                    slots.join(last, bend);
                    last = bend;
                }
            }
            slots.join(last, *to);
        }
        let count = slots.layer.iter().max().map_or(0, |last| last + 1);
        slots.layers = vec![Vec::new(); count];
        for (slot, layer) in slots.layer.iter().enumerate() {
            slots.layers[*layer].push(slot);
        }
        slots
    }

    fn join(&mut self, left: usize, right: usize) {
        self.beside[left][1].push(right);
        self.beside[right][0].push(left);
    }

    /// Puts each layer in the order of the middles of what its slots are joined to, to and fro.
    fn sort(&mut self) {
        let mut place = vec![0.0; self.layer.len()];
        let renumber = |place: &mut Vec<f64>, slots: &[usize]| {
            for (number, slot) in slots.iter().enumerate() {
                place[*slot] = (number as f64 + 0.5) / slots.len() as f64;
            }
        };
        for slots in &self.layers {
            renumber(&mut place, slots);
        }
        for sweep in 0..SWEEPS {
            let side = sweep % 2;
            let count = self.layers.len();
            for step in 0..count {
                let layer = if side == 0 { step } else { count - 1 - step };
                let slots = &mut self.layers[layer];
                let middle = |slot: &usize| {
                    let beside = &self.beside[*slot][side];
                    let sum: f64 = beside.iter().map(|other| place[*other]).sum();
                    if beside.is_empty() {
                        place[*slot]
                    } else {
                        sum / beside.len() as f64
                    }
                };
                let mut keyed: Vec<(f64, usize)> = slots.iter().map(|slot| (middle(slot), *slot)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                *slots = keyed.into_iter().map(|(_, slot)| slot).collect();
                renumber(&mut place, slots);
            }
        }
    }

    /// Places slots and edges; the first `count` slots are nodes.
    fn finish(
        self,
        ends: &[(usize, usize)],
        back: &[bool],
        width_of: &dyn Fn(usize) -> f64,
        count: usize,
    ) -> GraphLayout {
        let height_of = |slot: usize| if slot < count { NODE_HEIGHT } else { BEND_HEIGHT };
        let height_of_layer = |slots: &[usize]| {
            let all: f64 = slots.iter().map(|slot| height_of(*slot) + NODE_GAP).sum();
            (all - NODE_GAP).max(0.0)
        };
        let heights = self.layers.iter().map(|slots| height_of_layer(slots));
        let height = heights.fold(0.0, f64::max);
        let mut places = vec![NodePlace::default(); self.layer.len()];
        let mut x = 0.0;
        for (layer, slots) in self.layers.iter().enumerate() {
            let nodes = slots.iter().filter(|slot| **slot < count);
            let widest = nodes.map(|slot| width_of(*slot)).fold(0.0, f64::max);
            let mut y = (height - height_of_layer(slots)) / 2.0;
            for slot in slots {
                let width = if *slot < count { width_of(*slot) } else { widest };
                places[*slot] = NodePlace { x, y, width, layer };
                y += height_of(*slot) + NODE_GAP;
            }
            x += widest + LAYER_GAP;
        }
        let edges = ends.iter().enumerate().map(|(edge, (left, right))| {
            let mut points = if left == right {
                loop_of(places[*left])
            } else {
                let middle = |slot: usize| places[slot].y + height_of(slot) / 2.0;
                let mut points = vec![(places[*left].x + places[*left].width, middle(*left))];
                for bend in &self.bends[edge] {
                    points.push((places[*bend].x, middle(*bend)));
                    points.push((places[*bend].x + places[*bend].width, middle(*bend)));
                }
                points.push((places[*right].x, middle(*right)));
                points
            };
            if back[edge] {
                points.reverse();
            }
            EdgePlace {
                points,
                back: back[edge],
            }
        });
        let edges: Vec<EdgePlace> = edges.collect();
        places.truncate(count);
        let right = places.iter().map(|node| node.x + node.width);
        let reach = ends.iter().any(|(from, to)| from == to);
        GraphLayout {
            width: right.fold(0.0, f64::max) + if reach { LOOP_REACH } else { 0.0 },
            height,
            nodes: places,
            edges,
        }
    }
}

/// A way out of a node's right side and back.
fn loop_of(node: NodePlace) -> Vec<(f64, f64)> {
    let right = node.x + node.width;
    vec![
        (right, node.y + NODE_HEIGHT * 0.7),
        (right + LOOP_REACH, node.y + NODE_HEIGHT * 0.7),
        (right + LOOP_REACH, node.y + NODE_HEIGHT * 0.3),
        (right, node.y + NODE_HEIGHT * 0.3),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshscope_analysis::graph::{Edge, Node};
    use meshscope_analysis::{NodeKind, Totals};
    use proptest::prelude::*;

    fn graph(count: usize, ends: &[(usize, usize)]) -> Graph {
        let node = |number: usize| Node {
            kind: NodeKind::Agent,
            label: number.to_string(),
            first: 0,
            totals: Totals::default(),
            own: 0,
        };
        let edge = |(from, to): &(usize, usize)| Edge {
            from: *from,
            to: *to,
            first: 0,
            calls: 1,
            errors: 0,
            blocked: 0,
            time: 0,
            p50: None,
            total_tokens: None,
            cost: None,
            starts: Vec::new(),
        };
        Graph {
            nodes: (0..count).map(node).collect(),
            edges: ends.iter().map(edge).collect(),
        }
    }

    fn placed(count: usize, ends: &[(usize, usize)]) -> GraphLayout {
        GraphLayout::place(&graph(count, ends), &|node| 100.0 + node as f64)
    }

    #[test]
    fn callers_stand_left_of_whom_they_call() {
        // 2 calls 0 and 1, 0 calls 1, 1 calls 2 back and itself.
        let layout = placed(3, &[(0, 1), (1, 1), (1, 2), (2, 0), (2, 1)]);
        let layers: Vec<usize> = layout.nodes.iter().map(|node| node.layer).collect();
        let back: Vec<bool> = layout.edges.iter().map(|edge| edge.back).collect();
        // All are called by one of them: the walk starts at the first.
        assert_eq!(layers, [0, 1, 2]);
        assert_eq!(back, [false, true, false, true, true]);
        let layout = placed(4, &[(0, 1), (1, 2), (2, 1), (3, 0), (3, 2)]);
        let layers: Vec<usize> = layout.nodes.iter().map(|node| node.layer).collect();
        assert_eq!(layers, [1, 2, 3, 0]);
        assert_eq!(
            layout.edges[4].points.len(),
            6,
            "it bends around what stands between"
        );
        assert!(layout.edges[2].back && layout.edges[2].points[0].0 > layout.edges[2].points[1].0);
    }

    #[test]
    fn the_pointer_finds_nodes_before_edges() {
        let layout = placed(2, &[(0, 1)]);
        assert_eq!(layout.hit(50.0, 20.0), Some(GraphHit::Node(0)));
        assert_eq!(layout.hit(100.0 + LAYER_GAP / 2.0, 24.0), Some(GraphHit::Edge(0)));
        assert_eq!(layout.hit(100.0 + LAYER_GAP / 2.0, 40.0), None);
        assert_eq!(placed(0, &[]), GraphLayout::default());
    }

    fn graphs() -> impl Strategy<Value = (usize, Vec<(usize, usize)>)> {
        (1..15_usize).prop_flat_map(|count| {
            let edges = prop::collection::btree_set((0..count, 0..count), 0..40);
            (Just(count), edges.prop_map(|edges| edges.into_iter().collect()))
        })
    }

    proptest! {
        #[test]
        fn nodes_lie_apart_and_inside((count, ends) in graphs()) {
            let layout = placed(count, &ends);
            prop_assert_eq!(&layout, &placed(count, &ends));
            for (a, one) in layout.nodes.iter().enumerate() {
                prop_assert!(one.x >= 0.0 && one.x + one.width <= layout.width + 1e-9);
                prop_assert!(one.y >= -1e-9 && one.y + NODE_HEIGHT <= layout.height + 1e-9);
                for other in &layout.nodes[a + 1..] {
                    let apart_x = one.x + one.width <= other.x || other.x + other.width <= one.x;
                    let apart_y = one.y + NODE_HEIGHT <= other.y || other.y + NODE_HEIGHT <= one.y;
                    prop_assert!(apart_x || apart_y);
                }
                let middle = (one.x + one.width / 2.0, one.y + NODE_HEIGHT / 2.0);
                prop_assert_eq!(layout.hit(middle.0, middle.1), Some(GraphHit::Node(a)));
            }
        }

        #[test]
        fn edges_go_right_unless_they_go_back((count, ends) in graphs()) {
            let layout = placed(count, &ends);
            for ((from, to), edge) in ends.iter().zip(&layout.edges) {
                let (from_layer, to_layer) = (layout.nodes[*from].layer, layout.nodes[*to].layer);
                prop_assert_eq!(edge.back, from_layer >= to_layer);
                prop_assert_eq!(from == to, from_layer == to_layer);
                prop_assert!(edge.points.len() >= 2);
                let xs: Vec<f64> = edge.points.iter().map(|point| point.0).collect();
                let back: Vec<f64> = xs.iter().rev().copied().collect();
                let way = if edge.back { back } else { xs };
                prop_assert!(from == to || way.is_sorted());
            }
        }

        #[test]
        fn a_graph_without_circles_has_no_way_back((count, ends) in graphs()) {
            let forward: Vec<_> = ends.into_iter().filter(|(from, to)| from < to).collect();
            prop_assert!(placed(count, &forward).edges.iter().all(|edge| !edge.back));
        }
    }
}
