//! Where lines go: colours, banners, and the block of live lines at the bottom of a terminal.

use super::HumanOptions;
use crate::view::text::columns;
use std::io::Write;

/// Ansible's colours, by what they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::view) enum Colour {
    Plain,
    Ok,
    Changed,
    Skip,
    Failed,
    Unreachable,
    Included,
    Warning,
    Deprecated,
    Verbose,
    Debug,
}

impl Colour {
    /// The parameter of the terminal's colour sequence.
    fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::Plain => return None,
            Self::Ok => "0;32",
            Self::Changed => "0;33",
            Self::Skip | Self::Included => "0;36",
            Self::Failed => "0;31",
            Self::Unreachable => "1;31",
            Self::Warning => "1;35",
            Self::Deprecated => "0;35",
            Self::Verbose => "0;34",
            Self::Debug => "1;30",
        })
    }
}

/// Two streams that may end at the same terminal: what was written first is seen first.
pub(in crate::view) struct Screen<W, E> {
    out: W,
    err: E,
    /// Not yet written text for `out`: one write for each event.
    pending: String,
    colour: bool,
    tty: bool,
    /// Where the stars of a banner end.
    width: usize,
    /// Lines of the live block that are on the terminal now.
    drawn: usize,
    drawn_at: u64,
}

impl<W: Write, E: Write> Screen<W, E> {
    pub(super) fn new(out: W, err: E, options: &HumanOptions) -> Self {
        Self {
            out,
            err,
            pending: String::new(),
            colour: options.colour,
            tty: options.tty,
            width: options.width.saturating_sub(1).max(79),
            drawn: 0,
            drawn_at: 0,
        }
    }

    pub(super) fn into_inner(mut self) -> (W, E) {
        self.erase();
        self.flush();
        (self.out, self.err)
    }

    /// Text in a colour, line by line, if colours are on.
    pub(super) fn paint(&self, colour: Colour, text: &str) -> String {
        match colour.code() {
            Some(code) if self.colour => {
                let line = |line: &str| format!("\x1b[{code}m{line}\x1b[0m");
                text.split('\n').map(line).collect::<Vec<_>>().join("\n")
            }
            _ => text.to_string(),
        }
    }

    /// A line with its end, in a colour.
    pub(super) fn paint_line(&self, colour: Colour, line: &str) -> String {
        let (text, end) = match line.strip_suffix('\n') {
            Some(text) => (text, "\n"),
            None => (line, ""),
        };
        self.paint(colour, text) + end
    }

    /// Lines on standard output.
    pub(in crate::view) fn out(&mut self, colour: Colour, text: &str) {
        let text = self.paint(colour, &clean(text, self.tty));
        self.raw(&text);
    }

    /// Lines on standard output that have their colours already.
    pub(super) fn raw(&mut self, text: &str) {
        self.erase();
        self.pending.push_str(text);
        self.pending.push('\n');
    }

    /// Lines on standard error.
    pub(super) fn err(&mut self, colour: Colour, text: &str) {
        self.erase();
        self.flush();
        let text = self.paint(colour, &clean(text, self.tty));
        // Nobody can be told when standard error is gone.
        let _ = self.err.write_all(format!("{text}\n").as_bytes());
        let _ = self.err.flush();
    }

    /// An empty line, then a line filled up with stars.
    pub(super) fn banner(&mut self, text: &str) {
        let text = clean(text.trim(), self.tty);
        let stars = self.width.saturating_sub(columns(&text)).max(3);
        self.raw(&format!("\n{text} {}", "*".repeat(stars)));
    }

    /// Whether the live block is on the terminal or was until something was printed over it.
    pub(super) fn is_drawn(&self) -> bool {
        self.drawn_at > 0
    }

    /// Puts the live block at the bottom, in the place of the one that is there. News that come
    /// faster than a person reads are left out.
    pub(super) fn draw(&mut self, lines: Vec<String>, now: u64) {
        if lines.is_empty() {
            self.erase();
            self.drawn_at = 0;
            return;
        }
        if self.drawn > 0 && now.saturating_sub(self.drawn_at) < 100 {
            return;
        }
        self.erase();
        let text = self.paint(Colour::Verbose, &lines.join("\n"));
        self.pending.push_str(&text);
        self.drawn = lines.len();
        self.drawn_at = now.max(1);
    }

    fn erase(&mut self) {
        for n in 0..self.drawn {
            let up = if n > 0 { "\x1b[1A" } else { "" };
            self.pending.push_str(up);
            self.pending.push_str("\r\x1b[2K");
        }
        self.drawn = 0;
    }

    /// Writes what is pending.
    pub(super) fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        // A reader that went away (`| head`) must not stop the run.
        let _ = self.out.write_all(self.pending.as_bytes());
        let _ = self.out.flush();
        self.pending.clear();
    }
}

/// Text as it may be written: Windows line ends become plain ones; on a terminal, control
/// characters that a host answered are made harmless.
pub(super) fn clean(text: &str, tty: bool) -> String {
    let text = text.replace("\r\n", "\n");
    if !tty {
        return text;
    }
    let harmless = |c: char| match c {
        '\n' | '\t' => c,
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(harmless).collect()
}
