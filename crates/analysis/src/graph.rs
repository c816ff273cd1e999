//! The agent graph of a trace: who called whom, how often, and what it took.
//!
//! A span belongs to the node that is at work in it: the tool it runs, the model it calls, else
//! the agent that acts, else its service. A call is a span whose node is another than its
//! parent's. The order in which spans arrived plays no part.

use crate::quantile::nearest_rank;
use crate::self_time::own_time;
use crate::totals::{Totals, subtree_sums};
use crate::tree::{NONE, Tree};
use meshscope_model::columns::{ABSENT, flag};
use meshscope_model::{Operation, SpanColumns};
use std::collections::{BTreeMap, BTreeSet};

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// An agent.
    Agent,
    /// A service, where no agent is named.
    Service,
    /// A tool.
    Tool,
    /// A model.
    Model,
}

/// Who acts, or what is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Its name; empty for spans that name no service.
    pub label: String,
    /// Id of its first span by (start, id).
    pub first: u64,
    /// Counts, tokens and cost of its spans, which are in no other node.
    pub totals: Totals,
    /// How long its spans were themselves at work, ns.
    pub own: i64,
}

/// Calls from one node to another, or to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who calls, a place in [`Graph::nodes`].
    pub from: usize,
    /// Who is called.
    pub to: usize,
    /// Id of the first call.
    pub first: u64,
    /// How many calls.
    pub calls: u32,
    /// How many of them failed; blocked ones are not counted here.
    pub errors: u32,
    /// How many were blocked.
    pub blocked: u32,
    /// How long the calls took together, ns, those within another call of this edge left out, as
    /// in the figures below.
    pub time: i64,
    /// Median of all ended calls' durations by nearest rank, ns.
    pub p50: Option<i64>,
    /// Tokens used by the calls and all that is below them.
    pub total_tokens: Option<i64>,
    /// Their cost in pico-dollars.
    pub cost: Option<i64>,
    /// When each of the calls began, in order, ns since the epoch.
    pub starts: Vec<i64>,
}

/// The graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    /// By kind and label.
    pub nodes: Vec<Node>,
    /// By from and to.
    pub edges: Vec<Edge>,
}

/// A node before it has a place: its kind and label, an index of the interned strings.
type Name = (NodeKind, u32);

impl Graph {
    /// The graph of a trace, in time by the number of its spans.
    #[must_use]
    pub fn build(columns: &SpanColumns, tree: &Tree) -> Self {
        let mut walk = Walk {
            columns,
            tree,
            tokens: subtree_sums(tree, &columns.total_tokens),
            costs: subtree_sums(tree, &columns.cost),
            places: vec![At::default(); tree.len()],
            names: std::array::from_fn(|_| vec![NONE; columns.strings.len().max(1)]),
            nodes: Vec::new(),
            calls: BTreeMap::new(),
        };
        for row in tree.order() {
            walk.visit(*row);
        }
        walk.finish()
    }

    /// The node with this kind and label.
    #[must_use]
    pub fn node(&self, kind: NodeKind, label: &str) -> Option<usize> {
        let place = |node: &Node| (node.kind, node.label.as_str()).cmp(&(kind, label));
        self.nodes.binary_search_by(place).ok()
    }
}

/// Where a span stands, by numbers of nodes as they are met.
#[derive(Debug, Clone, Copy, Default)]
struct At {
    /// The agent or service on whose behalf it runs.
    actor: u32,
    /// The node that is at work.
    node: u32,
    /// It is, or lies in, an invocation of its actor.
    invoked: bool,
}

/// Calls from one node to another, being gathered.
#[derive(Debug)]
struct Calls {
    first: Moment,
    calls: u32,
    errors: u32,
    blocked: u32,
    time: i64,
    durations: Vec<i64>,
    starts: Vec<i64>,
    total_tokens: Option<i64>,
    cost: Option<i64>,
    /// Behind the last call that lies in no other, a place of the tree's order.
    end: u32,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            first: LATEST,
            calls: 0,
            errors: 0,
            blocked: 0,
            time: 0,
            durations: Vec::new(),
            starts: Vec::new(),
            total_tokens: None,
            cost: None,
            end: 0,
        }
    }
}

/// Start and id of a span: what says which is first.
type Moment = (i64, u64);

const LATEST: Moment = (i64::MAX, u64::MAX);

struct Walk<'a> {
    columns: &'a SpanColumns,
    tree: &'a Tree,
    tokens: Vec<i64>,
    costs: Vec<i64>,
    places: Vec<At>,
    /// Number of the node of each kind and interned string.
    names: [Vec<u32>; 4],
    nodes: Vec<(Node, Moment)>,
    calls: BTreeMap<(u32, u32), Calls>,
}

impl Walk<'_> {
    fn text(&self, column: &[u32], row: u32) -> u32 {
        column.get(row as usize).copied().unwrap_or(0)
    }

    fn number(&mut self, name: Name) -> u32 {
        let next = self.nodes.len() as u32;
        let Some(number) = self.names[name.0 as usize].get_mut(name.1 as usize) else {
            return NONE;
        };
        if *number == NONE {
            *number = next;
            let node = Node {
                kind: name.0,
                label: self.columns.string(name.1).to_owned(),
                first: 0,
                totals: Totals::default(),
                own: 0,
            };
            self.nodes.push((node, LATEST));
        }
        *number
    }

    fn kind(&self, number: u32) -> Option<NodeKind> {
        self.nodes.get(number as usize).map(|(node, _)| node.kind)
    }

    /// Takes in a span; its parent was taken in before.
    fn visit(&mut self, row: u32) {
        let parent = self.tree.parent(row);
        let above = parent.and_then(|parent| self.places.get(parent as usize).copied());
        let operation = self.columns.operation.get(row as usize).copied().unwrap_or(0);
        let operation = Operation::from_number(operation);
        let actor = self.actor(row, parent, above);
        let invokes = operation == Operation::InvokeAgent;
        let same_actor = above.filter(|above| above.actor == actor);
        let again = invokes && same_actor.is_some_and(|above| above.invoked || above.node != actor);
        let mut caller = above.map(|above| above.node);
        if above.is_some() && same_actor.is_none() {
            let seen_from_both_sides = caller.is_some() && self.used(row, operation, caller) == caller;
            if !seen_from_both_sides {
                self.call(caller, actor, row);
                caller = Some(actor);
            }
        } else if again {
            self.call(caller, actor, row);
            caller = Some(actor);
        }
        let node = match self.used(row, operation, caller) {
            Some(used) => {
                if caller != Some(used) {
                    self.call(caller.or(Some(actor)), used, row);
                }
                used
            }
            // What an agent does within a tool is the tool at work.
            None => same_actor.filter(|_| !invokes).map_or(actor, |above| above.node),
        };
        if let Some(place) = self.places.get_mut(row as usize) {
            let invoked = invokes || same_actor.is_some_and(|above| above.invoked);
            *place = At { actor, node, invoked };
        }
        self.add(node, row);
    }

    /// The agent that acts, else the one that acts in the parent if that is of the same service, else
    /// the service.
    fn actor(&mut self, row: u32, parent: Option<u32>, above: Option<At>) -> u32 {
        let columns = self.columns;
        let (agent, service) = (self.text(&columns.agent, row), self.text(&columns.service, row));
        if agent != 0 {
            return self.number((NodeKind::Agent, agent));
        }
        let stays = parent.is_some_and(|parent| self.text(&columns.service, parent) == service);
        match above.filter(|_| stays) {
            Some(above) => above.actor,
            None => self.number((NodeKind::Service, service)),
        }
    }

    /// The tool or model that a span uses. A call that is seen from both sides, or passes through a
    /// gateway, is one.
    fn used(&mut self, row: u32, operation: Operation, caller: Option<u32>) -> Option<u32> {
        let columns = self.columns;
        let (tool, model) = (self.text(&columns.tool, row), self.text(&columns.model, row));
        if tool != 0 {
            return Some(self.number((NodeKind::Tool, tool)));
        }
        let speech = matches!(operation, Operation::SpeechToText | Operation::TextToSpeech);
        if model == 0 || !(speech || operation.is_model_call()) {
            return None;
        }
        let within = caller.filter(|caller| self.kind(*caller) == Some(NodeKind::Model));
        Some(within.unwrap_or_else(|| self.number((NodeKind::Model, model))))
    }

    /// Notes a call by span `row`; nothing without a caller.
    fn call(&mut self, from: Option<u32>, to: u32, row: u32) {
        let Some(from) = from else { return };
        let columns = self.columns;
        let at = row as usize;
        let position = self.tree.position(row);
        let calls = self.calls.entry((from, to)).or_default();
        calls.first = calls.first.min(moment(columns, row));
        let blocked = columns.has_flag(at, flag::BLOCKED);
        calls.calls += 1;
        calls.starts.extend(columns.start_time.get(at));
        calls.blocked += u32::from(blocked);
        calls.errors += u32::from(!blocked && columns.has_flag(at, flag::ERROR));
        let duration = columns.duration.get(at).copied().unwrap_or(0);
        if !columns.has_flag(at, flag::IN_PROGRESS) {
            calls.durations.push(duration);
        }
        if position >= calls.end {
            calls.end = position + self.tree.size(row);
            calls.time = calls.time.saturating_add(duration);
            calls.total_tokens = plus(calls.total_tokens, self.tokens.get(at));
            calls.cost = plus(calls.cost, self.costs.get(at));
        }
    }

    /// Adds a span to its node.
    fn add(&mut self, node: u32, row: u32) {
        let (columns, tree) = (self.columns, self.tree);
        let own = own_time(columns, tree, row);
        if let Some((node, first)) = self.nodes.get_mut(node as usize) {
            *first = moment(columns, row).min(*first);
            node.totals.add(columns, row as usize);
            node.own = node.own.saturating_add(own);
        }
    }

    fn finish(self) -> Graph {
        let called: BTreeSet<u32> = self.calls.keys().flat_map(|(from, to)| [*from, *to]).collect();
        let count = self.nodes.len();
        let met = self.nodes.into_iter().zip(0_u32..);
        // A service that answers for a tool has no span of its own and no part in a call.
        let taking_part = met.filter(|((node, _), number)| node.totals.spans > 0 || called.contains(number));
        let mut nodes: Vec<(Node, u32)> = taking_part
            .map(|((node, first), number)| {
                (
                    Node {
                        first: first.1,
                        ..node
                    },
                    number,
                )
            })
            .collect();
        nodes.sort_by(|(a, _), (b, _)| (a.kind, &a.label).cmp(&(b.kind, &b.label)));
        let mut places = vec![NONE as usize; count];
        for (place, (_, number)) in nodes.iter().enumerate() {
            if let Some(found) = places.get_mut(*number as usize) {
                *found = place;
            }
        }
        let place = |number: u32| places.get(number as usize).copied().unwrap_or(0);
        let mut edges: Vec<Edge> = self
            .calls
            .into_iter()
            .map(|((from, to), mut calls)| Edge {
                from: place(from),
                to: place(to),
                first: calls.first.1,
                calls: calls.calls,
                errors: calls.errors,
                blocked: calls.blocked,
                time: calls.time,
                p50: nearest_rank(&mut calls.durations, 50),
                total_tokens: calls.total_tokens,
                cost: calls.cost,
                starts: {
                    calls.starts.sort_unstable();
                    calls.starts
                },
            })
            .collect();
        edges.sort_by_key(|edge| (edge.from, edge.to));
        Graph {
            nodes: nodes.into_iter().map(|(node, _)| node).collect(),
            edges,
        }
    }
}

fn moment(columns: &SpanColumns, row: u32) -> Moment {
    let at = row as usize;
    let start = columns.start_time.get(at).copied().unwrap_or(i64::MAX);
    (start, columns.span_id.get(at).copied().unwrap_or(u64::MAX))
}

fn plus(sum: Option<i64>, figure: Option<&i64>) -> Option<i64> {
    match figure.copied().filter(|figure| *figure != ABSENT) {
        Some(figure) => Some(sum.unwrap_or(0).saturating_add(figure)),
        None => sum,
    }
}

#[cfg(test)]
mod tests;
