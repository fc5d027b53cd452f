//! `pause`.

use crate::error::Result;
use crate::module::clock::timestamp;
use crate::module::{Action, ActionCx, Returns, Rule};
use crate::params;

params! {
    /// Waits for a while, or for an answer from the terminal.
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
        let mut answer = String::new();
        if let Some(seconds) = self.duration() {
            cx.say(&format!("Pausing for {seconds} seconds{hidden}"));
            if let Some(prompt) = &self.prompt {
                cx.say(&format!("{prompt}{hidden}:"));
            }
            cx.sleep(seconds);
        } else {
            let prompt = self
                .prompt
                .as_deref()
                .unwrap_or("Press enter to continue, Ctrl+C to interrupt");
            match cx.ask(&format!("{prompt}{hidden}:"), self.echo, None)? {
                Some(line) => answer = line,
                None => returns.warnings.push(
                    "Not waiting for response to prompt as stdin is not interactive".to_owned(),
                ),
            }
        }
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
