//! What is known of the session on the page, kept up with while it goes on.

use crate::client::stream::{Stream, Told};
use crate::client::{self, Fetch, ask, columns, use_fetch_while};
use crate::pages::trace::Loaded;
use crate::state::{Live, now, param};
use leptos::prelude::*;
use meshscope_analysis::{Moments, Timeline};
use meshscope_api::params::encode;
use meshscope_api::{Params, SessionDetail, SessionLogs, SessionStatus, StreamQuery};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What is told over the stream is fetched after so long at the earliest, so that what comes together is
/// fetched together, and at the latest.
const TOGETHER: Duration = Duration::from_millis(300);
/// See [`TOGETHER`].
const LONGEST: Duration = Duration::from_secs(10);
/// No more of the time than one part in so many is spent on fetching again.
const REST: i64 = 5;

/// Which session: its id and, where the link names one, its project.
pub(crate) type Which = (String, Option<String>);

/// The spans and log records of a session, and how they stand in time.
pub(crate) struct Held {
    /// All spans with their tree.
    pub loaded: Arc<Loaded>,
    /// All log records, in short.
    pub logs: Arc<SessionLogs>,
    /// Lanes and events.
    pub timeline: Timeline,
    /// How it stood at any instant.
    pub moments: Moments,
}

impl Held {
    fn new(loaded: Arc<Loaded>, logs: Arc<SessionLogs>) -> Self {
        let timeline = Timeline::build(&loaded.columns, &loaded.tree, &logs);
        Self {
            moments: Moments::build(&loaded.columns, &timeline, &logs),
            timeline,
            loaded,
            logs,
        }
    }
}

/// The session on the page.
#[derive(Clone, Copy)]
pub(crate) struct Viewed {
    /// Which one.
    pub which: Memo<Which>,
    /// Its figures and runs.
    pub detail: Fetch<SessionDetail>,
    /// Its spans.
    pub spans: Fetch<Arc<Loaded>>,
    /// Its log records.
    pub logs: Fetch<Arc<SessionLogs>>,
    /// Both, when they are here.
    pub held: Memo<Option<Arc<Held>>>,
    /// Changes when there may be more than is here.
    pub version: RwSignal<u32>,
}

/// A query that names the project, where the link does.
pub(crate) fn scoped(which: &Which) -> Params {
    let mut params = Params::default();
    params.set("project", which.1.clone());
    params
}

/// The API's path of a session and what is below it.
pub(crate) fn path_of(which: &Which, below: &str) -> String {
    format!("sessions/{}{below}", encode(&which.0))
}

/// Loads the session, and follows it.
pub(crate) fn use_viewed(id: Memo<String>) -> Viewed {
    let project = param("project");
    let which = Memo::new(move |_| (id.get(), project.get()));
    let version = RwSignal::new(0_u32);
    let origin = StoredValue::new(client::origin());
    let key = move || Some((which.get(), version.get()));
    let detail = use_fetch_while(
        key,
        || false,
        move |(which, _), abort| ask::<SessionDetail>(path_of(&which, ""), scoped(&which), origin, abort),
    );
    let spans = use_fetch_while(
        key,
        || false,
        move |(which, _), abort| {
            let (origin, path) = (origin.get_value(), path_of(&which, "/spans"));
            async move {
                let columns = columns(&origin, &path, &scoped(&which), abort.as_ref()).await?;
                Ok(Arc::new(Loaded::new(columns)))
            }
        },
    );
    let logs = use_fetch_while(
        key,
        || false,
        move |(which, _), abort| async move {
            let logs = ask::<SessionLogs>(path_of(&which, "/logs"), scoped(&which), origin, abort);
            logs.await.map(Arc::new)
        },
    );
    // Once for both: they come one after the other, and what is made of them takes its time.
    let held = Memo::new_with_compare(
        move |before: Option<&Option<Arc<Held>>>| {
            let (loaded, told) = (spans.value.get(), logs.value.get());
            if spans.loading.get() || logs.loading.get() {
                return before.cloned().flatten();
            }
            Some(Arc::new(Held::new(loaded?, told?)))
        },
        |before, now| {
            let at = |held: Option<&Option<Arc<Held>>>| held.and_then(Option::as_ref).map(Arc::as_ptr);
            at(before) != at(now)
        },
    );
    let viewed = Viewed {
        which,
        detail,
        spans,
        logs,
        held,
        version,
    };
    viewed.follow(origin);
    viewed
}

/// How the following of a session stands.
#[derive(Default)]
struct Following {
    stream: Option<Rc<Stream>>,
    /// There is more than was fetched.
    behind: bool,
    /// The stream stands, and it is not decided yet whether something came before it did.
    opened: bool,
    /// Somebody waits to fetch it.
    waits: bool,
    /// When what is here was asked for, ns since the epoch, and how long it took to come, ns.
    asked: i64,
    took: i64,
}

impl Viewed {
    /// Whether anything is on its way.
    fn is_loading(&self) -> bool {
        [self.detail.loading, self.spans.loading, self.logs.loading]
            .iter()
            .any(|loading| loading.get())
    }

    /// Whether the session was still going on when it was asked for.
    fn is_active(&self) -> bool {
        let active = |detail: &SessionDetail| detail.session.status == SessionStatus::Active;
        self.detail
            .value
            .with_untracked(|detail| detail.as_ref().is_some_and(active))
    }

    /// Asks again when the stream tells of the session, as long as the page is live.
    fn follow(self, origin: StoredValue<String>) {
        let live = expect_context::<Live>();
        let following = StoredValue::new_local(Following::default());
        let catch_up = move || {
            let wanted = following.try_update_value(|following| {
                following.waits = false;
                std::mem::take(&mut following.behind)
            });
            if wanted == Some(true) {
                following.update_value(|following| following.asked = now());
                self.version.update(|n| *n = n.wrapping_add(1));
            }
        };
        // When all is here and there is more, after a rest that grows with what it took.
        let schedule = move || {
            let idle = untrack(|| !self.is_loading());
            let wait = following.try_update_value(|following| {
                // What came between the first answer and the stream is told by neither. Only where the session
                // goes on, which its answer says, is there any.
                if idle && std::mem::take(&mut following.opened) {
                    following.behind |= self.is_active();
                }
                let start = idle && following.behind && !following.waits;
                following.waits |= start;
                start.then(|| Duration::from_nanos(following.took.saturating_mul(REST).unsigned_abs()))
            });
            if let Some(Some(rest)) = wait {
                set_timeout(catch_up, rest.clamp(TOGETHER, LONGEST));
            }
        };
        let note = move || {
            following.try_update_value(|following| following.behind = true);
            schedule();
        };
        let opened = move || {
            following.try_update_value(|following| following.opened = true);
            schedule();
        };
        Effect::new(move |_| {
            if !self.is_loading() {
                following.update_value(|following| following.took = now().saturating_sub(following.asked));
                schedule();
            }
        });
        Effect::new(move |_| {
            let (which, on) = (self.which.get(), live.on.get());
            following.update_value(|following| {
                if let Some(stream) = following.stream.take() {
                    stream.stop();
                }
                following.asked = now();
                if on {
                    let query = StreamQuery {
                        session: Some(which.0.clone()),
                        project: which.1.clone(),
                        ..StreamQuery::default()
                    };
                    let first = std::cell::Cell::new(true);
                    let told = move |told: Told| match told {
                        Told::Open(_) if first.replace(false) => opened(),
                        Told::Delta(_) | Told::Gap(_) | Told::Open(_) => note(),
                        _ => {}
                    };
                    following.stream = Some(Stream::follow(origin.get_value(), query, told));
                }
            });
        });
        on_cleanup(move || {
            following.try_update_value(|following| {
                if let Some(stream) = following.stream.take() {
                    stream.stop();
                }
            });
        });
    }
}
