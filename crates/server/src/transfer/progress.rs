//! How far an import is: a bar on a terminal, else a line now and then.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

const BAR: usize = 24;
/// Between two drawings of the bar, and between two lines.
const REDRAW: Duration = Duration::from_millis(100);
const LINE: Duration = Duration::from_secs(5);

/// What is told on standard error.
pub(super) struct Progress {
    terminal: bool,
    total: u64,
    started: Instant,
    told: Option<Instant>,
}

impl Progress {
    /// `total` is how many bytes there are in all.
    pub(super) fn new(total: u64) -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            total,
            started: Instant::now(),
            told: None,
        }
    }

    /// Tells how far it is, when it is time to.
    pub(super) fn tell(&mut self, bytes: u64, records: u64, file: &str) {
        let pause = if self.terminal { REDRAW } else { LINE };
        if self.told.unwrap_or(self.started).elapsed() < pause {
            return;
        }
        self.told = Some(Instant::now());
        let line = self.line(bytes, records, file);
        if self.terminal {
            // Without an end of line, so that the next one is drawn over it.
            self.show(&format!("\r\x1b[2K{line}"));
        } else {
            self.show(&format!("{line}\n"));
        }
    }

    fn line(&self, bytes: u64, records: u64, file: &str) -> String {
        let part = (bytes as f64 / self.total.max(1) as f64).min(1.0);
        let rate = bytes as f64 / 1.0e6 / self.started.elapsed().as_secs_f64().max(0.001);
        let full = (part * BAR as f64) as usize;
        let bar = if self.terminal {
            format!("[{}{}] ", "=".repeat(full), " ".repeat(BAR - full))
        } else {
            String::new()
        };
        format!(
            "{bar}{:3.0} %  {rate:.1} MB/s  {records} records  {file}",
            part * 100.0
        )
    }

    /// Tells a line for good.
    pub(super) fn say(&self, line: &str) {
        let clear = if self.terminal { "\r\x1b[2K" } else { "" };
        self.show(&format!("{clear}{line}\n"));
    }

    fn show(&self, text: &str) {
        let mut out = std::io::stderr().lock();
        // Who does not want to see it may close standard error.
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            tracing::debug!(%error, "progress cannot be told");
        }
    }
}
