//! What keys do.

use super::Model;
use meshscope_layout::{Line, Step};

/// A line as it is known whatever comes and goes around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Focus {
    /// Its span, of a group's line the first member.
    pub span: u32,
    /// It stands for a group.
    pub group: bool,
}

impl From<Line> for Focus {
    fn from(line: Line) -> Self {
        Self {
            span: line.span,
            group: line.group,
        }
    }
}

impl Model {
    /// The line that the keyboard is on, or the one that hides it.
    pub(crate) fn focus_line(&self) -> Option<usize> {
        let focus = self.focus?;
        let tree = &self.loaded.tree;
        let group = focus
            .group
            .then(|| self.rows.group_line(tree, focus.span))
            .flatten();
        group.or_else(|| self.rows.nearest_line(tree, focus.span))
    }

    /// Puts the keyboard on a line and scrolls to it.
    pub(crate) fn focus_on(&mut self, line: usize) -> Option<Focus> {
        let focus = Focus::from(*self.rows.lines().get(line)?);
        self.focus = Some(focus);
        self.scroll.show(line);
        Some(focus)
    }

    /// Shows the line of a span, unfolding what hides it.
    pub(crate) fn reveal(&mut self, span: u32) {
        let before = self.rows.len();
        let line = self.rows.reveal(&self.loaded.tree, span);
        if self.rows.len() != before {
            self.changed_rows();
        }
        if let Some(line) = line {
            self.show_line(line);
        }
    }

    /// Scrolls to a line: no further than needed to one near by, else to the middle.
    fn show_line(&mut self, line: usize) {
        let seen = self.scroll.visible();
        let near = line + 2 >= seen.start && line < seen.end + 2;
        if near {
            self.scroll.show(line);
        } else {
            self.scroll.center(line);
        }
    }

    /// Keeps the line that the keyboard is on in sight.
    pub(super) fn reveal_focus(&mut self) {
        if let Some(line) = self.focus_line() {
            self.show_line(line);
        }
    }

    /// Folds or unfolds a line.
    pub(crate) fn toggle(&mut self, focus: Focus) {
        let tree = &self.loaded.tree;
        if focus.group {
            self.rows.toggle_group(tree, focus.span);
        } else {
            self.rows.toggle(tree, focus.span);
        }
        self.changed_rows();
    }

    /// Whether a line can be folded, and is; `None` when there is nothing below it.
    pub(crate) fn is_folded(&self, focus: Focus) -> Option<bool> {
        if focus.group {
            return Some(!self.rows.is_unfolded(focus.span));
        }
        let below = self.rows.below(&self.loaded.tree, focus.span);
        (below > 0).then(|| self.rows.is_collapsed(focus.span))
    }

    /// The line that a key of the keyboard leads to; `None` when it leads nowhere.
    pub(crate) fn step(&self, step: Step) -> Option<usize> {
        match self.focus_line() {
            Some(line) => self.rows.step(&self.loaded.tree, line, step),
            None if step == Step::Last => self.rows.len().checked_sub(1),
            None => (!self.rows.is_empty()).then_some(0),
        }
    }

    /// Folds everything but the way to the line that the keyboard is on.
    fn only_path(&mut self) {
        if let Some(focus) = self.focus {
            self.rows.expand_path(&self.loaded.tree, focus.span);
            self.changed_rows();
            self.reveal_focus();
        }
    }

    /// Start and end of the line that the keyboard is on.
    fn focus_times(&self) -> Option<(i64, i64)> {
        let line = self.rows.lines().get(self.focus_line()?)?;
        Some(self.waterfall().line_times(*line))
    }

    /// Does what a key does that moves neither selection nor search; false when it is none of those.
    pub(crate) fn key(&mut self, key: &str) -> bool {
        let middle = self.frame.time_width() / 2.0;
        let at = self.rule.x(&self.view).unwrap_or(middle);
        match key {
            "w" | "+" | "=" => self.view.zoom(at, 1.0 / 1.4),
            "s" | "-" => self.view.zoom(at, 1.4),
            "a" => self.view.pan(-middle / 3.0),
            "d" => self.view.pan(middle / 3.0),
            "0" => self.view.fit(),
            "f" => {
                if let Some((start, end)) = self.focus_times() {
                    self.view.show(start, end);
                }
            }
            "m" => self.rule.toggle_mark(&self.view),
            "[" | "]" => {
                if let Some((start, end)) = self.focus_times() {
                    self.rule.set(if key == "[" { start } else { end });
                }
            }
            "PageDown" => self.scroll.by(self.frame.lines_height()),
            "PageUp" => self.scroll.by(-self.frame.lines_height()),
            "o" => self.only_path(),
            _ => return self.fold_key(key),
        }
        if matches!(key, "w" | "+" | "=" | "s" | "-" | "a" | "d" | "0" | "f") {
            self.moved();
        }
        true
    }

    /// Folds or unfolds all, or to a level.
    fn fold_key(&mut self, key: &str) -> bool {
        let tree = &self.loaded.tree;
        match (key, key.parse::<u32>()) {
            ("c", _) => self.rows.collapse_all(tree),
            ("e", _) => self.rows.expand_all(tree),
            (_, Ok(level @ 1..=9)) => self.rows.expand_to(tree, level - 1),
            _ => return false,
        }
        self.changed_rows();
        self.reveal_focus();
        true
    }
}
