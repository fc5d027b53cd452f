//! `pause`.

use crate::error::{Error, Result};
use crate::host::Paused;
use crate::module::clock::timestamp;
use crate::module::{Action, ActionCx, Returns, Rule};
use crate::params;

params! {
    /// Waits for a while, or for an answer from the terminal.
    ///
    /// On a terminal, Ctrl-C asks what to do: `C` goes on at once, `A` ends the play for the host. Where
    /// there is none, a question is skipped with a warning, and a time is waited for.
    ///
    /// ```yaml
    /// - pause:
    ///     seconds: 30
    ///
    /// - pause:
    ///     prompt: Take the host out of the load balancer, then press Enter
    /// ```
    pub struct Pause {
        /// Minutes to wait.
        optional minutes: Option<f64>,
        /// Seconds to wait.
        optional seconds: Option<f64>,
        /// What to ask.
        optional prompt: Option<String>,
        /// Whether the answer shows while it is typed.
        default(true) echo: bool,
    }
    rules [Rule::Exclusive(&["minutes", "seconds"])]
}

/// What the keys do while time passes.
const KEYS: &str = "(ctrl+C then 'C' = continue early, ctrl+C then 'A' = abort)\n";

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("stdout", "How long it lasted, in words."),
    ("stderr", "Nothing."),
    ("rc", "0."),
    ("start", "When it began."),
    ("stop", "When it ended."),
    ("delta", "Seconds that it lasted."),
    ("echo", "Whether the answer was shown."),
    ("user_input", "What was typed."),
];

impl Action for Pause {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let mut returns = Returns::default();
        let hidden = if self.echo { "" } else { " (output is hidden)" };
        let start = cx.now();
        let seconds = self.duration();
        if let Some(seconds) = seconds {
            cx.say(&format!("Pausing for {seconds} seconds{hidden}"));
        }
        let question = self.question().map(|q| format!("{q}{hidden}:"));
        // Shown once the keys mean this.
        let keys = seconds.map_or("", |_| KEYS).to_owned();
        let shown = keys + question.as_deref().unwrap_or_default();
        let answer = match cx.pause(&shown, self.echo, seconds)? {
            Some(Paused::Answer(line)) => line,
            Some(Paused::TimeUp | Paused::Continued) => String::new(),
            Some(Paused::Aborted) => return Err(Error::host("user requested abort!")),
            None => {
                self.without_terminal(cx, seconds, question, &mut returns);
                String::new()
            }
        };
        let stop = cx.now();
        let lasted = (stop - start).max(0.0);
        let rounded = |number: f64| (number * 100.0).round() / 100.0;
        let said = match self.seconds {
            Some(_) => format!("Paused for {} seconds", python_float(rounded(lasted))),
            None => format!(
                "Paused for {} minutes",
                python_float(rounded(lasted / 60.0))
            ),
        };
        returns
            .set("rc", 0)
            .set("stdout", said)
            .set("stderr", "")
            .set("start", timestamp(start))
            .set("stop", timestamp(stop))
            .set("delta", lasted as i64)
            .set("echo", self.echo)
            .set("user_input", answer);
        Ok(returns)
    }
}

impl Pause {
    /// What is asked. A mere wait asks nothing but says what the keys do.
    fn question(&self) -> Option<&str> {
        match (&self.prompt, self.duration()) {
            (Some(prompt), _) => Some(prompt),
            (None, None) => Some("Press enter to continue, Ctrl+C to interrupt"),
            (None, Some(_)) => None,
        }
    }

    /// Nobody can answer: the time is waited for, and a question is skipped.
    fn without_terminal(
        &self,
        cx: &mut dyn ActionCx,
        seconds: Option<f64>,
        question: Option<String>,
        returns: &mut Returns,
    ) {
        if let Some(question) = question {
            cx.say(&question);
        }
        match seconds {
            Some(seconds) => cx.sleep(seconds),
            None => returns
                .warnings
                .push("Not waiting for response to prompt as stdin is not interactive".to_owned()),
        }
    }

    /// Whole seconds, at least one, as Ansible counts.
    fn duration(&self) -> Option<f64> {
        let seconds = match (self.minutes, self.seconds) {
            (Some(minutes), _) => minutes.trunc() * 60.0,
            (None, Some(seconds)) => seconds.trunc(),
            (None, None) => return None,
        };
        Some(seconds.max(1.0))
    }
}

/// `3.0` and not `3`.
fn python_float(number: f64) -> String {
    if number.fract() == 0.0 {
        format!("{number:.1}")
    } else {
        number.to_string()
    }
}
