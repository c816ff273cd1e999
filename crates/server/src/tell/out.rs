//! Standard output: lines in colours or plain, cut or whole, or JSON.

use super::Ended;
use super::line::{Line, clean_json};
use super::when::Zone;
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};

/// Options of how something is told.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Form {
    /// JSON, an object a line.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Times in UTC instead of the machine's time zone.
    #[arg(long, global = true)]
    utc: bool,
    /// Colours: on a terminal, always, or never.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true, value_parser = ["auto", "always", "never"])]
    color: String,
}

/// Where it goes, and how.
pub(super) struct Out {
    writer: BufWriter<Stdout>,
    colours: bool,
    /// Columns that a line of a table may take; `None` is any number.
    width: Option<usize>,
    pub(super) json: bool,
    pub(super) zone: Zone,
}

/// A variable that is there and not empty.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Out {
    pub(super) fn new(form: &Form) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        // https://no-color.org
        let wanted = terminal && set("NO_COLOR").is_none() && set("TERM").as_deref() != Some("dumb");
        let width = set("COLUMNS").and_then(|columns| columns.parse().ok());
        Self {
            writer: BufWriter::new(stdout),
            colours: form.color == "always" || (form.color == "auto" && wanted),
            width: width.or_else(|| terminal_width().filter(|_| terminal)),
            json: form.json,
            zone: if form.utc { Zone::utc() } else { Zone::here() },
        }
    }

    pub(super) fn width(&self) -> Option<usize> {
        self.width
    }

    /// Writes a line as long as it is.
    pub(super) fn line(&mut self, line: &Line) -> Result<(), Ended> {
        writeln!(self.writer, "{}", line.render(self.colours))?;
        Ok(())
    }

    /// Writes a line of a table: on a terminal not wider than that is.
    pub(super) fn row(&mut self, line: &Line) -> Result<(), Ended> {
        match self.width {
            Some(width) => self.line(&line.cut(width)),
            None => self.line(line),
        }
    }

    pub(super) fn empty(&mut self) -> Result<(), Ended> {
        self.line(&Line::default())
    }

    /// Writes an object; `kind` becomes its `type`.
    pub(super) fn json(&mut self, kind: Option<&'static str>, object: &impl Serialize) -> Result<(), Ended> {
        #[derive(Serialize)]
        struct Object<'a, T> {
            #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
            kind: Option<&'static str>,
            #[serde(flatten)]
            object: &'a T,
        }
        let json = serde_json::to_string(&Object { kind, object }).map_err(io::Error::other)?;
        writeln!(self.writer, "{}", clean_json(&json))?;
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), Ended> {
        self.writer.flush()?;
        Ok(())
    }
}

#[cfg(unix)]
fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

#[cfg(not(unix))]
fn terminal_width() -> Option<usize> {
    None
}

/// Whether nobody reads standard output any more.
#[cfg(unix)]
pub(super) fn reader_has_gone() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdout = io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // Where it cannot be told, writing will tell.
    poll(&mut asked, Some(&now)).is_ok_and(|ready| ready > 0)
        && asked.iter().any(|fd| fd.revents().intersects(PollFlags::ERR))
}

#[cfg(not(unix))]
pub(super) fn reader_has_gone() -> bool {
    false
}
