//! To which session a record belongs: a rule over what is known now.
//!
//! A session's identity can arrive late, on some records only, or never. The rule, which the
//! store's queries follow too:
//!
//! 1. the session the record itself names;
//! 2. else the session that any record of its trace names;
//! 3. else what any record of its trace gives to fall back to;
//! 4. else the trace id in hex: a trace that no one names is a session of its own. Spans that a
//!    framework makes for itself (`noise`) are none: they belong to no session unless another
//!    record of their trace makes one, and dialects with such spans see to it that it does, by
//!    the fallback of their other spans.
//!
//! Where records of one trace give different names the others inherit the smallest. That depends
//! neither on the order of arrival nor on a record being sent twice, so what is known can be
//! folded in any order, in any portions, by the server and the browser alike.

use meshscope_model::{Origin, System, TraceId};
use std::borrow::Cow;
use std::collections::HashMap;

/// What the records of one trace say about its session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TraceSession {
    /// The smallest session named.
    pub named: Option<String>,
    /// The smallest session to fall back to.
    pub fallback: Option<String>,
    /// The dialect: of several the most specific, so that a plain OpenTelemetry client span
    /// within a MeshAgent trace does not hide where it comes from.
    pub system: System,
}

impl TraceSession {
    /// What a record inherits that names no session itself.
    #[must_use]
    pub fn inherited(&self) -> Option<&str> {
        self.named.as_deref().or(self.fallback.as_deref())
    }

    /// Takes in one more record. True when what others inherit has changed.
    pub fn learn(&mut self, origin: &Origin) -> bool {
        self.system = self.system.max(origin.system);
        let named = smaller(&self.named, origin.session.as_deref());
        let fallback = smaller(&self.fallback, origin.fallback_session.as_deref());
        let moved = match named {
            Some(name) => self.inherited() != Some(name),
            None => fallback.is_some() && self.named.is_none(),
        };
        self.named = named.map(str::to_owned).or(self.named.take());
        self.fallback = fallback.map(str::to_owned).or(self.fallback.take());
        moved
    }

    /// Takes in what another fold over the same trace has learnt.
    pub fn merge(&mut self, other: &Self) -> bool {
        self.learn(&Origin {
            system: other.system,
            session: other.named.clone(),
            fallback_session: other.fallback.clone(),
            ..Origin::default()
        })
    }

    /// The session of a record of this trace, whether learnt before or not.
    #[must_use]
    pub fn resolve<'a>(&'a self, origin: &'a Origin, trace_id: TraceId, noise: bool) -> Option<Cow<'a, str>> {
        let own = origin.session.as_deref();
        let known = own.filter(|name| !name.is_empty()).or(self.inherited());
        match known.or(origin.fallback_session.as_deref().filter(|name| !name.is_empty())) {
            Some(name) => Some(Cow::Borrowed(name)),
            None => (!noise).then(|| Cow::Owned(trace_id.to_string())),
        }
    }
}

/// `name` when it is smaller than what is kept. An empty name says nothing.
fn smaller<'a>(kept: &Option<String>, name: Option<&'a str>) -> Option<&'a str> {
    name.filter(|name| !name.is_empty() && kept.as_deref().is_none_or(|kept| *name < kept))
}

/// The sessions of many traces, folded from records as they arrive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sessions {
    traces: HashMap<TraceId, TraceSession>,
}

impl Sessions {
    /// Takes in one record. True when records of its trace that were resolved before may now
    /// belong elsewhere: what is shown of that trace is to be resolved again.
    pub fn learn(&mut self, trace_id: TraceId, origin: &Origin) -> bool {
        let known = self.traces.contains_key(&trace_id);
        self.traces.entry(trace_id).or_default().learn(origin) && known
    }

    /// The session of a record, which is `noise` when its framework made it for itself: `None`
    /// for one without a trace that names none, and for noise that nothing names.
    #[must_use]
    pub fn resolve<'a>(
        &'a self,
        trace_id: Option<TraceId>,
        origin: &'a Origin,
        noise: bool,
    ) -> Option<Cow<'a, str>> {
        let Some(trace_id) = trace_id else {
            let own = origin.session.as_deref().or(origin.fallback_session.as_deref());
            return own.filter(|name| !name.is_empty()).map(Cow::Borrowed);
        };
        match self.traces.get(&trace_id) {
            Some(trace) => trace.resolve(origin, trace_id, noise),
            None => {
                let alone = TraceSession::default();
                let session = alone.resolve(origin, trace_id, noise)?;
                Some(Cow::Owned(session.into_owned()))
            }
        }
    }

    /// What is known of a trace.
    #[must_use]
    pub fn trace(&self, trace_id: TraceId) -> Option<&TraceSession> {
        self.traces.get(&trace_id)
    }

    /// Forgets a trace.
    pub fn forget(&mut self, trace_id: TraceId) {
        self.traces.remove(&trace_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: TraceId = TraceId([7; 16]);

    fn origin(session: Option<&str>, fallback: Option<&str>) -> Origin {
        Origin {
            session: session.map(str::to_owned),
            fallback_session: fallback.map(str::to_owned),
            ..Origin::default()
        }
    }

    #[test]
    fn what_a_framework_does_for_itself_is_no_session() {
        let mut sessions = Sessions::default();
        let plain = origin(None, None);
        sessions.learn(TRACE, &plain);
        assert_eq!(sessions.resolve(Some(TRACE), &plain, true), None);
        sessions.learn(TRACE, &origin(None, Some("f")));
        assert_eq!(sessions.resolve(Some(TRACE), &plain, true).as_deref(), Some("f"));
    }

    #[test]
    fn a_late_root_names_the_session_of_all() {
        let mut sessions = Sessions::default();
        let turn = origin(None, None);
        assert!(!sessions.learn(TRACE, &turn));
        assert_eq!(
            sessions.resolve(Some(TRACE), &turn, false).as_deref(),
            Some("07070707070707070707070707070707")
        );
        let root = Origin {
            system: System::VideoSdk,
            ..origin(Some("65f0-session"), None)
        };
        assert!(sessions.learn(TRACE, &root));
        assert_eq!(
            sessions.resolve(Some(TRACE), &turn, false).as_deref(),
            Some("65f0-session")
        );
        assert_eq!(
            sessions.trace(TRACE).map(|trace| trace.system),
            Some(System::VideoSdk)
        );
        assert!(
            !sessions.learn(TRACE, &root),
            "the same record again changes nothing"
        );
    }

    #[test]
    fn own_before_the_traces_before_a_fallback() {
        let mut sessions = Sessions::default();
        let browser = origin(None, Some("browser-session"));
        sessions.learn(TRACE, &browser);
        let of = |sessions: &Sessions, origin: &Origin| {
            sessions.resolve(Some(TRACE), origin, false).map(Cow::into_owned)
        };
        let plain = origin(None, None);
        assert_eq!(of(&sessions, &plain).as_deref(), Some("browser-session"));
        assert!(sessions.learn(TRACE, &origin(Some("b"), None)));
        assert!(sessions.learn(TRACE, &origin(Some("a"), None)));
        assert!(!sessions.learn(TRACE, &origin(Some("c"), Some("0"))));
        assert_eq!(of(&sessions, &browser).as_deref(), Some("a"));
        assert_eq!(of(&sessions, &origin(Some("c"), None)).as_deref(), Some("c"));
        assert_eq!(of(&sessions, &origin(Some(""), None)).as_deref(), Some("a"));
    }

    #[test]
    fn without_a_trace_only_the_record_speaks() {
        let sessions = Sessions::default();
        assert_eq!(
            sessions
                .resolve(None, &origin(Some("s"), Some("f")), false)
                .as_deref(),
            Some("s")
        );
        assert_eq!(
            sessions.resolve(None, &origin(None, Some("f")), false).as_deref(),
            Some("f")
        );
        assert_eq!(sessions.resolve(None, &origin(None, None), false), None);
        assert_eq!(
            sessions
                .resolve(Some(TRACE), &origin(None, Some("f")), false)
                .as_deref(),
            Some("f")
        );
    }

    fn any_record() -> impl Strategy<Value = (TraceId, Origin)> {
        let name = || prop::option::of(prop::sample::select(vec!["", "a", "b", "c", "d"]));
        let system = prop::sample::select(System::ALL.to_vec());
        (0..3_u128, name(), name(), system).prop_map(|(trace, session, fallback, system)| {
            let origin = Origin {
                system,
                ..origin(session, fallback)
            };
            (TraceId::from_u128(trace), origin)
        })
    }

    proptest! {
        #[test]
        fn any_order_any_portions_any_repeats_give_the_same(
            (sent, arrived) in prop::collection::vec(any_record(), 1..20)
                .prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle())),
            again in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut whole = Sessions::default();
            for (trace, origin) in &sent {
                whole.learn(*trace, origin);
            }
            let mut other = Sessions::default();
            let repeats = again.iter().map(|index| index.get(&sent));
            for (trace, origin) in arrived.iter().chain(repeats) {
                other.learn(*trace, origin);
            }
            prop_assert_eq!(&whole, &other);

            let (one, two) = arrived.split_at(cut.index(arrived.len()));
            let [mut one, two] = [one, two].map(|portion| {
                let mut sessions = Sessions::default();
                for (trace, origin) in portion {
                    sessions.learn(*trace, origin);
                }
                sessions
            });
            for (trace, learnt) in &two.traces {
                one.traces.entry(*trace).or_default().merge(learnt);
            }
            prop_assert_eq!(&whole, &one);
        }

        #[test]
        fn learn_tells_exactly_when_an_unnamed_record_moves(records in prop::collection::vec(any_record(), 1..20)) {
            let mut trace = TraceSession::default();
            let plain = origin(None, None);
            for (_, record) in records {
                let before = trace.resolve(&plain, TRACE, false).map(Cow::into_owned);
                let moved = trace.learn(&record);
                prop_assert_eq!(moved, before != trace.resolve(&plain, TRACE, false).map(Cow::into_owned));
            }
        }
    }
}
