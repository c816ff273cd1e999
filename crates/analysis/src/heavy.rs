//! The trace by name: spans of one name and service under the same callers put together, the
//! heaviest first. Where a trace of a thousand calls goes is seen in a handful of bars.

use crate::self_time::own_time;
use crate::totals::Totals;
use crate::tree::{NONE, Tree};
use hashbrown::HashMap;
use meshscope_model::SpanColumns;
use std::cmp::Reverse;

/// Spans of one name and service that were called the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeavyNode {
    /// Name, an index of [`SpanColumns::strings`].
    pub name: u32,
    /// `service.name`, likewise.
    pub service: u32,
    /// The first of the spans, a row number.
    pub first: u32,
    /// Where it stands in [`Heavy::nodes`] by whom they were called; [`NONE`] at the top.
    pub parent: u32,
    /// How many callers are above.
    pub depth: u32,
    /// Counts, tokens and cost of the spans themselves.
    pub totals: Totals,
    /// How long the spans took together, ns.
    pub sum: i64,
    /// How long they were themselves at work, ns.
    pub own: i64,
    /// How wide it is drawn, ns: its sum, or that of its children where they ran at the same time.
    pub weight: i64,
    /// Where it starts, ns from the left: in its parent behind its heavier siblings.
    pub start: i64,
}

/// The by-name tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heavy {
    nodes: Vec<HeavyNode>,
    /// How wide all are together, ns.
    weight: i64,
}

impl Heavy {
    /// Puts the spans of a trace together, in time by their number.
    #[must_use]
    pub fn build(columns: &SpanColumns, tree: &Tree) -> Self {
        let mut nodes = gather(columns, tree);
        for place in (0..nodes.len()).rev() {
            let node = &mut nodes[place];
            node.weight = node.weight.max(node.sum);
            let (parent, weight) = (node.parent as usize, node.weight);
            if let Some(parent) = nodes.get_mut(parent) {
                // Until a node's turn comes its weight is that of its children.
                parent.weight = parent.weight.saturating_add(weight);
            }
        }
        let order = heaviest_first(columns, &nodes);
        let mut places = vec![NONE; nodes.len()];
        // How far right the next child of a node starts.
        let mut filled: Vec<i64> = nodes.iter().map(|_| 0).collect();
        let mut sorted: Vec<HeavyNode> = Vec::with_capacity(nodes.len());
        let mut heavy = Self::default();
        for old in order {
            let mut node = nodes[old as usize].clone();
            let parent = node.parent as usize;
            node.start = match filled.get_mut(parent) {
                Some(filled) => {
                    let start = *filled;
                    *filled = start.saturating_add(node.weight);
                    start
                }
                None => {
                    let start = heavy.weight;
                    heavy.weight = start.saturating_add(node.weight);
                    start
                }
            };
            node.parent = places.get(parent).copied().unwrap_or(NONE);
            filled[old as usize] = node.start;
            places[old as usize] = sorted.len() as u32;
            sorted.push(node);
        }
        heavy.nodes = sorted;
        heavy
    }

    /// The nodes, a parent before its children, siblings by weight.
    #[must_use]
    pub fn nodes(&self) -> &[HeavyNode] {
        &self.nodes
    }

    /// How wide all are together, ns.
    #[must_use]
    pub fn weight(&self) -> i64 {
        self.weight
    }
}

/// The nodes as they are met, a parent before its children.
fn gather(columns: &SpanColumns, tree: &Tree) -> Vec<HeavyNode> {
    let mut nodes: Vec<HeavyNode> = Vec::new();
    let mut known: HashMap<(u32, u32, u32), u32> = HashMap::new();
    let mut node_of = vec![NONE; tree.len()];
    let text = |column: &[u32], row: u32| column.get(row as usize).copied().unwrap_or(0);
    for row in tree.order() {
        let parent = tree.parent(*row).and_then(|parent| node_of.get(parent as usize));
        let parent = parent.copied().unwrap_or(NONE);
        let (name, service) = (text(&columns.name, *row), text(&columns.service, *row));
        let place = *known.entry((parent, name, service)).or_insert_with(|| {
            let above = nodes.get(parent as usize).map(|above| above.depth + 1);
            nodes.push(HeavyNode {
                name,
                service,
                first: *row,
                parent,
                depth: above.unwrap_or(0),
                totals: Totals::default(),
                sum: 0,
                own: 0,
                weight: 0,
                start: 0,
            });
            nodes.len() as u32 - 1
        });
        node_of[*row as usize] = place;
        let duration = columns.duration.get(*row as usize).copied().unwrap_or(0);
        if let Some(node) = nodes.get_mut(place as usize) {
            node.totals.add(columns, *row as usize);
            node.sum = node.sum.saturating_add(duration);
            node.own = node.own.saturating_add(own_time(columns, tree, *row));
        }
    }
    nodes
}

/// Places of nodes depth first, siblings by weight, equal ones by name and service.
fn heaviest_first(columns: &SpanColumns, nodes: &[HeavyNode]) -> Vec<u32> {
    let mut children: Vec<Vec<u32>> = vec![Vec::new(); nodes.len()];
    let mut waiting = Vec::new();
    for (place, node) in nodes.iter().enumerate() {
        match children.get_mut(node.parent as usize) {
            Some(siblings) => siblings.push(place as u32),
            None => waiting.push(place as u32),
        }
    }
    let key = |place: &u32| {
        let node = &nodes[*place as usize];
        let texts = (columns.string(node.name), columns.string(node.service));
        (Reverse(node.weight), texts)
    };
    waiting.sort_by(|a, b| key(b).cmp(&key(a)));
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(place) = waiting.pop() {
        order.push(place);
        let siblings = &mut children[place as usize];
        siblings.sort_by(|a, b| key(b).cmp(&key(a)));
        waiting.append(siblings);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, spans, with_names};
    use proptest::prelude::*;

    #[test]
    fn same_names_under_the_same_callers_are_one() {
        let c = columns(&[
            (1, 0, 0, 100),
            (2, 1, 0, 10),
            (3, 1, 20, 50),
            (4, 3, 20, 10),
            (5, 1, 75, 15),
            (6, 2, 0, 4),
        ]);
        let names = ["run", "search", "chat", "search", "search", "fetch"].map(str::to_owned);
        let c = with_names(c, &names);
        let heavy = Heavy::build(&c, &Tree::build(&c));
        let found: Vec<_> = heavy
            .nodes()
            .iter()
            .map(|node| {
                let spans = node.totals.spans;
                (
                    c.string(node.name),
                    node.depth,
                    spans,
                    node.sum,
                    node.own,
                    node.start,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("run", 0, 1, 100, 25, 0),
                ("chat", 1, 1, 50, 40, 0),
                ("search", 2, 1, 10, 10, 0),
                ("search", 1, 2, 25, 21, 50),
                ("fetch", 2, 1, 4, 4, 50)
            ]
        );
        assert_eq!(heavy.weight(), 100);
    }

    #[test]
    fn calls_at_the_same_time_make_their_caller_wide() {
        let c = columns(&[(1, 0, 0, 10), (2, 1, 0, 10), (3, 1, 0, 10)]);
        let heavy = Heavy::build(&c, &Tree::build(&c));
        let found: Vec<_> = heavy.nodes().iter().map(|node| (node.sum, node.weight)).collect();
        assert_eq!(found, [(10, 20), (20, 20)]);
        assert_eq!(
            Heavy::build(&SpanColumns::default(), &Tree::default()),
            Heavy::default()
        );
    }

    proptest! {
        #[test]
        fn nodes_lie_in_their_parents_and_add_up(spans in spans(40), names in prop::collection::vec(0..3_usize, 40)) {
            let c = columns(&spans);
            let texts: Vec<String> = names.iter().take(c.len()).map(usize::to_string).collect();
            let c = with_names(c, &texts);
            let heavy = Heavy::build(&c, &Tree::build(&c));
            let nodes = heavy.nodes();
            prop_assert_eq!(nodes.iter().map(|node| node.totals.spans).sum::<u32>(), c.len() as u32);
            prop_assert_eq!(nodes.iter().map(|node| node.sum).sum::<i64>(), c.duration.iter().sum::<i64>());
            for (place, node) in nodes.iter().enumerate() {
                let around = nodes.get(node.parent as usize).map_or((0, heavy.weight()), |parent| (parent.start, parent.start + parent.weight));
                prop_assert!(around.0 <= node.start && node.start + node.weight <= around.1);
                for other in &nodes[..place] {
                    if other.depth == node.depth {
                        prop_assert!(other.start + other.weight <= node.start);
                        prop_assert!(other.parent != node.parent || (other.weight >= node.weight && (other.name, other.service) != (node.name, node.service)));
                    }
                }
            }
        }
    }
}
