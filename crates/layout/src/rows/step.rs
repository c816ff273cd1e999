//! Where the keyboard goes from a line.

use super::{Line, Rows};
use meshscope_analysis::Tree;

/// A step of the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The line above.
    Up,
    /// The line below.
    Down,
    /// The nearest ancestor that is shown; from a group's member the group.
    Parent,
    /// The first line below that is deeper; none when folded.
    FirstChild,
    /// The next line at the same depth under the same parent.
    NextSibling,
    /// The one before.
    PreviousSibling,
    /// The top line.
    First,
    /// The bottom line.
    Last,
}

impl Rows {
    /// The line that a step leads to from `line`; `None` when there is nothing. [`Step::First`]
    /// and [`Step::Last`] go from anywhere.
    #[must_use]
    pub fn step(&self, tree: &Tree, line: usize, step: Step) -> Option<usize> {
        let last = self.lines.len().checked_sub(1)?;
        let depth_of = |line: usize| self.lines.get(line).map(|line| line.depth);
        match step {
            Step::First => return Some(0),
            Step::Last => return Some(last),
            _ => {}
        }
        let from = *self.lines.get(line)?;
        match step {
            Step::First | Step::Up => line.checked_sub(1),
            Step::Last | Step::Down => Some(line + 1).filter(|next| *next <= last),
            Step::Parent => self.parent_line(tree, from),
            Step::FirstChild => Some(line + 1).filter(|next| depth_of(*next) > Some(from.depth)),
            Step::NextSibling => {
                let next = self.lines_before(tree, self.end_of(tree, from));
                (depth_of(next) == Some(from.depth)).then_some(next)
            }
            Step::PreviousSibling => {
                let mut line = line.checked_sub(1)?;
                while depth_of(line)? > from.depth {
                    line = self.parent_line(tree, *self.lines.get(line)?)?;
                }
                (depth_of(line) == Some(from.depth)).then_some(line)
            }
        }
    }

    /// The place of the tree's order behind all that belongs to a line.
    fn end_of(&self, tree: &Tree, line: Line) -> u32 {
        let group = self.folding.starting_with(tree, line.span).filter(|_| line.group);
        let end = tree.position(line.span) + tree.size(line.span);
        group.map_or(end, |group| group.to)
    }

    /// The line that a line is indented under.
    fn parent_line(&self, tree: &Tree, line: Line) -> Option<usize> {
        let mut ancestors = tree.ancestors(line.span);
        let ancestor = ancestors.find_map(|ancestor| Some((ancestor, self.line_of(tree, ancestor)?)));
        let place = tree.position(line.span);
        let mut around = self.folding.around(place);
        let group = around.find(|group| !(line.group && group.first == line.span));
        // Of a group and an ancestor that both hold the line, the later one is nearer.
        let nearer = group.filter(|group| {
            let ancestor = ancestor.map(|(ancestor, _)| tree.position(ancestor));
            ancestor.is_none_or(|ancestor| group.from > ancestor)
        });
        let header = nearer.and_then(|group| self.group_line(tree, group.first));
        header.or(ancestor.map(|(_, line)| line))
    }
}
