//! The live stream: followed for as long as it is wanted, whatever happens to the connection.
//! After a break it goes on at the cursor of the last event: nothing is missed, nothing doubled.

use super::columns::next;
use super::{send, sleep, unreachable};
use leptos::prelude::*;
use leptos::task::spawn_local;
use meshscope_api::sse::{Event, EventReader};
use meshscope_api::{Delta, Gap, Problem, StreamQuery};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::JsCast as _;
use web_sys::{AbortController, ReadableStreamDefaultReader};

/// The server says something every 15 s; a connection that is silent for longer is dead.
const SILENCE_MS: f64 = 40_000.0;
/// How long events are read at a time, ms.
const SLICE_MS: f64 = 8.0;
/// How long is waited after the first break, and at the most, ms.
const BACKOFF_MS: (i32, i32) = (250, 8_000);

/// What a stream tells.
pub(crate) enum Told {
    /// A connection stands, and goes on from this cursor.
    Open(String),
    /// Records.
    Delta(Delta),
    /// Records were left out.
    Gap(Gap),
    /// Nothing more up to this cursor: what comes next is happening.
    Quiet(String),
    /// The connection is gone; it is tried again.
    Away(Problem),
    /// The server does not answer what is asked; it is not tried again.
    Refused(Problem),
    /// The end that was asked for is reached.
    Ended,
}

/// A stream that is followed; stops when it is told to.
pub(crate) struct Stream {
    stopped: Cell<bool>,
    connection: RefCell<Option<AbortController>>,
    /// When something was heard last, ms.
    heard: Cell<f64>,
    watch: Cell<Option<IntervalHandle>>,
}

impl Stream {
    /// Follows what `query` asks for; `tell` is called for each event, in order.
    pub(crate) fn follow(origin: String, query: StreamQuery, tell: impl FnMut(Told) + 'static) -> Rc<Self> {
        let stream = Rc::new(Self {
            stopped: Cell::new(false),
            connection: RefCell::new(None),
            heard: Cell::new(js_sys::Date::now()),
            watch: Cell::new(None),
        });
        let watched = Rc::downgrade(&stream);
        let watch = move || {
            if let Some(stream) = watched.upgrade()
                && js_sys::Date::now() - stream.heard.get() > SILENCE_MS
            {
                stream.heard.set(js_sys::Date::now());
                stream.hang_up();
            }
        };
        match set_interval_with_handle(watch, Duration::from_secs(5)) {
            Ok(handle) => stream.watch.set(Some(handle)),
            Err(error) => leptos::logging::error!("no clock for the stream: {error:?}"),
        }
        let followed = Rc::clone(&stream);
        spawn_local(async move { followed.run(&origin, query, tell).await });
        stream
    }

    /// Ends it; nothing is told any more.
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
        if let Some(watch) = self.watch.take() {
            watch.clear();
        }
        self.hang_up();
    }

    fn hang_up(&self) {
        if let Some(connection) = self.connection.borrow_mut().take() {
            connection.abort();
        }
    }

    async fn run(&self, origin: &str, mut query: StreamQuery, mut tell: impl FnMut(Told)) {
        let mut backoff = BACKOFF_MS.0;
        while !self.stopped.get() {
            let before = query.cursor.clone();
            let broke = self.connect(origin, &mut query, &mut tell).await;
            if self.stopped.get() {
                return;
            }
            match broke {
                Ok(()) => {
                    tell(Told::Ended);
                    self.stop();
                    return;
                }
                // Asked again it would be refused again. That too much is asked passes.
                Err(problem) if (400..500).contains(&problem.status) && problem.status != 429 => {
                    tell(Told::Refused(problem));
                    self.stop();
                    return;
                }
                Err(problem) => tell(Told::Away(problem)),
            }
            if query.cursor != before {
                backoff = BACKOFF_MS.0;
            }
            // Many pages must not come back at the same moment.
            let jitter = 0.75 + js_sys::Math::random() / 2.0;
            sleep((f64::from(backoff) * jitter) as i32).await;
            backoff = (backoff * 2).min(BACKOFF_MS.1);
        }
    }

    /// One connection, until it breaks. The cursor of `query` follows what was told. Good only at an
    /// end that was asked for.
    async fn connect(
        &self,
        origin: &str,
        query: &mut StreamQuery,
        tell: &mut impl FnMut(Told),
    ) -> Result<(), Problem> {
        let controller = AbortController::new().ok();
        let signal = controller.as_ref().map(AbortController::signal);
        self.heard.set(js_sys::Date::now());
        self.connection.replace(controller);
        let response = send(
            origin,
            "stream",
            &query.write(),
            "text/event-stream",
            signal.as_ref(),
        )
        .await?;
        let reader = response
            .body()
            .map(|body| body.get_reader().unchecked_into::<ReadableStreamDefaultReader>())
            .ok_or_else(|| unreachable(&"The answer has no body"))?;
        let (mut events, mut packet) = (EventReader::default(), Vec::new());
        while next(&reader, &mut packet).await? {
            self.heard.set(js_sys::Date::now());
            let mut read = Vec::new();
            events.push(&packet, |event| read.push(event));
            let mut since = js_sys::Date::now();
            for event in read {
                // Much may come at once: the page draws and answers in between.
                if js_sys::Date::now() - since > SLICE_MS {
                    sleep(0).await;
                    since = js_sys::Date::now();
                }
                if self.stopped.get() {
                    return Ok(());
                }
                let ended = event.name == "end";
                let cursor = event.id.clone();
                if let Some(told) = told(event)? {
                    tell(told);
                }
                if !cursor.is_empty() {
                    query.cursor = Some(cursor);
                }
                if ended && query.until.is_some() && query.until == query.cursor {
                    return Ok(());
                }
            }
        }
        Err(unreachable(&"The stream broke off"))
    }
}

/// What an event tells; nothing when it is of a kind that is not known here.
fn told(event: Event) -> Result<Option<Told>, Problem> {
    fn read<T: serde::de::DeserializeOwned>(event: &Event) -> Result<T, Problem> {
        serde_json::from_str(&event.data)
            .map_err(|error| Problem::internal(format!("an event {:?} cannot be read: {error}", event.name)))
    }
    Ok(match event.name.as_str() {
        "open" => Some(Told::Open(event.id)),
        "delta" => Some(Told::Delta(read(&event)?)),
        "gap" => Some(Told::Gap(read(&event)?)),
        "heartbeat" => Some(Told::Quiet(event.id)),
        _ => None,
    })
}
