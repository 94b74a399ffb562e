//! Progress for people, on standard error: a line a second, and below it a bar on a terminal.

use redyno_contract::figures;
use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

use super::Second;
use crate::report::Colours;
use crate::report::table::Tone;

/// Width of the bar in characters.
const BAR: u64 = 40;

/// Where progress is shown.
pub struct Display {
    out: Box<dyn Write + Send>,
    terminal: bool,
    colours: Colours,
    bar: Option<String>,
    heading_shown: bool,
}

impl Display {
    /// On standard error.
    pub fn standard_error() -> Self {
        let terminal = io::stderr().is_terminal();
        Self::new(Box::new(io::stderr()), terminal, colours(terminal))
    }

    /// Anywhere.
    pub fn new(out: Box<dyn Write + Send>, terminal: bool, colours: Colours) -> Self {
        Self {
            out,
            terminal,
            colours,
            bar: None,
            heading_shown: false,
        }
    }

    /// One sentence.
    pub fn say(&mut self, sentence: &str) {
        self.above_the_bar(sentence);
    }

    /// A sentence that should not be overlooked.
    pub fn emphasize(&mut self, sentence: &str) {
        let sentence = self.colours.paint(Some(Tone::Heading), sentence);
        self.above_the_bar(&sentence);
    }

    /// How the run went in the last second.
    pub fn second(&mut self, second: &Second, length_seconds: u64) {
        if !self.heading_shown {
            self.heading_shown = true;
            self.above_the_bar(&heading());
        }
        self.bar = self
            .terminal
            .then(|| bar(second.at_seconds, length_seconds));
        self.above_the_bar(&row(second));
    }

    /// Removes the bar, since nothing more is to come.
    pub fn end(&mut self) {
        if self.bar.take().is_some() {
            self.write("\r\x1b[2K");
        }
    }

    fn above_the_bar(&mut self, line: &str) {
        let text = match &self.bar {
            Some(bar) => format!("\r\x1b[2K{line}\n{bar}"),
            None if self.terminal => format!("\r\x1b[2K{line}\n"),
            None => format!("{line}\n"),
        };
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        // Progress that nobody can read any more must not end the run.
        drop(self.out.write_all(text.as_bytes()));
        drop(self.out.flush());
    }
}

/// Whether a stream that is or is not a terminal shows colours.
pub fn colours(terminal: bool) -> Colours {
    colours_with(terminal, std::env::var_os("NO_COLOR").as_deref())
}

/// As <https://no-color.org> defines, any value that is not empty refuses colours.
fn colours_with(terminal: bool, no_color: Option<&OsStr>) -> Colours {
    if terminal && no_color.is_none_or(OsStr::is_empty) {
        Colours::Shown
    } else {
        Colours::Hidden
    }
}

fn heading() -> String {
    format!(
        "{:>8}  {:>10}  {:>11}  {:>8}  {:>6}  {:>13}  {:>11}",
        "time", "offered /s", "achieved /s", "waiting", "failed", "response p99", "Redis core"
    )
}

fn row(second: &Second) -> String {
    let p99 = second.response_p99.map_or_else(
        || "-".to_owned(),
        |(microseconds, digits)| {
            format!(
                "{} ms",
                figures::bare_milliseconds(figures::rounded(microseconds, digits))
            )
        },
    );
    let redis = second
        .redis_main_thread_per_mille
        .map_or_else(|| "-".to_owned(), figures::percent);
    let remark = if second.warming_up { "  warm-up" } else { "" };
    format!(
        "{:>8}  {:>10}  {:>11}  {:>8}  {:>6}  {p99:>13}  {redis:>11}{remark}",
        format!("{} s", second.at_seconds),
        figures::rate(second.offered_per_second),
        figures::rate(second.achieved_per_second),
        figures::count(second.waiting),
        figures::count(second.failed),
    )
}

fn bar(at_seconds: u64, length_seconds: u64) -> String {
    let length = length_seconds.max(1);
    let full = (at_seconds.min(length) * BAR / length).min(BAR);
    let blocks = |count: u64, block: &str| block.repeat(usize::try_from(count).unwrap_or(0));
    let text = if at_seconds < length {
        format!("{at_seconds} of {length} s")
    } else {
        "draining".to_owned()
    };
    format!("{}{}  {text}", blocks(full, "█"), blocks(BAR - full, "░"))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn shown(terminal: bool) -> String {
        let out = Shared::default();
        let mut display = Display::new(Box::new(out.clone()), terminal, Colours::Hidden);
        display.say("2 of 2 dynos ready");
        for (at_seconds, response_p99) in [(1, None), (5, Some((4_812, 2)))] {
            display.second(
                &Second {
                    at_seconds,
                    warming_up: at_seconds == 1,
                    offered_per_second: 300.0,
                    achieved_per_second: 299.6,
                    failed: 0,
                    waiting: 12,
                    response_p99,
                    redis_main_thread_per_mille: Some(123),
                },
                10,
            );
        }
        display.end();
        let bytes = out.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn colours_are_for_terminals_whose_users_want_them() {
        for (terminal, no_color, expected) in [
            (true, None, Colours::Shown),
            (true, Some(""), Colours::Shown),
            (true, Some("1"), Colours::Hidden),
            (false, None, Colours::Hidden),
        ] {
            let found = colours_with(terminal, no_color.map(OsStr::new));
            assert_eq!(found, expected, "{terminal} {no_color:?}");
        }
    }

    #[test]
    fn plain_lines_hold_no_control_characters() {
        insta::assert_snapshot!(shown(false), @r"
        2 of 2 dynos ready
            time  offered /s  achieved /s   waiting  failed   response p99   Redis core
             1 s         300        299.6        12       0              -         12 %  warm-up
             5 s         300        299.6        12       0         4.8 ms         12 %
        ");
    }

    #[test]
    fn a_terminal_has_a_bar_below_the_lines_that_is_gone_at_the_end() {
        let text = shown(true);
        assert!(text.contains("████████████████████░░░░░░░░░░░░░░░░░░░░  5 of 10 s"));
        assert!(text.ends_with("\r\x1b[2K"));
    }
}
