//! Tables: aligned columns, as wide as the terminal, or Markdown.

use super::Ended;
use super::line::{Line, Style};
use super::out::Out;

/// Between two columns.
const GAP: usize = 2;
/// A column is not cut below this.
const NARROWEST: usize = 8;

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    title: &'static str,
    right: bool,
    /// Its texts may be cut where the terminal is narrow.
    long: bool,
    /// It is left out where the terminal is too narrow for all.
    spare: bool,
}

impl Column {
    /// A column of words.
    pub(super) const fn text(title: &'static str) -> Self {
        Self {
            title,
            right: false,
            long: false,
            spare: false,
        }
    }

    /// A column of texts that may be long.
    pub(super) const fn long(title: &'static str) -> Self {
        Self {
            title,
            right: false,
            long: true,
            spare: false,
        }
    }

    /// A column of figures.
    pub(super) const fn figure(title: &'static str) -> Self {
        Self {
            title,
            right: true,
            long: false,
            spare: false,
        }
    }

    /// The same as one that may be left out.
    pub(super) const fn spare(self) -> Self {
        Self { spare: true, ..self }
    }
}

/// Width of a table whose columns have these.
fn whole(widths: &[usize]) -> usize {
    let shown = widths.iter().filter(|width| **width > 0).count();
    widths.iter().sum::<usize>() + GAP * shown.saturating_sub(1)
}

/// The same when long texts are cut as far as they may be.
fn narrowest(widths: &[usize], columns: &[Column]) -> usize {
    let cut = widths.iter().zip(columns).map(|(width, column)| {
        if column.long {
            NARROWEST.min(*width)
        } else {
            *width
        }
    });
    whole(&cut.collect::<Vec<_>>())
}

/// A table; a row has a line for each column.
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Line>>,
}

/// A cell.
pub(super) fn cell(style: Style, text: impl AsRef<str>) -> Line {
    Line::default().with(style, text)
}

impl Table {
    pub(super) fn new(columns: &[Column]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, row: Vec<Line>) {
        self.rows.push(row);
    }

    /// Width of each column; 0 for one that is left out or has nothing in it. Where there is no room for
    /// all, long texts are cut first, then spare columns left out from the right.
    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let columns = self.columns.iter().enumerate();
        let mut widths: Vec<usize> = columns
            .map(|(at, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                match cells.map(Line::width).max() {
                    None | Some(0) => 0,
                    Some(width) => width.max(column.title.len()),
                }
            })
            .collect();
        let Some(limit) = limit else {
            return widths;
        };
        while narrowest(&widths, &self.columns) > limit {
            let mut pairs = widths.iter_mut().zip(&self.columns).rev();
            let Some((width, _)) = pairs.find(|(width, column)| column.spare && **width > 0) else {
                break;
            };
            *width = 0;
        }
        let mut over = whole(&widths).saturating_sub(limit);
        while over > 0 {
            let long = widths
                .iter_mut()
                .zip(&self.columns)
                .filter(|(_, column)| column.long);
            let widest = long
                .map(|(width, _)| width)
                .max()
                .filter(|width| **width > NARROWEST);
            let Some(widest) = widest else {
                break;
            };
            *widest -= 1;
            over -= 1;
        }
        widths
    }

    /// Writes it with a head.
    pub(super) fn write(&self, out: &mut Out) -> Result<(), Ended> {
        let widths = self.widths(out.width());
        let head: Vec<Line> = self
            .columns
            .iter()
            .map(|column| cell(Style::Dim, column.title))
            .collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            out.row(&self.line(row, &widths))?;
        }
        Ok(())
    }

    fn line(&self, row: &[Line], widths: &[usize]) -> Line {
        let mut line = Line::default();
        let mut owed = 0;
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
            if *width == 0 {
                continue;
            }
            let cell = cell.cut(*width);
            let room = width - cell.width().min(*width);
            // What follows the last text of a line is not written.
            if cell.width() == 0 {
                owed += width + GAP;
                continue;
            }
            let (before, after) = if column.right { (room, 0) } else { (0, room) };
            line.add(Style::Plain, " ".repeat(owed + before)).append(&cell);
            owed = after + GAP;
        }
        line
    }

    /// Writes it as Markdown (GitHub's tables).
    pub(super) fn write_markdown(&self, out: &mut Out) -> Result<(), Ended> {
        let titles = self.columns.iter().map(|column| column.title.to_owned());
        let rules = self
            .columns
            .iter()
            .map(|column| if column.right { "---:" } else { "---" }.to_owned());
        let row =
            |cells: Vec<String>| Line::default().with(Style::Plain, format!("| {} |", cells.join(" | ")));
        out.line(&row(titles.collect()))?;
        out.line(&row(rules.collect()))?;
        for cells in &self.rows {
            let escaped = cells
                .iter()
                .map(|cell| cell.plain().replace('\\', "\\\\").replace('|', "\\|"));
            out.line(&row(escaped.collect()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(table: &Table, limit: Option<usize>) -> Vec<String> {
        let widths = table.widths(limit);
        table
            .rows
            .iter()
            .map(|row| table.line(row, &widths).plain())
            .collect()
    }

    #[test]
    fn columns_line_up_whatever_the_script_and_long_ones_are_cut_first() {
        let mut table = Table::new(&[
            Column::long("NAME"),
            Column::text("NONE"),
            Column::figure("N"),
            Column::text("END").spare(),
        ]);
        for (name, n, end) in [("日本語のとても長い名前", "5", "a"), ("short", "1,234", "")] {
            table.push(vec![
                cell(Style::Plain, name),
                cell(Style::Plain, ""),
                cell(Style::Plain, n),
                cell(Style::Plain, end),
            ]);
        }
        assert_eq!(
            lines(&table, None),
            [
                "日本語のとても長い名前      5  a",
                "short                   1,234"
            ]
        );
        assert_eq!(
            lines(&table, Some(22)),
            ["日本語の…       5  a", "short       1,234"]
        );
        // NAME is not cut below 8 columns; END goes instead.
        assert_eq!(
            lines(&table, Some(17)),
            ["日本語の…       5", "short       1,234"]
        );
        assert_eq!(lines(&table, Some(3)), ["日本語…       5", "short     1,234"]);
    }
}
