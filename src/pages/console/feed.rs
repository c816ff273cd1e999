//! What came over the stream, in the order of its arrival and within bounds. Pure.

use super::entry::{Entry, Item};
use meshscope_analysis::{LiveFold, LogFilter};
use meshscope_api::{Delta, Gap, Log};
use meshscope_model::Resource;
use std::collections::VecDeque;
use std::rc::Rc;

/// How many log records are held.
pub(crate) const RECORDS: usize = 50_000;
/// How many bytes of them, about.
pub(crate) const BYTES: usize = 96 << 20;
/// How many traces are held, and how many of their spans.
pub(crate) const TRACES: usize = 1_000;
/// See [`TRACES`].
pub(crate) const SPANS: usize = 50_000;
/// How many resources are known by sight.
const RESOURCES: usize = 64;

/// Which log records are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shown {
    /// Words and attributes.
    pub filter: LogFilter,
    /// At least this severity.
    pub min_severity: Option<u8>,
    /// Only within these times, ns since the epoch.
    pub brush: Option<(i64, i64)>,
}

impl Shown {
    fn wants(&self, item: &Item) -> bool {
        match item {
            Item::Gap(_) => true,
            Item::Log(entry) => {
                let severe = self
                    .min_severity
                    .is_none_or(|min| entry.log.severity_number >= min);
                severe && self.filter.matches(&entry.log, &entry.resource, &entry.text)
            }
        }
    }

    fn in_brush(&self, item: &Item) -> bool {
        match (self.brush, item) {
            (Some((from, to)), Item::Log(entry)) => (from..to).contains(&entry.log.time),
            _ => true,
        }
    }
}

/// What came.
pub(crate) struct Feed {
    items: VecDeque<Rc<Item>>,
    /// The number of the first item: each item has one for good.
    first: u64,
    weight: usize,
    /// Numbers of the items that words and level let through, and of those the brushed ones.
    matched: VecDeque<u64>,
    brushed: VecDeque<u64>,
    shown: Shown,
    /// The latest log record: what comes again is not taken again.
    latest: i64,
    resources: VecDeque<Rc<Resource>>,
    /// Traces and their spans.
    pub fold: LiveFold,
    /// How many log records came, held or not.
    pub logs: u64,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
            first: 0,
            weight: 0,
            matched: VecDeque::new(),
            brushed: VecDeque::new(),
            shown: Shown::default(),
            latest: i64::MIN,
            resources: VecDeque::new(),
            fold: LiveFold::new(TRACES).with_spans(SPANS),
            logs: 0,
        }
    }
}

impl Feed {
    /// Takes in records.
    pub(crate) fn apply(&mut self, mut delta: Delta) {
        self.fold.apply(&delta);
        for log in std::mem::take(&mut delta.logs) {
            if log.sequence > self.latest {
                self.latest = log.sequence;
                self.logs += 1;
                let resource = self.resource(&log);
                self.push(Item::Log(Entry::new(log, resource)));
            }
        }
    }

    /// Notes that records were left out.
    pub(crate) fn gap(&mut self, gap: Gap) {
        self.push(Item::Gap(gap));
    }

    /// The resource of a record, shared with those before.
    fn resource(&mut self, log: &Log) -> Rc<Resource> {
        if let Some(known) = self.resources.iter().find(|known| ***known == log.resource) {
            return Rc::clone(known);
        }
        let new = Rc::new(log.resource.clone());
        self.resources.push_front(Rc::clone(&new));
        self.resources.truncate(RESOURCES);
        new
    }

    fn push(&mut self, item: Item) {
        let number = self.first + self.items.len() as u64;
        if self.shown.wants(&item) {
            self.matched.push_back(number);
            if self.shown.in_brush(&item) {
                self.brushed.push_back(number);
            }
        }
        self.weight += weight(&item);
        self.items.push_back(Rc::new(item));
        while self.items.len() > RECORDS || (self.weight > BYTES && self.items.len() > 1) {
            let gone = self.items.pop_front();
            self.weight -= gone.map_or(0, |gone| weight(&gone));
            self.first += 1;
        }
        for numbers in [&mut self.matched, &mut self.brushed] {
            while numbers.front().is_some_and(|number| *number < self.first) {
                numbers.pop_front();
            }
        }
    }

    /// Forgets the log records that are held; those that come are shown again.
    pub(crate) fn clear(&mut self) {
        self.first += self.items.len() as u64;
        self.weight = 0;
        self.items.clear();
        self.matched.clear();
        self.brushed.clear();
    }

    /// Shows other records.
    pub(crate) fn show(&mut self, shown: Shown) {
        if shown == self.shown {
            return;
        }
        let same = (&shown.filter, shown.min_severity) == (&self.shown.filter, self.shown.min_severity);
        self.shown = shown;
        let item = |number: &u64| self.items.get(usize::try_from(number - self.first).ok()?);
        if !same {
            let numbers = (self.first..).zip(&self.items);
            let wanted = numbers.filter(|(_, item)| self.shown.wants(item));
            self.matched = wanted.map(|(number, _)| number).collect();
        }
        let brushed = self
            .matched
            .iter()
            .filter(|number| item(number).is_some_and(|item| self.shown.in_brush(item)));
        self.brushed = brushed.copied().collect();
    }

    /// What is shown.
    pub(crate) fn shown_by(&self) -> &Shown {
        &self.shown
    }

    /// How many items are shown.
    pub(crate) fn len(&self) -> usize {
        self.brushed.len()
    }

    /// How many are held.
    pub(crate) fn held(&self) -> usize {
        self.items.len()
    }

    /// The number of the item in a place of the list that is shown, for good, and the item.
    pub(crate) fn at(&self, place: usize) -> Option<(u64, &Rc<Item>)> {
        let number = *self.brushed.get(place)?;
        let item = self.items.get(usize::try_from(number - self.first).ok()?)?;
        Some((number, item))
    }

    /// The place in the list of the record with a sequence number, and the record.
    pub(crate) fn find(&self, sequence: i64) -> Option<(usize, &Rc<Item>)> {
        let of = |item: &Item| matches!(item, Item::Log(entry) if entry.log.sequence == sequence);
        (0..self.len()).rev().find_map(|place| {
            let (_, item) = self.at(place)?;
            of(item).then_some((place, item))
        })
    }

    /// The records that are shown.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Entry> {
        self.entries(&self.brushed)
    }

    /// The records that words and level let through, within the brush or not.
    pub(crate) fn matched(&self) -> impl Iterator<Item = &Entry> {
        self.entries(&self.matched)
    }

    fn entries<'a>(&'a self, numbers: &'a VecDeque<u64>) -> impl Iterator<Item = &'a Entry> {
        numbers.iter().filter_map(|number| {
            match self
                .items
                .get(usize::try_from(number - self.first).ok()?)?
                .as_ref()
            {
                Item::Log(entry) => Some(entry),
                Item::Gap(_) => None,
            }
        })
    }
}

fn weight(item: &Item) -> usize {
    match item {
        Item::Log(entry) => entry.weight,
        Item::Gap(_) => 0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn log(sequence: i64, severity: u8, body: &str) -> Log {
        serde_json::from_value(serde_json::json!({
            "sequence": sequence.to_string(), "time": (sequence * 10).to_string(), "observed_time": "0",
            "severity_number": severity, "severity_text": "", "body": {"stringValue": body}, "attributes": [],
            "service": "svc", "system": "opentelemetry", "project": "p", "resource": {"attributes": []}, "scope": {},
        }))
        .unwrap()
    }

    fn delta(logs: impl IntoIterator<Item = Log>) -> Delta {
        Delta {
            logs: logs.into_iter().collect(),
            ..Delta::default()
        }
    }

    fn texts(feed: &Feed) -> Vec<&str> {
        feed.shown().map(|entry| entry.text.as_str()).collect()
    }

    #[test]
    fn what_comes_again_is_not_shown_again() {
        let mut feed = Feed::default();
        feed.apply(delta([log(1, 9, "one"), log(2, 9, "two")]));
        feed.apply(delta([log(2, 9, "two"), log(5, 9, "three")]));
        assert_eq!((texts(&feed), feed.logs), (vec!["one", "two", "three"], 3));
    }

    #[test]
    fn filters_hold_for_what_is_there_and_for_what_comes() {
        let mut feed = Feed::default();
        feed.apply(delta([log(1, 9, "one"), log(2, 17, "two"), log(3, 17, "three")]));
        let shown = |filter: &str, min_severity, brush| Shown {
            filter: LogFilter::parse(filter),
            min_severity,
            brush,
        };
        feed.show(shown("t", Some(17), None));
        feed.apply(delta([log(4, 17, "ten"), log(5, 9, "twelve"), log(6, 21, "six")]));
        assert_eq!(texts(&feed), ["two", "three", "ten"]);
        feed.show(shown("t", Some(17), Some((25, 45))));
        assert_eq!((texts(&feed), feed.matched().count()), (vec!["three", "ten"], 3));
        assert_eq!(feed.find(4).map(|(place, _)| place), Some(1));
        assert!(feed.find(2).is_none());
        feed.show(Shown::default());
        assert_eq!(feed.len(), 6);
    }

    #[test]
    fn the_oldest_give_way_and_places_stay_right() {
        let mut feed = Feed::default();
        feed.show(Shown {
            filter: LogFilter::parse("even"),
            ..Shown::default()
        });
        let records = (1..=RECORDS as i64 + 10).map(|n| log(n, 9, if n % 2 == 0 { "even" } else { "odd" }));
        feed.apply(delta(records));
        assert_eq!((feed.held(), feed.len()), (RECORDS, RECORDS / 2));
        let Some((_, item)) = feed.at(0) else {
            unreachable!()
        };
        assert!(matches!(item.as_ref(), Item::Log(entry) if entry.log.sequence == 12));
        feed.clear();
        assert_eq!((feed.held(), feed.len()), (0, 0));
        feed.apply(delta([log(1_000_000, 9, "even")]));
        assert_eq!(texts(&feed), ["even"]);
        let huge = "x".repeat(BYTES / 4);
        feed.show(Shown::default());
        feed.apply(delta((0..4).map(|n| log(2_000_000 + n, 9, &huge))));
        assert_eq!(feed.held(), 1, "bytes are bounded as well");
    }
}
