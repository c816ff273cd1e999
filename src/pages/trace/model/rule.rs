//! The time cursor, and the mark that it is measured from.

use meshscope_layout::TimeView;

/// Where the time cursor stands and where it is measured from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rule {
    /// The pointer, px from the left of the time area: the cursor stands where it does.
    pointer: Option<f64>,
    /// A time that the cursor was set to by a key.
    set: Option<i64>,
    /// The time that is measured from.
    pub mark: Option<i64>,
}

impl Rule {
    /// The pointer moved: px from the left of the time area.
    pub(crate) fn point(&mut self, x: Option<f64>) {
        self.pointer = x;
        if x.is_some() {
            self.set = None;
        }
    }

    /// Sets the cursor to an exact time.
    pub(crate) fn set(&mut self, time: i64) {
        self.pointer = None;
        self.set = Some(time);
    }

    /// Where the cursor stands in time.
    pub(crate) fn time(&self, view: &TimeView) -> Option<i64> {
        self.set.or_else(|| self.pointer.map(|x| view.time_at(x)))
    }

    /// Where the cursor stands in px from the left of the time area, within the window.
    pub(crate) fn x(&self, view: &TimeView) -> Option<f64> {
        let x = match self.set {
            Some(time) => Some(view.x_of(time)),
            None => self.pointer,
        };
        x.filter(|x| (0.0..view.width()).contains(x))
    }

    /// Marks where the cursor stands, or takes the mark away that stands there.
    pub(crate) fn toggle_mark(&mut self, view: &TimeView) {
        let time = self.time(view);
        self.mark = time.filter(|_| self.mark != time);
    }
}
