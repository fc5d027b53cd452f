//! The agent replaces itself by a release that an operator signed, and goes back if that does not work.
//!
//! 1. The release is believed as a bundle is: signature, digest, a counter that only grows. It is tried
//!    once, whatever becomes of it.
//! 2. It is written beside the program, and *tried*: the new program, as a process of its own, must ask the
//!    controller for work as this host within a minute, and end.
//! 3. It takes the program's name by a rename, and this process becomes it (the same process id: systemd
//!    sees no restart). The old one stays beside it as `.previous`.
//! 4. The new program is on probation until its first answer from the controller. If none comes in time,
//!    or it is started a fourth time without one, it puts the old one back and becomes that.
//! 5. Then it settles: once it has run for five minutes on end, the update is over. If it is started a sixth
//!    time before that, it has ended five times (systemd starts it again whenever it crashes), and the old one
//!    is put back, too. A program that crashes before it comes to count its starts is not helped by this.
//!
//! ```text
//! STATE/update.json     on probation, settling, or what went wrong, until the controller was told
//! ```

use super::client::Client;
use super::wire::{self, Outcome};
use crate::bundle::{Counters, Keys, Release};
use crate::error::{Error, Result};
use crate::host::here::{self, durable};
use crate::host::{Digest, digest_of};
use crate::pattern::wildcard;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a new program has until it must have reported, in seconds.
pub const PROBATION: f64 = 60.0;
/// How often it may be started without having reported.
const STARTS: u32 = 3;
/// How long a program that reported must run on end to be kept for good, in times of its probation.
const SETTLED: f64 = 5.0;
/// How often it may be started before it has.
const UNSETTLED: u32 = 5;
/// The flag of `daemon` that only tries.
pub const TRIAL: &str = "--trial";

/// What `update.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Kept {
    /// A new program has not reported yet.
    Probation(Tried),
    /// It reported, and has not run for long yet.
    Settling(Tried),
    /// It did not work out, and the controller does not know yet.
    Failed { counter: u64, text: String },
}

/// A release whose program is in its place.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tried {
    counter: u64,
    version: String,
    starts: u32,
}

/// A release that does not work out: its counter, and why.
type GoesBack = (u64, String);

impl Kept {
    /// What is kept from a start of the program on.
    fn started(self) -> std::result::Result<Self, GoesBack> {
        match self {
            Self::Probation(tried) => tried
                .again(STARTS, |n| {
                    format!("was started {n} times and did not report")
                })
                .map(Self::Probation),
            Self::Settling(tried) => tried
                .again(UNSETTLED, |n| {
                    format!("ended {n} times soon after its start")
                })
                .map(Self::Settling),
            failed @ Self::Failed { .. } => Ok(failed),
        }
    }
}

impl Tried {
    /// One start more, if there were not `most` already.
    fn again(self, most: u32, what: impl Fn(u32) -> String) -> std::result::Result<Self, GoesBack> {
        if self.starts >= most {
            return Err((self.counter, format!("{} {}", self.version, what(most))));
        }
        let starts = self.starts + 1;
        Ok(Self { starts, ..self })
    }
}

/// Version and the beginning of the digest of this program, for the controller's list of hosts.
pub(super) fn describe() -> String {
    let digest = here::program()
        .and_then(|path| here::read(&path).ok().flatten())
        .map(|bytes| digest_of(&bytes, Digest::Sha256)[..12].to_string());
    format!(
        "{} {}",
        env!("CARGO_PKG_VERSION"),
        digest.unwrap_or_default()
    )
}

/// Where this program lies, how it was called, and what is known of updates.
pub(super) struct Updates {
    program: PathBuf,
    arguments: Vec<String>,
    state: PathBuf,
    seconds: f64,
    /// The counter of the newest release that was looked at.
    newest: u64,
    reported: Arc<AtomicBool>,
}

impl Updates {
    /// Looks whether this program is on probation; if so, it goes back unless it reports in time, or if it
    /// was started too often.
    ///
    /// # Errors
    /// When what is kept cannot be read, or written.
    pub fn start(state: &Path, seconds: f64) -> Result<Self> {
        let program =
            here::program().ok_or_else(|| Error::host("this program does not know its path"))?;
        let updates = Self {
            program,
            arguments: here::arguments().into_iter().skip(1).collect(),
            state: state.to_path_buf(),
            seconds,
            newest: Counters::open(&state.join("counters.json"))?.release(),
            reported: Arc::default(),
        };
        let Some(kept) = kept(state) else {
            return Ok(updates);
        };
        let now = kept.started().map_err(|(counter, text)| {
            go_back(&updates.program, &updates.arguments, state, counter, &text)
        })?;
        keep(state, &now)?;
        match now {
            Kept::Probation(tried) => updates.go_back_unless_reported(tried),
            Kept::Settling(tried) => updates.settle_in_time(tried.counter),
            Kept::Failed { .. } => {}
        }
        Ok(updates)
    }

    fn go_back_unless_reported(&self, tried: Tried) {
        let (program, arguments) = (self.program.clone(), self.arguments.clone());
        let (state, reported) = (self.state.clone(), Arc::clone(&self.reported));
        let seconds = self.seconds;
        here::later(Duration::from_secs_f64(seconds), move || {
            if !reported.load(Ordering::SeqCst) {
                let text = format!("{} did not report within {seconds} seconds", tried.version);
                let error = go_back(&program, &arguments, &state, tried.counter, &text);
                here::print_error(&format!("{error}"));
            }
        });
    }

    /// Lets the update be over when this process has run for long enough.
    fn settle_in_time(&self, counter: u64) {
        let state = self.state.clone();
        let long = Duration::from_secs_f64(self.seconds * SETTLED);
        here::later(long, move || {
            // Another release may have been taken meanwhile.
            if matches!(kept(&state), Some(Kept::Settling(tried)) if tried.counter == counter) {
                here::remove_file(&path(&state));
            }
        });
    }

    /// What is asked with a question for work.
    pub fn query(&self) -> String {
        format!("machine={}&release={}", std::env::consts::ARCH, self.newest)
    }

    /// The controller answered: who was on probation settles now, and what went wrong before is told.
    pub fn reported(&self, client: &Client) {
        if self.reported.load(Ordering::SeqCst) {
            return;
        }
        let kept = kept(&self.state);
        let outcome = match &kept {
            None | Some(Kept::Settling(_)) => {
                self.reported.store(true, Ordering::SeqCst);
                return;
            }
            Some(Kept::Probation(tried)) => Outcome {
                counter: tried.counter,
                taken: true,
                text: format!("runs {} now", tried.version),
            },
            Some(Kept::Failed { counter, text }) => Outcome {
                counter: *counter,
                taken: false,
                text: text.clone(),
            },
        };
        let told = client.post("/v1/agent/update", &outcome);
        // A controller that refuses to hear of it has answered, too.
        if told.is_err() {
            return;
        }
        self.reported.store(true, Ordering::SeqCst);
        if let Some(Kept::Probation(tried)) = kept {
            let counter = tried.counter;
            let settling = Kept::Settling(Tried { starts: 1, ..tried });
            if keep(&self.state, &settling).is_ok() {
                return self.settle_in_time(counter);
            }
        }
        here::remove_file(&path(&self.state));
    }

    /// Whether an answer tells of a release that was not looked at yet.
    pub fn is_news(&self, answer: &super::Answer) -> Option<u64> {
        let counter = answer.header(wire::RELEASE_HEADER)?.parse().ok()?;
        (counter > self.newest).then_some(counter)
    }

    /// Takes a release: returns only if it was not taken.
    pub fn take(&mut self, client: &Client, keys: &Keys, name: &str, counter: u64) {
        let Err(error) = self.try_take(client, keys, name, counter);
        here::print_error(&format!("{error}"));
        if self.newest >= counter {
            let kept = Kept::Failed {
                counter,
                text: error.to_string(),
            };
            self.reported
                .store(keep(&self.state, &kept).is_err(), Ordering::SeqCst);
            self.reported(client);
        } else {
            // Nothing was learnt of it (a busy controller): not all hosts ask again at once.
            let dice = here::random_bytes(1).map_or(0, |b| b[0]);
            here::sleep(1.0 + f64::from(dice) / 25.0);
        }
    }

    fn try_take(
        &mut self,
        client: &Client,
        keys: &Keys,
        name: &str,
        counter: u64,
    ) -> Result<std::convert::Infallible> {
        let answer = client.get(&format!("/v1/agent/releases/{counter}"))?;
        let bytes = answer.body()?;
        let counters = self.state.join("counters.json");
        // From here on the release is known: it is not asked for again, whatever it is.
        self.newest = counter;
        let (release, signed, program) = Release::read(bytes)?;
        signed.by(keys)?;
        if release.counter != counter || release.machine != std::env::consts::ARCH {
            return Err(Error::host(format!(
                "it is release {} for {}",
                release.counter, release.machine
            )));
        }
        if !release.hosts.iter().any(|pattern| wildcard(pattern, name)) {
            return Err(Error::host(format!(
                "the release is for {}",
                release.hosts.join(", ")
            )));
        }
        Counters::open(&counters)?.accept_release(counter, &release.sha256)?;
        let beside = |suffix: &str| {
            let mut path = self.program.clone().into_os_string();
            path.push(suffix);
            PathBuf::from(path)
        };
        let (new, previous) = (beside(".next"), beside(".previous"));
        here::print(&format!("trying the agent {}", release.version));
        let tried = durable::replace(&new, program, 0o755).and_then(|()| {
            let mut arguments = self.arguments.clone();
            arguments.push(TRIAL.into());
            here::try_program(
                &new,
                &arguments,
                &self.state.join("trial.log"),
                self.seconds,
            )
        });
        if let Err(error) = tried {
            here::remove_file(&new);
            return Err(Error::host(format!(
                "the agent {} is not taken: {error}",
                release.version
            )));
        }
        let tried = Tried {
            counter,
            version: release.version,
            starts: 0,
        };
        keep(&self.state, &Kept::Probation(tried))?;
        here::swap_program(&new, &self.program, &previous)?;
        Err(here::become_program(&self.program, &self.arguments))
    }
}

fn path(state: &Path) -> PathBuf {
    state.join("update.json")
}

fn kept(state: &Path) -> Option<Kept> {
    let bytes = here::read(&path(state)).ok().flatten()?;
    serde_json::from_slice(&bytes).ok()
}

fn keep(state: &Path, kept: &Kept) -> Result<()> {
    let bytes = serde_json::to_vec(kept)
        .map_err(|e| Error::new(crate::error::ErrorKind::Internal, e.to_string()))?;
    durable::replace(&path(state), &bytes, 0o600)
}

/// Puts the previous program back and becomes it; returns only if that fails.
fn go_back(program: &Path, arguments: &[String], state: &Path, counter: u64, why: &str) -> Error {
    let mut previous = program.to_path_buf().into_os_string();
    previous.push(".previous");
    let text = format!("{why}; the previous program is back");
    here::print_error(&text);
    let failed = Kept::Failed { counter, text };
    let back =
        keep(state, &failed).and_then(|()| durable::rename_folder(Path::new(&previous), program));
    match back {
        Ok(()) => here::become_program(program, arguments),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a program may be started from here on before it goes back, and why it does.
    fn starts(mut kept: Kept) -> (u32, String) {
        for n in 0.. {
            match kept.started() {
                Ok(next) => kept = next,
                Err((7, why)) => return (n, why),
                Err((other, _)) => panic!("release {other} is another one"),
            }
        }
        unreachable!()
    }

    #[test]
    fn who_is_started_too_often_goes_back() {
        let tried = |starts| Tried {
            counter: 7,
            version: "1.2".into(),
            starts,
        };
        assert_eq!(
            starts(Kept::Probation(tried(0))),
            (3, "1.2 was started 3 times and did not report".to_owned())
        );
        // The start in which it reported is one of five.
        assert_eq!(
            starts(Kept::Settling(tried(1))),
            (4, "1.2 ended 5 times soon after its start".to_owned())
        );
    }

    #[test]
    fn what_went_wrong_is_kept_over_any_number_of_starts() {
        let mut kept = Kept::Failed {
            counter: 7,
            text: "no luck".into(),
        };
        for _ in 0..20 {
            kept = kept.started().expect("it stays");
        }
        assert!(matches!(kept, Kept::Failed { counter: 7, .. }));
    }
}
