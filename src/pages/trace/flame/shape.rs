//! The two shapes of the flame graph: by time, where each bar is a span, and by name, where a bar is all
//! spans of a name that were called the same way, the heaviest left.

use super::super::Loaded;
use meshscope_analysis::{Heavy, own_time};
use meshscope_layout::{Flame, HeavyFlame, Rect, TimeView, format};
use meshscope_model::columns::flag;
use std::ops::Range;

/// One of the shapes.
pub(crate) enum Shape {
    /// Bars are spans.
    Time(Flame),
    /// Bars are nodes of the by-name tree.
    Name(Heavy, HeavyFlame),
}

/// Where a key leads from a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To its caller.
    Up,
    /// To the longest of those it calls.
    Down,
    /// To the neighbour before it under the same caller.
    Before,
    /// To the neighbour behind it.
    Behind,
}

impl Shape {
    /// The shape of a trace.
    pub(crate) fn of(loaded: &Loaded, by_name: bool) -> Self {
        if by_name {
            let heavy = Heavy::build(&loaded.columns, &loaded.tree);
            let flame = HeavyFlame::build(&heavy);
            Self::Name(heavy, flame)
        } else {
            Self::Time(Flame::build(&loaded.columns, &loaded.tree, loaded.bounds().1))
        }
    }

    /// All that it covers from left to right, ns.
    pub(crate) fn bounds(&self, loaded: &Loaded) -> (i64, i64) {
        match self {
            Self::Time(_) => loaded.bounds(),
            Self::Name(heavy, _) => (0, heavy.weight().max(1)),
        }
    }

    /// How many lanes.
    pub(crate) fn lanes(&self) -> usize {
        match self {
            Self::Time(flame) => flame.lanes(),
            Self::Name(_, flame) => flame.lanes(),
        }
    }

    /// The lane of a bar.
    pub(crate) fn lane_of(&self, item: u32) -> usize {
        match self {
            Self::Time(flame) => flame.lane_of(item).unwrap_or(0),
            Self::Name(heavy, _) => heavy
                .nodes()
                .get(item as usize)
                .map_or(0, |node| node.depth as usize),
        }
    }

    /// The bars in view.
    pub(crate) fn rects(&self, loaded: &Loaded, view: &TimeView, lanes: Range<usize>, out: &mut Vec<Rect>) {
        match self {
            Self::Time(flame) => flame.rects(&loaded.columns, view, lanes, out),
            Self::Name(heavy, flame) => flame.rects(heavy, view, lanes, out),
        }
    }

    /// The bar at `x` px in a lane.
    pub(crate) fn hit(&self, loaded: &Loaded, view: &TimeView, lane: usize, x: f64) -> Option<u32> {
        match self {
            Self::Time(flame) => flame.hit(&loaded.columns, view, lane, x),
            Self::Name(heavy, flame) => flame.hit(heavy, view, lane, x),
        }
    }

    /// Name and service of a bar, interned strings.
    pub(crate) fn names(&self, loaded: &Loaded, item: u32) -> (u32, u32) {
        match self {
            Self::Time(_) => span_names(loaded, item),
            Self::Name(heavy, _) => {
                let node = heavy.nodes().get(item as usize);
                node.map_or((0, 0), |node| (node.name, node.service))
            }
        }
    }

    /// From where to where a bar goes, ns.
    pub(crate) fn times(&self, loaded: &Loaded, item: u32) -> (i64, i64) {
        match self {
            Self::Time(_) => {
                let start = loaded.columns.start_time.get(item as usize).copied().unwrap_or(0);
                (start, loaded.columns.end_time(item as usize))
            }
            Self::Name(heavy, _) => {
                let node = heavy.nodes().get(item as usize);
                node.map_or((0, 0), |node| {
                    (node.start, node.start.saturating_add(node.weight))
                })
            }
        }
    }

    /// The span that a bar selects: itself, or the first of its spans.
    pub(crate) fn span_of(&self, item: u32) -> u32 {
        match self {
            Self::Time(_) => item,
            Self::Name(heavy, _) => heavy.nodes().get(item as usize).map_or(0, |node| node.first),
        }
    }

    /// The bar that a span is in.
    pub(crate) fn bar_of(&self, loaded: &Loaded, span: u32) -> Option<u32> {
        let Self::Name(heavy, _) = self else {
            return Some(span);
        };
        let mut path: Vec<u32> = loaded.tree.ancestors(span).collect();
        path.reverse();
        path.push(span);
        let mut at = None;
        for span in path {
            let names = span_names(loaded, span);
            at = Some(heavy.nodes().iter().zip(0_u32..).find_map(|(node, place)| {
                let same = (node.name, node.service) == names && parent(node.parent) == at;
                same.then_some(place)
            })?);
        }
        at
    }

    /// Where a way leads; `None` where there is nothing.
    pub(crate) fn step(&self, loaded: &Loaded, item: u32, way: Way) -> Option<u32> {
        match self {
            Self::Time(_) => {
                let tree = &loaded.tree;
                let above = tree.parent(item);
                match way {
                    Way::Up => above,
                    Way::Down => {
                        let length = |child: &&u32| loaded.columns.duration.get(**child as usize).copied();
                        tree.children(item).iter().max_by_key(length).copied()
                    }
                    Way::Before | Way::Behind => {
                        let siblings = above.map_or(tree.roots(), |above| tree.children(above));
                        beside(siblings.iter().copied(), item, way)
                    }
                }
            }
            Self::Name(heavy, _) => {
                let above = heavy.nodes().get(item as usize)?.parent;
                let of = |above: u32| {
                    let all = heavy.nodes().iter().zip(0_u32..);
                    all.filter(move |(node, _)| node.parent == above)
                        .map(|(_, place)| place)
                };
                match way {
                    Way::Up => parent(above),
                    Way::Down => of(item).next(),
                    Way::Before | Way::Behind => beside(of(above), item, way),
                }
            }
        }
    }

    /// A bar in words: name, count, total, self, trouble.
    pub(crate) fn describe(&self, loaded: &Loaded, item: u32) -> String {
        let columns = &loaded.columns;
        let (name, service) = self.names(loaded, item);
        let (name, service) = (columns.string(name), columns.string(service));
        let (count, total, own, errors, blocked) = match self {
            Self::Time(_) => {
                let own = own_time(columns, &loaded.tree, item);
                let total = columns.duration.get(item as usize).copied().unwrap_or(0);
                let has = |bit| u32::from(columns.has_flag(item as usize, bit));
                (1, total, own, has(flag::ERROR), has(flag::BLOCKED))
            }
            Self::Name(heavy, _) => {
                let Some(node) = heavy.nodes().get(item as usize) else {
                    return String::new();
                };
                let totals = &node.totals;
                (totals.spans, node.sum, node.own, totals.errors, totals.blocked)
            }
        };
        let mut words = vec![name.to_owned()];
        words.extend((!service.is_empty()).then(|| service.to_owned()));
        words.push(format!("total {}", format::duration(total)));
        words.push(format!("self {}", format::duration(own)));
        words.push(match count {
            1 => "1 span".to_owned(),
            count => format!("{} spans", format::integer(i64::from(count))),
        });
        words.extend((blocked > 0).then(|| format!("{blocked} blocked")));
        words.extend((errors > 0 && blocked == 0).then(|| format!("{errors} failed")));
        words.join(" \u{b7} ")
    }
}

/// Name and service of a span, interned strings.
fn span_names(loaded: &Loaded, span: u32) -> (u32, u32) {
    let text = |column: &[u32]| column.get(span as usize).copied().unwrap_or(0);
    (text(&loaded.columns.name), text(&loaded.columns.service))
}

fn parent(place: u32) -> Option<u32> {
    (place != meshscope_analysis::tree::NONE).then_some(place)
}

fn beside(siblings: impl Iterator<Item = u32>, item: u32, way: Way) -> Option<u32> {
    let mut before = None;
    let mut siblings = siblings;
    while let Some(sibling) = siblings.next() {
        if sibling == item {
            return if way == Way::Before {
                before
            } else {
                siblings.next()
            };
        }
        before = Some(sibling);
    }
    None
}
