//! Clock skew between services, as far as a trace itself gives it away.
//!
//! A child that starts before its parent did, or answers after its caller had the answer, was
//! timed by another clock. Every call across two services narrows down by how much one clock may
//! be ahead of the other; where that leaves out zero, the clocks differ. Raw times are never
//! changed: what is found stands beside them.

use crate::tree::Tree;
use meshscope_model::columns::flag;
use meshscope_model::time::MILLISECOND;
use meshscope_model::{SpanColumns, SpanKind};
use std::collections::{BTreeMap, VecDeque};

/// Clocks that differ by less are taken for equal, ns: they are read in steps.
pub const LEAST_SKEW: i64 = MILLISECOND;

/// In traces of more services conclusions over a third one are not drawn.
const MOST_SERVICES: usize = 128;

/// The clock of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// The service, an index of [`SpanColumns::strings`].
    pub service: u32,
    /// How far it is ahead of the clock of the service that the trace started in, ns; below 0:
    /// behind.
    pub ahead: i64,
    /// How many calls from or to it were looked at.
    pub calls: u32,
}

/// The clocks of a trace that differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Skew {
    /// By service.
    clocks: Vec<Clock>,
}

/// How far clocks may be ahead of one another: for each pair the most by which the second is
/// ahead of the first, ns, [`i64::MAX`] where nothing is known.
struct Bounds {
    count: usize,
    most: Vec<i64>,
}

impl Bounds {
    fn get(&self, from: usize, to: usize) -> i64 {
        self.most.get(from * self.count + to).copied().unwrap_or(i64::MAX)
    }

    fn lower(&mut self, from: usize, to: usize, most: i64) {
        if let Some(known) = self.most.get_mut(from * self.count + to) {
            *known = most.min(*known);
        }
    }

    /// What the calls allow, taken together; `None` when they contradict each other. Without
    /// `answers` only the starts count.
    fn of(calls: &BTreeMap<(usize, usize), Call>, count: usize, answers: bool) -> Option<Self> {
        let mut bounds = Self {
            count,
            most: vec![i64::MAX; count * count],
        };
        for ((parent, child), call) in calls {
            bounds.lower(*parent, *child, call.most);
            if answers && call.least > i64::MIN {
                bounds.lower(*child, *parent, call.least.saturating_neg());
            }
        }
        if count <= MOST_SERVICES {
            bounds.close();
        }
        let consistent = |a: usize, b: usize| {
            let (there, back) = (bounds.get(a, b), bounds.get(b, a));
            there == i64::MAX || back == i64::MAX || there.saturating_add(back) >= 0
        };
        let all = (0..count).all(|a| (0..count).all(|b| consistent(a, b)));
        all.then_some(bounds)
    }

    /// Draws every conclusion over a third clock.
    fn close(&mut self) {
        for over in 0..self.count {
            for from in 0..self.count {
                let first = self.get(from, over);
                if first == i64::MAX {
                    continue;
                }
                for to in 0..self.count {
                    let second = self.get(over, to);
                    if second < i64::MAX {
                        self.lower(from, to, first.saturating_add(second));
                    }
                }
            }
        }
    }

    /// The best guess for a clock next to `near` when others are known: the same where that is
    /// possible, else the middle of what is.
    fn guess(&self, clock: usize, near: i64, known: &[Option<i64>]) -> i64 {
        let (mut least, mut most) = (i64::MIN, i64::MAX);
        let others = known.iter().enumerate();
        for (other, ahead) in others.filter_map(|(other, ahead)| Some((other, (*ahead)?))) {
            let (there, back) = (self.get(other, clock), self.get(clock, other));
            if there < i64::MAX {
                most = most.min(ahead.saturating_add(there));
            }
            if back < i64::MAX {
                least = least.max(ahead.saturating_sub(back));
            }
        }
        let found = if least > most || near > most && least == i64::MIN {
            most
        } else if near < least && most == i64::MAX {
            least
        } else if least <= near && near <= most {
            near
        } else {
            least.saturating_add(most.saturating_sub(least) / 2)
        };
        let differs = found.saturating_sub(near).unsigned_abs() >= LEAST_SKEW.unsigned_abs();
        if differs { found } else { near }
    }
}

/// What the calls from one service to another say: the child's clock is ahead by that much.
#[derive(Debug, Clone, Copy)]
struct Call {
    least: i64,
    most: i64,
    count: u32,
}

impl Skew {
    /// Finds the clocks that differ, in time by the number of spans.
    #[must_use]
    pub fn find(columns: &SpanColumns, tree: &Tree) -> Self {
        let (services, calls) = calls(columns, tree);
        if !calls.values().any(|call| call.least > 0 || call.most < 0) {
            return Self::default();
        }
        let count = services.len();
        let bounds = Bounds::of(&calls, count, true).or_else(|| Bounds::of(&calls, count, false));
        let Some(bounds) = bounds else {
            return Self::default();
        };
        let mut neighbours = vec![Vec::new(); count];
        for (a, b) in calls.keys() {
            for (from, to) in [(*a, *b), (*b, *a)] {
                if let Some(list) = neighbours.get_mut(from) {
                    list.push(to);
                }
            }
        }
        let roots = tree.main_root().into_iter().chain(tree.roots().iter().copied());
        let starts = roots.filter_map(|root| services.binary_search(&service(columns, root)).ok());
        let ahead = spread(&bounds, &neighbours, starts.chain(0..count));
        let calls_of = |clock: usize| {
            let met = calls.iter().filter(|((a, b), _)| *a == clock || *b == clock);
            met.map(|(_, call)| call.count).sum()
        };
        let all = services.iter().zip(ahead).enumerate();
        let differing = all.filter(|(_, (_, ahead))| *ahead != 0);
        let clocks = differing.map(|(place, (service, ahead))| Clock {
            service: *service,
            ahead,
            calls: calls_of(place),
        });
        Self {
            clocks: clocks.collect(),
        }
    }

    /// The clocks that differ from that of the service the trace started in.
    #[must_use]
    pub fn clocks(&self) -> &[Clock] {
        &self.clocks
    }

    /// True when there is nothing to correct.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clocks.is_empty()
    }

    /// How far the clock that span `row` was timed by is ahead, ns: its start and end less this
    /// are the corrected ones. 0 where nothing is to be corrected.
    #[must_use]
    pub fn ahead(&self, columns: &SpanColumns, row: u32) -> i64 {
        let service = service(columns, row);
        let place = self.clocks.binary_search_by_key(&service, |clock| clock.service);
        let clock = place.ok().and_then(|place| self.clocks.get(place));
        clock.map_or(0, |clock| clock.ahead)
    }

    /// The corrected start of every span, ns since the epoch; `None` when all are as sent. In
    /// the place of [`SpanColumns::start_time`] they give the corrected trace.
    #[must_use]
    pub fn corrected_starts(&self, columns: &SpanColumns) -> Option<Vec<i64>> {
        let starts = columns.start_time.iter().zip(0..);
        let corrected = starts.map(|(start, row)| start.saturating_sub(self.ahead(columns, row)));
        (!self.is_empty()).then(|| corrected.collect())
    }
}

/// The services that take part in calls to others, ascending, and what the calls say, by places
/// of the services.
fn calls(columns: &SpanColumns, tree: &Tree) -> (Vec<u32>, BTreeMap<(usize, usize), Call>) {
    let mut found: BTreeMap<(u32, u32), Call> = BTreeMap::new();
    for child in 0..tree.len() as u32 {
        let Some(parent) = tree.parent(child) else {
            continue;
        };
        let services = (service(columns, parent), service(columns, child));
        if services.0 != services.1
            && let Some(call) = allowed(columns, parent, child)
        {
            let known = found.entry(services).or_insert(Call { count: 0, ..call });
            known.least = known.least.max(call.least);
            known.most = known.most.min(call.most);
            known.count += 1;
        }
    }
    let mut services: Vec<u32> = found.keys().flat_map(|(a, b)| [*a, *b]).collect();
    services.sort_unstable();
    services.dedup();
    let place = |service: u32| services.partition_point(|known| *known < service);
    let calls = found
        .into_iter()
        .map(|((a, b), call)| ((place(a), place(b)), call));
    let calls = calls.collect();
    (services, calls)
}

/// How far each clock is ahead: goes from service to service, those that come first in `starts`
/// having the clock that the others are compared with.
fn spread(bounds: &Bounds, neighbours: &[Vec<usize>], starts: impl Iterator<Item = usize>) -> Vec<i64> {
    let mut ahead = vec![None; bounds.count];
    for start in starts {
        let mut waiting = VecDeque::from([(start, 0)]);
        while let Some((clock, near)) = waiting.pop_front() {
            if ahead.get(clock).is_none_or(Option::is_some) {
                continue;
            }
            let found = bounds.guess(clock, near, &ahead);
            if let Some(place) = ahead.get_mut(clock) {
                *place = Some(found);
            }
            let next = neighbours.get(clock).into_iter().flatten();
            waiting.extend(next.map(|next| (*next, found)));
        }
    }
    ahead.into_iter().map(|ahead| ahead.unwrap_or(0)).collect()
}

fn service(columns: &SpanColumns, row: u32) -> u32 {
    columns.service.get(row as usize).copied().unwrap_or(0)
}

/// By how much the clock of `child` may be ahead of that of `parent`; `None` when the two say
/// nothing, as one that has not ended.
fn allowed(columns: &SpanColumns, parent: u32, child: u32) -> Option<Call> {
    let [parent, child] = [parent as usize, child as usize];
    let start = |row: usize| columns.start_time.get(row).copied();
    let kind = |row: usize| columns.kind.get(row).copied().unwrap_or(0);
    let (parent_start, child_start) = (start(parent)?, start(child)?);
    let (parent_end, child_end) = (columns.end_time(parent), columns.end_time(child));
    // Nothing starts before what caused it.
    let most = child_start.saturating_sub(parent_start);
    let queued = kind(parent) == SpanKind::Producer as u8 || kind(child) == SpanKind::Consumer as u8;
    let called = kind(parent) == SpanKind::Client as u8 && kind(child) == SpanKind::Server as u8;
    let ended = !columns.has_flag(parent, flag::IN_PROGRESS) && !columns.has_flag(child, flag::IN_PROGRESS);
    let fits = child_end.saturating_sub(child_start) <= parent_end.saturating_sub(parent_start);
    let least = if queued || !ended || !fits {
        i64::MIN
    } else if called || child_start >= parent_end {
        // A call is answered before its caller goes on; others may go on by themselves, but
        // hardly start when their parent is over.
        child_end.saturating_sub(parent_end)
    } else {
        i64::MIN
    };
    Some(Call {
        least,
        most,
        count: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestSpan, columns, intern};
    use proptest::prelude::*;

    const S: i64 = 1_000_000_000;

    /// Spans with a service each.
    fn trace(spans: &[(TestSpan, &str)]) -> (SpanColumns, Tree) {
        let mut c = columns(&spans.iter().map(|(span, _)| *span).collect::<Vec<_>>());
        for (row, (_, service)) in spans.iter().enumerate() {
            c.service[row] = intern(&mut c.strings, service);
        }
        let tree = Tree::build(&c);
        (c, tree)
    }

    fn clocks(spans: &[(TestSpan, &str)]) -> Vec<(String, i64)> {
        let (c, tree) = trace(spans);
        let skew = Skew::find(&c, &tree);
        let clocks = skew.clocks().iter();
        clocks
            .map(|clock| (c.string(clock.service).to_owned(), clock.ahead))
            .collect()
    }

    #[test]
    fn children_within_their_parents_need_nothing() {
        let whole = [
            ((1, 0, 0, 10 * S), "a"),
            ((2, 1, S, 5 * S), "b"),
            ((3, 2, 2 * S, S), "a"),
        ];
        assert_eq!(clocks(&whole), []);
        let goes_on = [((1, 0, 0, 10 * S), "a"), ((2, 1, 9 * S, 5 * S), "b")];
        assert_eq!(clocks(&goes_on), [], "what goes on by itself is no skew");
        let same_service = [((1, 0, 10 * S, S), "a"), ((2, 1, 0, S), "a")];
        assert_eq!(clocks(&same_service), [], "one clock");
        let by_a_step = [((1, 0, 10 * S, S), "a"), ((2, 1, 10 * S - 1_000, S), "b")];
        assert_eq!(clocks(&by_a_step), []);
        assert_eq!(clocks(&[]), []);
    }

    #[test]
    fn a_child_before_its_parent_was_timed_by_a_clock_behind() {
        let early = [((1, 0, 100 * S, 10 * S), "a"), ((2, 1, 95 * S, 4 * S), "b")];
        assert_eq!(clocks(&early), [("b".to_owned(), -5 * S)]);
        let (c, tree) = trace(&early);
        let skew = Skew::find(&c, &tree);
        assert_eq!((skew.ahead(&c, 0), skew.ahead(&c, 1)), (0, -5 * S));
        assert_eq!(skew.corrected_starts(&c), Some(vec![100 * S, 100 * S]));
        assert_eq!(c.start_time, [100 * S, 95 * S], "raw times stay");
    }

    #[test]
    fn a_call_answered_after_its_end_puts_it_in_the_middle() {
        let (mut c, tree) = trace(&[((1, 0, 0, 10 * S), "a"), ((2, 1, 20 * S, 8 * S), "b")]);
        c.kind = vec![SpanKind::Client as u8, SpanKind::Server as u8];
        let skew = Skew::find(&c, &tree);
        assert_eq!(skew.clocks()[0].ahead, 19 * S);
        assert_eq!(skew.corrected_starts(&c), Some(vec![0, S]));
        c.kind = vec![SpanKind::Producer as u8, SpanKind::Consumer as u8];
        assert!(Skew::find(&c, &tree).is_empty(), "a queue may hold it for long");
    }

    #[test]
    fn clocks_add_up_from_service_to_service() {
        let chain = [
            ((1, 0, 100 * S, 10 * S), "a"),
            ((2, 1, 90 * S, 9 * S), "b"),
            ((3, 2, 80 * S, 8 * S), "c"),
            ((4, 3, 81 * S, S), "c"),
        ];
        assert_eq!(
            clocks(&chain),
            [("b".to_owned(), -10 * S), ("c".to_owned(), -20 * S)]
        );
    }

    #[test]
    fn calls_that_contradict_each_other_are_not_stretched() {
        let contradiction = [
            ((1, 0, 0, 100 * S), "a"),
            ((2, 1, S, S), "b"),
            ((3, 0, 0, 10 * S), "a"),
            ((4, 3, 50 * S, S), "b"),
        ];
        assert_eq!(clocks(&contradiction), []);
    }

    /// Calls, each within the one before it, on changing services; offsets of three services.
    fn calls() -> impl Strategy<Value = (Vec<(TestSpan, usize)>, [i64; 3])> {
        let call = (0..3_usize, 0..200_i64, 0..200_i64, any::<bool>());
        let offset = || prop_oneof![Just(0), -5_000..5_000_i64];
        (prop::collection::vec(call, 1..20), offset(), offset()).prop_map(|(calls, b, c)| {
            let (mut start, mut end) = (0, 100_000_i64);
            let mut spans: Vec<(TestSpan, usize)> = Vec::new();
            let mut service = 0;
            for (id, (other, head, tail, switch)) in (1..).zip(calls) {
                spans.push(((id, id - 1, start, end - start), service));
                (start, end) = (start + head + 1, end - tail - 1);
                service = if switch { other } else { service };
            }
            (spans, [0, b, c])
        })
    }

    proptest! {
        #[test]
        fn corrected_calls_lie_where_they_may((spans, offsets) in calls()) {
            let names = ["a", "b", "c"];
            let sent: Vec<(TestSpan, &str)> = spans
                .iter()
                .map(|((id, parent, start, length), service)| {
                    let start = (start + offsets[*service]) * MILLISECOND;
                    ((*id, *parent, start, length * MILLISECOND), names[*service])
                })
                .collect();
            let (mut c, tree) = trace(&sent);
            let skew = Skew::find(&c, &tree);
            if offsets == [0; 3] {
                prop_assert!(skew.is_empty());
            }
            if let Some(starts) = skew.corrected_starts(&c) {
                c.start_time = starts;
            }
            for row in 0..tree.len() as u32 {
                if let Some(parent) = tree.parent(row) {
                    prop_assert!(c.start_time[row as usize] >= c.start_time[parent as usize] - 2 * LEAST_SKEW);
                }
            }
        }
    }
}
