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
//!
//! ```text
//! STATE/update.json     on probation, or what went wrong, until the controller was told
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

/// How long a new program has until it must have reported, in seconds.
pub const PROBATION: f64 = 60.0;
/// How often it may be started without having reported.
const STARTS: u32 = 3;
/// The flag of `daemon` that only tries.
pub const TRIAL: &str = "--trial";

/// What `update.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Kept {
    /// A new program has not reported yet.
    Probation {
        counter: u64,
        version: String,
        starts: u32,
    },
    /// It did not work out, and the controller does not know yet.
    Failed { counter: u64, text: String },
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
    /// Looks whether this program is on probation; if so, it goes back unless it reports in time.
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
        if let Some(Kept::Probation {
            counter,
            version,
            starts,
        }) = updates.kept()
        {
            if starts >= STARTS {
                let text = format!("{version} was started {starts} times and did not report");
                return Err(go_back(
                    &updates.program,
                    &updates.arguments,
                    state,
                    counter,
                    &text,
                ));
            }
            updates.keep(&Kept::Probation {
                counter,
                version: version.clone(),
                starts: starts + 1,
            })?;
            let (program, arguments, state) = (
                updates.program.clone(),
                updates.arguments.clone(),
                state.to_path_buf(),
            );
            let reported = Arc::clone(&updates.reported);
            here::later(std::time::Duration::from_secs_f64(seconds), move || {
                if !reported.load(Ordering::SeqCst) {
                    let text = format!("{version} did not report within {seconds} seconds");
                    let error = go_back(&program, &arguments, &state, counter, &text);
                    here::print_error(&format!("{error}\n"));
                }
            });
        }
        Ok(updates)
    }

    fn path(&self) -> PathBuf {
        self.state.join("update.json")
    }

    fn kept(&self) -> Option<Kept> {
        let bytes = here::read(&self.path()).ok().flatten()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn keep(&self, kept: &Kept) -> Result<()> {
        keep(&self.state, kept)
    }

    /// What is asked with a question for work.
    pub fn query(&self) -> String {
        format!("machine={}&release={}", std::env::consts::ARCH, self.newest)
    }

    /// The controller answered: who was on probation is trusted, and what went wrong before is told.
    pub fn reported(&self, client: &Client) {
        if self.reported.load(Ordering::SeqCst) {
            return;
        }
        let outcome = match self.kept() {
            None => {
                self.reported.store(true, Ordering::SeqCst);
                return;
            }
            Some(Kept::Probation {
                counter, version, ..
            }) => Outcome {
                counter,
                taken: true,
                text: format!("runs {version} now"),
            },
            Some(Kept::Failed { counter, text }) => Outcome {
                counter,
                taken: false,
                text,
            },
        };
        let told = client.post("/v1/agent/update", &outcome);
        // A controller that refuses to hear of it has answered, too.
        if told.is_ok() {
            self.reported.store(true, Ordering::SeqCst);
            here::remove_file(&self.path());
        }
    }

    /// Whether an answer tells of a release that was not looked at yet.
    pub fn is_news(&self, answer: &super::Answer) -> Option<u64> {
        let counter = answer.header(wire::RELEASE_HEADER)?.parse().ok()?;
        (counter > self.newest).then_some(counter)
    }

    /// Takes a release: returns only if it was not taken.
    pub fn take(&mut self, client: &Client, keys: &Keys, name: &str, counter: u64) {
        let Err(error) = self.try_take(client, keys, name, counter);
        here::print_error(&format!("{error}\n"));
        if self.newest >= counter {
            let kept = Kept::Failed {
                counter,
                text: error.to_string(),
            };
            self.reported
                .store(self.keep(&kept).is_err(), Ordering::SeqCst);
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
        here::print(&format!("trying the agent {}\n", release.version));
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
        self.keep(&Kept::Probation {
            counter,
            version: release.version,
            starts: 0,
        })?;
        here::swap_program(&new, &self.program, &previous)?;
        Err(here::become_program(&self.program, &self.arguments))
    }
}

fn keep(state: &Path, kept: &Kept) -> Result<()> {
    let bytes = serde_json::to_vec(kept)
        .map_err(|e| Error::new(crate::error::ErrorKind::Internal, e.to_string()))?;
    durable::replace(&state.join("update.json"), &bytes, 0o600)
}

/// Puts the previous program back and becomes it; returns only if that fails.
fn go_back(program: &Path, arguments: &[String], state: &Path, counter: u64, why: &str) -> Error {
    let mut previous = program.to_path_buf().into_os_string();
    previous.push(".previous");
    let text = format!("{why}; the previous program is back");
    here::print_error(&format!("{text}\n"));
    let failed = Kept::Failed { counter, text };
    let back =
        keep(state, &failed).and_then(|()| durable::rename_folder(Path::new(&previous), program));
    match back {
        Ok(()) => here::become_program(program, arguments),
        Err(error) => error,
    }
}
