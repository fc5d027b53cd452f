//! A shell that is typed into, line by line, as at a terminal: what one line exports or leaves running is
//! there for the next.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Attempt, Failure, Result};

/// How long a line may take.
const LIMIT: Duration = Duration::from_secs(90);

/// The shell; it is killed with this value.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    said: Arc<Mutex<Vec<u8>>>,
    /// What was there before the line that was typed last.
    from: usize,
    lines: u32,
}

impl Shell {
    /// Starts `bash` by this command.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(bash: &mut Command) -> Result<Self> {
        let mut child = bash
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .attempt("cannot start a shell")?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(mut output)) = (input, output) else {
            return Err(Failure::new("the shell has no input and output"));
        };
        let said: Arc<Mutex<Vec<u8>>> = Arc::default();
        let keep = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut part) {
                let mut said = keep.lock().unwrap_or_else(PoisonError::into_inner);
                said.extend_from_slice(&part[..count]);
            }
        });
        let mut shell = Self {
            child,
            input,
            said,
            from: 0,
            lines: 0,
        };
        // As at a terminal: jobs can be named, and both streams are one.
        shell.type_line("exec 2>&1; set -m")?;
        Ok(shell)
    }

    /// Types a line, waits until it is over, and gives its exit status and what was printed meanwhile.
    ///
    /// # Errors
    /// When it does not end.
    pub fn type_line(&mut self, line: &str) -> Result<(i32, String)> {
        self.lines += 1;
        let mark = format!("--- line {} ended with ", self.lines);
        self.from = self.all().len();
        writeln!(self.input, "{line}\nprintf '\\n%s%s\\n' '{mark}' $?")?;
        let start = Instant::now();
        loop {
            let said = self.said();
            if let Some((said, end)) = said.split_once(&mark)
                && let Some((status, _)) = end.split_once('\n')
            {
                let status = status.parse().attempt("no status")?;
                return Ok((status, said.strip_suffix('\n').unwrap_or(said).to_owned()));
            }
            self.still_waits(start, line)?;
        }
    }

    /// Types a line that goes on by itself, and waits until it has printed this.
    ///
    /// # Errors
    /// When it does not.
    pub fn type_until(&mut self, line: &str, printed: &str) -> Result<String> {
        self.from = self.all().len();
        writeln!(self.input, "{line}")?;
        self.wait_for(printed)
    }

    /// Waits until this was printed since the last line was typed, and gives all that was.
    ///
    /// # Errors
    /// When it is not.
    pub fn wait_for(&mut self, printed: &str) -> Result<String> {
        let start = Instant::now();
        loop {
            let said = self.said();
            if said.contains(printed) {
                return Ok(said);
            }
            self.still_waits(start, printed)?;
        }
    }

    fn still_waits(&mut self, start: Instant, what: &str) -> Result<()> {
        let ended = self.child.try_wait()?.is_some();
        if ended || start.elapsed() > LIMIT {
            let said = self.said();
            return Err(Failure::new(format!("`{what}` does not come:\n{said}")));
        }
        std::thread::sleep(Duration::from_millis(20));
        Ok(())
    }

    /// What was printed since the last line was typed.
    #[must_use]
    pub fn said(&self) -> String {
        String::from_utf8_lossy(self.all().get(self.from..).unwrap_or_default()).into_owned()
    }

    fn all(&self) -> Vec<u8> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.clone()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_finds_what_the_one_before_left() {
        let mut shell = Shell::start(&mut Command::new("bash")).expect("bash");
        assert_eq!(
            shell.type_line("export A=7; sleep 60 &").expect("ends").0,
            0
        );
        assert_eq!(
            shell
                .type_line("echo $A; echo two >&2; false")
                .expect("ends"),
            (1, "7\ntwo\n".into())
        );
        assert_eq!(shell.type_line("kill %1").expect("ends").0, 0);
        let said = shell.type_until("(sleep 0.1; echo later) &", "later");
        assert!(said.expect("it comes").contains("later"));
    }
}
