//! The console's stream and what came of it: live, paused, catching up. It outlives the page, so
//! that who comes back from a span finds the list as it was, with what came meanwhile.

use super::feed::{Feed, RECORDS};
use crate::client;
use crate::client::stream::{Stream, Told};
use crate::components::time_text::moment;
use crate::state::{Standing, now, param};
use leptos::prelude::*;
use meshscope_api::{Delta, Gap, Problem, StreamQuery};
use meshscope_layout::format;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

/// How many records an open console shows from before, when it is not asked for more.
const BEFORE: u32 = 500;
/// How many records wait in the page while it is paused; those after them wait at the server.
const WAITING: usize = RECORDS;
/// More records than a list shows at once: nobody reads each drawing of so many, and each costs a frame.
const FLOOD: usize = 64;
/// How far drawings of a flood are apart, ns.
const APART: i64 = 100_000_000;
/// For how long the list is worth going on with, ns.
const AWAY: i64 = 60_000_000_000;
/// Over how many seconds rates are measured.
const RATE: i64 = 3;

/// How the connection stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Link {
    /// The first connection is on its way.
    Connecting,
    /// It stands.
    Open,
    /// It is gone and is tried again.
    Away(Problem),
    /// The server does not answer what is asked.
    Refused(Problem),
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Figures {
    /// Records a second.
    pub rate: usize,
    /// From a record's time to its arrival here, ns; absent when it says nothing.
    pub lag: Option<i64>,
    /// Log records that came.
    pub logs: u64,
    /// Log records that are held, and shown.
    pub held: usize,
    /// See `held`.
    pub shown: usize,
    /// Traces with spans in progress.
    pub running: usize,
}

/// What came, in the order in which it came.
enum Piece {
    Delta(Delta),
    Gap(Gap),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Delta(delta) => delta.len(),
            Self::Gap(_) => 0,
        }
    }
}

#[derive(Default)]
struct Inner {
    feed: Feed,
    /// What the stream was asked for.
    query: Option<StreamQuery>,
    /// Where it goes on.
    cursor: Option<String>,
    stream: Option<Rc<Stream>>,
    /// What came and is not in the feed yet.
    queue: VecDeque<Piece>,
    queued: usize,
    /// The rest waits at the server.
    full: bool,
    scheduled: bool,
    /// When it was drawn last.
    drawn_at: i64,
    /// Seconds with the records that came in them.
    seconds: VecDeque<(i64, usize)>,
    lag: Option<i64>,
    left_at: i64,
}

/// The console; plain data behind a few signals.
#[derive(Clone, Copy)]
pub(crate) struct Console {
    inner: StoredValue<Inner, LocalStorage>,
    origin: StoredValue<String>,
    /// How the connection stands.
    pub link: RwSignal<Link>,
    /// What is told has happened before.
    pub catching_up: RwSignal<bool>,
    /// How many records wait, and whether more wait at the server.
    pub waiting: RwSignal<(usize, bool)>,
    /// Changes when the feed did, at most once a frame; in a flood ten times a second.
    pub drawn: RwSignal<u32>,
    /// Figures, some times a second.
    pub figures: RwSignal<Figures>,
    /// What became of copying, for a moment.
    pub copied: RwSignal<Option<&'static str>>,
    /// Stands still.
    pub paused: Memo<bool>,
    /// The past moment it starts at.
    pub since: Memo<Option<i64>>,
}

/// Makes the console known; called once within the router.
pub(crate) fn provide() {
    let (paused, since) = (param("paused"), param("since"));
    provide_context(Console {
        inner: StoredValue::new_local(Inner::default()),
        origin: StoredValue::new(client::origin()),
        link: RwSignal::new(Link::Connecting),
        catching_up: RwSignal::new(false),
        waiting: RwSignal::new((0, false)),
        drawn: RwSignal::new(0),
        figures: RwSignal::new(Figures::default()),
        copied: RwSignal::new(None),
        paused: Memo::new(move |_| paused.get().is_some()),
        since: Memo::new(move |_| since.get()?.parse().ok()),
    });
}

impl Console {
    /// Follows what `query` asks for: goes on where it was, when that was lately.
    pub(crate) fn enter(self, query: StreamQuery) {
        let resumed = self.with_inner(|inner| {
            let lately = now() - inner.left_at < AWAY;
            let resumed = lately && inner.cursor.is_some() && inner.query.as_ref() == Some(&query);
            if !resumed {
                let shown = inner.feed.shown_by().clone();
                *inner = Inner::default();
                inner.feed.show(shown);
            }
            inner.query = Some(query);
            resumed
        });
        if resumed != Some(true) {
            self.link.set(Link::Connecting);
            self.waiting.set((0, false));
            self.bump();
        }
        if resumed != Some(true) || !self.waiting.get_untracked().1 {
            self.connect();
        }
    }

    /// Ends the connection and keeps what came.
    pub(crate) fn leave(self) {
        self.with_inner(|inner| {
            if let Some(stream) = inner.stream.take() {
                stream.stop();
            }
            inner.left_at = now();
        });
    }

    /// Shows what waited, after a pause.
    pub(crate) fn resume(self) {
        let full = self.with_inner(|inner| std::mem::take(&mut inner.full));
        self.schedule();
        if full == Some(true) {
            self.connect();
        }
    }

    /// Forgets the log records that are held.
    pub(crate) fn clear(self) {
        self.change_feed(Feed::clear);
    }

    /// Reads the feed.
    pub(crate) fn with_feed<T>(self, read: impl FnOnce(&Feed) -> T) -> Option<T> {
        self.inner.try_with_value(|inner| read(&inner.feed))
    }

    /// Changes the feed, and has it drawn.
    pub(crate) fn change_feed(self, change: impl FnOnce(&mut Feed)) {
        self.with_inner(|inner| change(&mut inner.feed));
        self.bump();
        self.count();
    }

    /// Counts anew.
    pub(crate) fn count(self) {
        let second = now() / 1_000_000_000;
        let figures = self.with_inner(|inner| {
            while inner
                .seconds
                .front()
                .is_some_and(|(then, _)| *then < second - RATE)
            {
                inner.seconds.pop_front();
            }
            // The second that is under way is not counted.
            let past = inner.seconds.iter().filter(|(then, _)| *then < second);
            let came: usize = past.map(|(_, records)| records).sum();
            if came == 0 {
                inner.lag = None;
            }
            let feed = &inner.feed;
            Figures {
                rate: came / RATE as usize,
                lag: inner.lag,
                logs: feed.logs,
                held: feed.held(),
                shown: feed.len(),
                running: feed.fold.running(),
            }
        });
        if let Some(figures) = figures.filter(|figures| *figures != self.figures.get_untracked()) {
            self.figures.set(figures);
        }
    }

    /// How it stands, in words.
    pub(crate) fn standing(self) -> Standing {
        let (waiting, more) = self.waiting.get();
        let paused = self.paused.get();
        let text = match self.link.get() {
            Link::Refused(_) => "\u{2715} refused".to_owned(),
            _ if paused => {
                let more = if more { "+" } else { "" };
                format!(
                    "\u{2759}\u{2759} paused \u{b7} {}{more} waiting",
                    format::integer(waiting as i64)
                )
            }
            Link::Connecting => "\u{25cb} connecting".to_owned(),
            Link::Away(_) => "\u{25cb} server away".to_owned(),
            Link::Open => match (self.catching_up.get(), self.since.get()) {
                (true, Some(since)) => format!("\u{21ba} replaying from {}", moment(since)),
                (true, None) => "\u{21ba} catching up".to_owned(),
                (false, _) => "\u{25cf} live".to_owned(),
            },
        };
        let live = text == "\u{25cf} live";
        Standing { text, live }
    }

    fn with_inner<T>(self, change: impl FnOnce(&mut Inner) -> T) -> Option<T> {
        self.inner.try_update_value(change)
    }

    fn bump(self) {
        self.drawn.update(|n| *n = n.wrapping_add(1));
    }

    fn connect(self) {
        self.catching_up.set(true);
        self.with_inner(|inner| {
            if let Some(before) = inner.stream.take() {
                before.stop();
            }
            let mut query = inner.query.clone().unwrap_or_default();
            query.cursor.clone_from(&inner.cursor);
            if query.since.is_none() {
                query.last = Some(BEFORE);
            }
            let origin = self.origin.get_value();
            inner.stream = Some(Stream::follow(origin, query, move |told| self.take(told)));
        });
    }

    fn take(self, told: Told) {
        match told {
            Told::Open(cursor) => {
                self.with_inner(|inner| inner.cursor = Some(cursor));
                self.link.set(Link::Open);
            }
            Told::Quiet(cursor) => {
                self.with_inner(|inner| inner.cursor = Some(cursor));
                self.catching_up.set(false);
            }
            Told::Delta(delta) => {
                self.with_inner(|inner| inner.note(&delta));
                self.queue(Piece::Delta(delta));
            }
            Told::Gap(gap) => {
                self.with_inner(|inner| inner.cursor = Some(gap.to.clone()));
                self.queue(Piece::Gap(gap));
            }
            Told::Away(problem) => {
                self.catching_up.set(true);
                self.link.set(Link::Away(problem));
            }
            Told::Refused(problem) => self.link.set(Link::Refused(problem)),
            Told::Ended => {}
        }
    }

    fn queue(self, piece: Piece) {
        let paused = self.paused.get_untracked();
        let queued = self.with_inner(|inner| {
            inner.queued += piece.len();
            inner.queue.push_back(piece);
            if paused && inner.queued >= WAITING {
                inner.full = true;
                if let Some(stream) = inner.stream.take() {
                    stream.stop();
                }
            }
            (inner.queued, inner.full)
        });
        let Some(queued) = queued else { return };
        if paused {
            self.waiting.set(queued);
        } else if queued.0 > WAITING / 10 {
            // A page that is not seen gets no frames.
            self.take_in();
        } else {
            self.schedule();
        }
    }

    /// Has what is queued drawn: in the next frame, or in a flood after a while.
    fn schedule(self) {
        let rest = self.with_inner(|inner| {
            let since = now() - inner.drawn_at;
            let rest = if inner.queued > FLOOD { APART - since } else { 0 };
            (!std::mem::replace(&mut inner.scheduled, true)).then_some(rest)
        });
        match rest.flatten() {
            None => {}
            Some(rest @ 1..=APART) => set_timeout(
                move || request_animation_frame(move || self.frame()),
                Duration::from_nanos(rest.unsigned_abs()),
            ),
            Some(_) => request_animation_frame(move || self.frame()),
        }
    }

    fn frame(self) {
        self.with_inner(|inner| {
            inner.scheduled = false;
            inner.drawn_at = now();
        });
        self.take_in();
        // That there is something is not said later than it is shown.
        if self.figures.get_untracked().shown == 0 {
            self.count();
        }
        self.bump();
    }

    /// Puts what is queued into the feed, unless paused.
    fn take_in(self) {
        if self.paused.get_untracked() {
            return;
        }
        self.with_inner(|inner| {
            inner.queued = 0;
            for piece in std::mem::take(&mut inner.queue) {
                match piece {
                    Piece::Delta(delta) => inner.feed.apply(delta),
                    Piece::Gap(gap) => inner.feed.gap(gap),
                }
            }
        });
        if self.waiting.get_untracked() != (0, false) {
            self.waiting.set((0, false));
        }
    }
}

impl Inner {
    /// Notes where the stream is, how fast it is, and how late.
    fn note(&mut self, delta: &Delta) {
        self.cursor = Some(delta.cursor.clone());
        let now = now();
        let second = now / 1_000_000_000;
        match self.seconds.back_mut() {
            Some((then, records)) if *then == second => *records += delta.len(),
            _ => self.seconds.push_back((second, delta.len())),
        }
        let latest = delta.logs.last().map(|log| log.time);
        let ended = |span: &meshscope_api::LiveSpan| Some(span.start_time + span.duration_ns?);
        let latest = latest.max(delta.spans.last().and_then(ended));
        // What is older was not sent as it happened, or its clock is another.
        let lag = latest.map(|latest| now.saturating_sub(latest));
        self.lag = lag.filter(|lag| (0..60_000_000_000).contains(lag)).or(self.lag);
    }
}
