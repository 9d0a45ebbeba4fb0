//! The terminal: what happens, and how it stands.

use std::io::{IsTerminal, Write};

use super::error::DemoError;

/// Without a terminal the status is printed this often only.
const PLAIN_EVERY: u32 = 10;

pub(super) struct Screen {
    is_terminal: bool,
    has_status: bool,
    statuses: u32,
}

impl Screen {
    pub(super) fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self {
            is_terminal,
            has_status: false,
            statuses: 0,
        }
    }

    /// Something happened.
    pub(super) fn say(&mut self, line: &str) -> Result<(), DemoError> {
        let clear = if self.has_status { "\r\x1b[K" } else { "" };
        self.has_status = false;
        writeln!(std::io::stderr(), "{clear}{line}").map_err(DemoError::Terminal)
    }

    /// How it stands; on a terminal the line before is overwritten.
    pub(super) fn status(&mut self, line: &str) -> Result<(), DemoError> {
        self.statuses += 1;
        if self.is_terminal {
            self.has_status = true;
            let mut out = std::io::stderr();
            write!(out, "\r\x1b[K{line}").map_err(DemoError::Terminal)?;
            return out.flush().map_err(DemoError::Terminal);
        }
        if self.statuses % PLAIN_EVERY == 1 {
            self.say(line)?;
        }
        Ok(())
    }

    /// The last line of the story, for programs.
    pub(super) fn result(&mut self, line: &str) -> Result<(), DemoError> {
        writeln!(std::io::stdout(), "{line}").map_err(DemoError::Terminal)
    }
}

/// A bar from -`full` to +`full` with a mark at `target`.
pub(super) fn bar(value: f64, target: Option<f64>, full: f64) -> String {
    const HALF: i32 = 20;
    let place = |value: f64| {
        let share = (value / full).clamp(-1.0, 1.0) * f64::from(HALF);
        #[expect(clippy::cast_possible_truncation, reason = "within the bar")]
        let place = share.round() as i32;
        place
    };
    let (end, mark) = (place(value), target.map(place));
    let cell = |at: i32| match at {
        at if mark == Some(at) => '|',
        0 => '+',
        at if 0 < at && at <= end || end <= at && at < 0 => '=',
        _ => ' ',
    };
    (-HALF..=HALF).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars_grow_from_the_middle_and_show_the_target() {
        let shown = bar(50.0, Some(100.0), 200.0);
        assert_eq!(shown.trim(), "+=====    |");
        assert_eq!(bar(-20.0, None, 200.0).trim(), "==+");
        assert_eq!(bar(999.0, Some(-999.0), 200.0).len(), 41);
    }
}
