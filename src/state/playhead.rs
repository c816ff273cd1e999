//! The instant that a session is looked at. Every panel shows what stood at that moment; a player of
//! recordings follows it and may move it.

use leptos::prelude::*;

/// The playhead of the session on the page; provided as context by the session viewer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Playhead {
    /// The instant, ns since the epoch; `None` shows everything there is, as it comes.
    pub at: RwSignal<Option<i64>>,
    /// The instant moves by itself.
    pub playing: RwSignal<bool>,
    /// Nanoseconds of the session a nanosecond of the clock: 1 is as it happened.
    pub speed: RwSignal<f64>,
}

impl Playhead {
    /// A playhead at an instant, or at none, that stands still.
    pub(crate) fn new(at: Option<i64>) -> Self {
        Self {
            at: RwSignal::new(at),
            playing: RwSignal::new(false),
            speed: RwSignal::new(1.0),
        }
    }

    /// Whether what happened at `time` is to be seen: nothing is ahead of no playhead.
    pub(crate) fn has_passed(self, time: i64) -> bool {
        self.at.get().is_none_or(|at| time <= at)
    }
}
