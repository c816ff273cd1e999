//! One subscriber: its place in the stream, and what it is told next.

use super::chunk::{Chunk, Record, SEGMENT};
use super::{Head, Hub, Joined, frame};
use crate::app::App;
use bytes::Bytes;
use meshscope_api::live::{Gap, GapReason, Position};
use meshscope_api::stream::StreamQuery;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a subscriber waits after it was woken until it may be woken again: what many small
/// commits change comes together.
const GATHER: Duration = Duration::from_millis(20);
/// How long a stream may be silent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Bytes of one event, about.
const EVENT: usize = 1 << 20;
/// How many sequence numbers one reading of the store covers: first, and at the most.
const PAGES: (i64, i64) = (100, 16_000);

/// Where a subscriber starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// At what comes next.
    Now,
    /// After a sequence number.
    After(i64),
    /// At a place that this store does not know.
    Unknown(String),
}

/// One subscriber.
pub(super) struct Subscriber {
    app: Arc<App>,
    hub: Arc<Hub>,
    query: StreamQuery,
    /// Everything up to this sequence number was told or left out.
    cursor: i64,
    /// What was committed when it came. Not all of that may be ready in the hub, but all of it is in the store: it has
    /// not caught up before that is told.
    latest: i64,
    until: Option<i64>,
    /// It has been at the head: from then on it must keep up.
    live: bool,
    /// It started at a place of its own, and is to be told when it is at the head.
    behind: bool,
    head: watch::Receiver<Head>,
    ready: VecDeque<Bytes>,
    view: Option<View>,
    /// How many sequence numbers the next reading of the store covers.
    page: i64,
    woken: Instant,
    told: Instant,
    ended: bool,
    _joined: Joined,
}

/// A commit as the subscriber sees it. It does not hold the commit: while the client stands
/// still, the ring may let go of it.
struct View {
    after: i64,
    /// The records of the places that are wanted, in order; absent when all are.
    wanted: Option<Vec<u32>>,
}

impl View {
    /// Those of the records with these numbers whose places are wanted.
    fn among(&self, numbers: Range<usize>) -> Vec<usize> {
        let Some(wanted) = &self.wanted else {
            return numbers.collect();
        };
        let place = |number: usize| wanted.partition_point(|wanted| (*wanted as usize) < number);
        let found = wanted.get(place(numbers.start)..place(numbers.end));
        let found = found.unwrap_or_default().iter();
        found.map(|number| *number as usize).collect()
    }

    /// The first of them from a number on.
    fn next(&self, from: usize) -> Option<usize> {
        match &self.wanted {
            None => Some(from),
            Some(wanted) => {
                let place = wanted.partition_point(|wanted| (*wanted as usize) < from);
                wanted.get(place).map(|number| *number as usize)
            }
        }
    }
}

impl Subscriber {
    pub(super) fn new(app: Arc<App>, query: StreamQuery, start: Start, until: Option<i64>) -> Self {
        let hub = Arc::clone(&app.hub);
        let joined = hub.join();
        let head = hub.head.subscribe();
        let latest = hub.committed();
        let now = Instant::now();
        let mut subscriber = Self {
            app,
            hub,
            query,
            cursor: latest,
            latest,
            until,
            live: false,
            behind: false,
            head,
            ready: VecDeque::new(),
            view: None,
            page: PAGES.0,
            woken: now,
            told: now,
            ended: false,
            _joined: joined,
        };
        // A browser that loses the connection comes back after this many milliseconds.
        subscriber.ready.push_back(Bytes::from_static(b"retry: 1000\n\n"));
        match start {
            Start::Now => {}
            Start::After(sequence) if sequence <= latest => {
                subscriber.behind = true;
                subscriber.cursor = sequence;
            }
            Start::After(sequence) => {
                let from = subscriber.hub.cursor(sequence);
                subscriber.gap(from, latest, GapReason::UnknownCursor);
            }
            Start::Unknown(from) => subscriber.gap(from, latest, GapReason::UnknownCursor),
        }
        let position = subscriber.position();
        let open = frame::event("open", &position.cursor, &position);
        subscriber.ready.insert(1, open);
        subscriber
    }

    fn position(&self) -> Position {
        Position {
            cursor: self.hub.cursor(self.cursor),
        }
    }

    /// Tells that records are left out, and goes on after them.
    fn gap(&mut self, from: String, to: i64, reason: GapReason) {
        self.cursor = to;
        let to = self.hub.cursor(to);
        self.hub.gaps.fetch_add(1, Ordering::Relaxed);
        let gap = Gap {
            from,
            to: to.clone(),
            reason,
        };
        self.ready.push_back(frame::event("gap", &to, &gap));
    }

    fn tell_position(&mut self, name: &str) {
        let position = self.position();
        self.ready
            .push_back(frame::event(name, &position.cursor, &position));
    }

    fn tell(&mut self, delta: Option<Bytes>) {
        if let Some(delta) = delta {
            self.hub.deltas.fetch_add(1, Ordering::Relaxed);
            self.ready.push_back(delta);
        }
    }

    /// What goes out next; `None` when the stream ends.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.told = Instant::now();
                return Some(event);
            }
            if self.ended {
                return None;
            }
            self.step().await?;
        }
    }

    async fn step(&mut self) -> Option<()> {
        let head = *self.head.borrow_and_update();
        let latest = head.sequence.max(self.latest);
        let target = self.until.map_or(latest, |until| until.min(latest));
        if head.ended || self.until.is_some_and(|until| self.cursor >= until) {
            self.ended = true;
            self.tell_position("end");
            return Some(());
        }
        if self.told.elapsed() >= HEARTBEAT {
            self.tell_position("heartbeat");
            return Some(());
        }
        if self.cursor >= target {
            self.live = true;
            if std::mem::take(&mut self.behind) {
                self.tell_position("heartbeat");
                return Some(());
            }
            self.wait().await;
            return Some(());
        }
        if self.live && target - self.cursor > self.hub.behind {
            let from = self.hub.cursor(self.cursor);
            self.gap(from, target, GapReason::Behind);
            return Some(());
        }
        // Much that is not wanted may stand before what is; others want their turn as well.
        tokio::task::consume_budget().await;
        match self.hub.find(self.cursor) {
            Ok(chunk) => {
                self.tell_from_ring(&chunk, target);
                Some(())
            }
            Err(upto) => {
                let upto = upto.min(target).min(self.cursor.saturating_add(self.page));
                self.tell_from_store(upto).await
            }
        }
    }

    async fn wait(&mut self) {
        let news = async {
            tokio::time::sleep_until(self.woken + GATHER).await;
            self.head.changed().await
        };
        let silence = tokio::time::sleep_until(self.told + HEARTBEAT);
        tokio::select! {
            changed = news => {
                self.woken = Instant::now();
                // The hub lives as long as its subscribers.
                self.ended |= changed.is_err();
            }
            () = silence => {}
        }
    }

    /// Tells of one segment of a commit.
    fn tell_from_ring(&mut self, chunk: &Chunk, target: i64) {
        let index = chunk.index();
        let view = match self.view.take().filter(|view| view.after == chunk.after()) {
            Some(view) => view,
            None => View {
                after: chunk.after(),
                wanted: index.wanted(|place| self.query.wants_place(place)),
            },
        };
        let number = |sequence: i64| usize::try_from(sequence - chunk.after()).unwrap_or(0);
        let upto = number(target).min(chunk.len());
        // What is not wanted is passed over at once.
        let Some(next) = view.next(number(self.cursor)).filter(|next| *next < upto) else {
            self.cursor = chunk.last().min(target);
            self.view = Some(view);
            return;
        };
        let first = number(self.cursor).max(next / SEGMENT * SEGMENT);
        let segment = ((first / SEGMENT + 1) * SEGMENT).min(chunk.len());
        let mut end = segment.min(upto);
        let mut wanted = view.among(first..end);
        if !self.query.wants_whole_places() {
            wanted.retain(|n| self.wants(chunk, *n));
        }
        self.view = Some(view);
        let mut bytes = 0;
        let too_many = wanted.iter().position(|n| {
            bytes += chunk.encoded(*n).len();
            bytes > EVENT
        });
        // One record goes out however large it is.
        if let Some(cut) = too_many.map(|cut| cut.max(1)) {
            end = wanted.get(cut).copied().unwrap_or(end);
            wanted.truncate(cut);
        }
        let complete = first.is_multiple_of(SEGMENT) && end == segment && wanted.len() == end - first;
        self.cursor = chunk.after() + i64::try_from(end).unwrap_or(i64::MAX);
        let cursor = self.hub.cursor(self.cursor);
        let delta = if complete {
            chunk.whole(first..end, &cursor)
        } else {
            frame::of_chunk(chunk, wanted.into_iter(), &cursor)
        };
        self.tell(delta);
    }

    /// Whether a record of a wanted place is wanted itself.
    fn wants(&self, chunk: &Chunk, number: usize) -> bool {
        let query = &self.query;
        let text = query.q.is_some();
        match chunk.record(number) {
            Some(Record::Span(span)) => query.signals.traces && query.finds_span(span),
            Some(Record::Log(entry)) => {
                let finds = || query.finds_log(&chunk.live_log(number, entry));
                let severe = query.wants_severity(entry.record.severity_number);
                query.signals.logs && severe && (!text || finds())
            }
            Some(Record::Point(entry)) => {
                let finds = || query.finds_point(&chunk.live_point(number, entry));
                query.signals.metrics && (!text || finds())
            }
            None => false,
        }
    }

    /// Tells of records that the ring no longer has.
    async fn tell_from_store(&mut self, upto: i64) -> Option<()> {
        let (query, after, cursor) = (self.query.clone(), self.cursor, self.hub.cursor(upto));
        let read = async {
            let _turn = self.hub.readers.acquire().await.ok()?;
            let read = self.app.ask(move |store| {
                let records = store.since(&query, after, upto)?;
                Ok((records.removed, frame::of_records(&records, &query, &cursor)))
            });
            // The store's error is in the log; the client comes back with its cursor.
            read.await.ok()
        };
        let (removed, delta) = read.await?;
        if removed > after {
            let from = self.hub.cursor(after);
            self.gap(from, removed, GapReason::Retention);
            return Some(());
        }
        self.cursor = upto;
        let bytes = delta.as_ref().map_or(0, Bytes::len);
        self.page = if bytes > EVENT {
            (self.page / 2).max(1)
        } else if bytes < EVENT / 2 {
            (self.page * 2).min(PAGES.1)
        } else {
            self.page
        };
        self.tell(delta);
        Some(())
    }
}

/// The place in the stream that a text names.
pub(super) fn read_cursor(hub: &Hub, text: &str) -> Option<Start> {
    let (store, sequence) = text.rsplit_once('.')?;
    let sequence: i64 = sequence.parse().ok().filter(|sequence| *sequence >= 0)?;
    Some(if store == hub.store {
        Start::After(sequence)
    } else {
        Start::Unknown(text.to_owned())
    })
}
