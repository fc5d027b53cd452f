//! Access and modification times of `file`.

use super::{File, State};
use crate::error::{Error, Result};
use crate::host::{Command, HostView};

/// Wanted times; nothing where they are left as they are.
#[derive(Clone, Copy, Default)]
pub(super) struct Times {
    pub mtime: Option<f64>,
    pub atime: Option<f64>,
}

impl File {
    /// The times that are wanted.
    pub(super) fn times(&self, host: &dyn HostView, state: State) -> Result<Times> {
        let default = if state == State::Touch {
            "now"
        } else {
            "preserve"
        };
        let read = |given: &Option<String>, format: &str| -> Result<Option<f64>> {
            match given.as_deref().unwrap_or(default) {
                "preserve" => Ok(None),
                "now" => Ok(Some(host.now())),
                text => time(host, text, format).map(Some),
            }
        };
        Ok(Times {
            mtime: read(&self.modification_time, &self.modification_time_format)?,
            atime: read(&self.access_time, &self.access_time_format)?,
        })
    }
}

/// A time as `strptime` reads it, in the host's own time zone (which `date` knows).
fn time(host: &dyn HostView, text: &str, format: &str) -> Result<f64> {
    let wrong = || {
        Error::params(format!(
            "Error while obtaining timestamp for time {text} using format {format}: \
             time data '{text}' does not match format '{format}'"
        ))
    };
    let written = crate::module::text::calendar(text, format).ok_or_else(wrong)?;
    let output = host.query(&Command::new(["date", "-d", written.as_str(), "+%s"]))?;
    output.out().trim().parse().map_err(|_| wrong())
}
