//! The agent as a service: it enrols, waits for work, runs it, and reports; whenever it is killed, it
//! goes on. There is no way to shut it down other than to kill it.
//!
//! ```text
//! STATE/identity.json       name, key, certificate
//! STATE/counters.json       the newest bundle seen of each name
//! STATE/bundles/ID/         unpacked bundles
//! STATE/runs/RUN/           work.json, bundle, log (events and ends of tasks), delivered
//! ```

use super::client::Client;
use super::deliver::{Delivery, Runs, deliver};
use super::identity::Identity;
use super::join::{self, Join};
use super::notice::{Notices, PrepareLocal};
use super::spool::{BOUND, Bell, RunLog};
use super::standing::Standing;
use super::update::Updates;
use super::wire::{self, NO_BUNDLE, Work};
use crate::bundle::{self, Counters, Index, Keys};
use crate::engine::Emitter;
use crate::engine::job::Job;
use crate::engine::journal::OnInterrupt;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{self, EventKind, Level};
use crate::facts::{self, Subset};
use crate::host::here::{self, durable};
use crate::host::{Digest, RealHost, digest_of};
use crate::pattern::wildcard;
use crate::value::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the service is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The controller's address.
    pub controller: String,
    /// The SHA-256 of its authority's certificate.
    pub pin: String,
    /// The name that this host wants; without one it is the instance's id where AWS lets it in, and else
    /// its name in the network.
    pub name: Option<String>,
    /// How it is let in.
    pub join: Join,
    /// Where a join token lies; it is used once and then removed.
    pub token_file: Option<PathBuf>,
    /// Where the public keys lie that sign bundles.
    pub bundle_keys: PathBuf,
    /// Where it keeps what it knows.
    pub state: PathBuf,
    /// How long a new program has until it must have reported, in seconds.
    pub probation: f64,
    /// The version of the protocol that it says it speaks, if not its own.
    pub wire: Option<String>,
    /// A playbook of this host that is run when EC2 gives notice that the instance will be taken.
    pub notice: Option<PathBuf>,
}

/// Makes a job of an unpacked bundle: the command line knows the flags.
pub type Prepare = fn(&Index, &Path, &str) -> Result<Job>;

/// The service.
pub struct Daemon {
    settings: Settings,
    prepare: Prepare,
    prepare_local: PrepareLocal,
    keys: Keys,
    standing: Arc<Standing>,
    updates: Updates,
    bell: Arc<Bell>,
    runs: Arc<Runs>,
    _lock: durable::FolderLock,
}

impl Daemon {
    /// Reads what is kept, and enrols if this host has not yet; tries until the controller answers.
    ///
    /// # Errors
    /// When settings are wrong, or the controller refuses.
    pub fn start(
        settings: Settings,
        prepare: Prepare,
        prepare_local: PrepareLocal,
    ) -> Result<Self> {
        here::make_dir(&settings.state, 0o700)?;
        let lock = durable::lock_folder(&settings.state)?;
        let keys = here::read_text(&settings.bundle_keys)?.ok_or_else(|| {
            Error::host(format!("{} does not exist", settings.bundle_keys.display()))
                .hint("it holds the public keys that sign bundles: `lks-ctl bundle key`")
        })?;
        let keys = Keys::read(&keys)?;
        let updates = Updates::start(&settings.state, settings.probation)?;
        let identity = enrolled(&settings)?;
        here::print(&format!("this host is {}", identity.name));
        Ok(Self {
            standing: Arc::new(Standing::new(&settings, identity)),
            settings,
            prepare,
            prepare_local,
            keys,
            updates,
            bell: Arc::default(),
            runs: Arc::default(),
            _lock: lock,
        })
    }

    /// Asks the controller for work as the enrolled host, once: whether this program can.
    ///
    /// # Errors
    /// When the host is not enrolled, or the controller does not answer as it should.
    pub fn try_out(settings: &Settings) -> Result<()> {
        let identity = Identity::load(&settings.state)?
            .filter(|i| i.certificate.is_some())
            .ok_or_else(|| Error::host("this host is not enrolled"))?;
        let client = Standing::new(settings, identity).client()?.client;
        client.get("/v1/agent/work?wait=0")?.body().map(drop)
    }

    /// Works until it is killed.
    ///
    /// # Errors
    /// When it cannot begin.
    pub fn work(&mut self) -> Result<()> {
        let (runs, bell, standing) = (
            Arc::clone(&self.runs),
            Arc::clone(&self.bell),
            Arc::clone(&self.standing),
        );
        let spoken = standing.client()?;
        std::thread::Builder::new()
            .name("deliver".into())
            .spawn(move || deliver(&standing, spoken, &runs, &bell))
            .map_err(|e| Error::host("cannot start a thread").caused_by(e))?;
        let kept = self.kept()?;
        self.look_for_notices()?;
        let mut spoken = self.standing.client()?;
        // Before a run goes on that may take longer than a new program has.
        self.updates.reported(&spoken.client);
        for work in kept {
            self.carry_out(&work);
        }
        let mut pause = 0.0;
        self.tell_facts(&spoken.client);
        loop {
            let turn = self.standing.refresh(&mut spoken);
            match turn.and_then(|()| self.next(&spoken.client)) {
                Ok(Some(work)) => {
                    pause = 0.0;
                    self.carry_out(&work);
                    self.tell_facts(&spoken.client);
                }
                Ok(None) => pause = 0.0,
                Err(error) => {
                    if pause == 0.0 {
                        here::print_error(&format!("no work: {error}"));
                    }
                    pause = f64::clamp(pause * 2.0, 0.5, 30.0);
                    // Not all hosts at once, when a controller comes back.
                    let dice = here::random_bytes(1).map_or(0, |b| b[0]);
                    here::sleep(pause * (0.75 + f64::from(dice) / 512.0));
                }
            }
        }
    }

    /// Tells what this host is, for the controller's list. Nothing waits for it, and nothing fails by it.
    fn tell_facts(&self, client: &Client) {
        // Not its environment, and not what others put into /etc/ansible/facts.d: secrets may be there.
        let asked = ["all", "!env", "!local", "lks.gpu"].map(String::from);
        let facts =
            Subset::parse(&asked).and_then(|subset| facts::gather(&RealHost::new(), &subset));
        if let Ok(facts) = facts {
            let _ = client.post("/v1/agent/facts", &Value::map(facts));
        }
    }

    /// In a thread of its own: a run that is under way must not keep the host in service.
    fn look_for_notices(&self) -> Result<()> {
        let Some(playbook) = self.settings.notice.clone() else {
            return Ok(());
        };
        let notices = Notices {
            name: self.standing.name().to_string(),
            state: self.settings.state.clone(),
            playbook,
            prepare: self.prepare_local,
            bell: Arc::clone(&self.bell),
            runs: Arc::clone(&self.runs),
        };
        std::thread::Builder::new()
            .name("notices".into())
            .spawn(move || notices.watch())
            .map_err(|e| Error::host("cannot start a thread").caused_by(e))?;
        Ok(())
    }

    fn run_dir(&self, run: &str) -> PathBuf {
        self.settings.state.join("runs").join(run)
    }

    /// Runs that were begun before this process.
    fn kept(&self) -> Result<Vec<Work>> {
        let dir = self.settings.state.join("runs");
        let mut names = here::list(&dir).unwrap_or_default();
        names.sort();
        let mut out = Vec::new();
        for name in names {
            if name.ends_with(".done") || name.ends_with(".part") {
                here::remove_folder(&dir.join(&name));
                continue;
            }
            let path = dir.join(&name).join("work.json");
            match here::read(&path)? {
                Some(bytes) => out.push(serde_json::from_slice(&bytes).map_err(|e| {
                    Error::host(format!("{} cannot be read", path.display())).caused_by(e)
                })?),
                None => here::remove_folder(&dir.join(&name)),
            }
        }
        Ok(out)
    }

    /// Waits for work. It is on this host's disk, with its bundle, when this returns.
    fn next(&mut self, client: &Client) -> Result<Option<Work>> {
        let question = format!(
            "/v1/agent/work?wait={}&{}",
            wire::MAX_WAIT,
            self.updates.query()
        );
        let answer = client.get(&question)?;
        answer.body()?;
        self.updates.reported(client);
        if answer.header(wire::RENEW_HEADER).is_some() {
            self.standing.renew(client)?;
            return Ok(None);
        }
        if let Some(counter) = self.updates.is_news(&answer) {
            self.updates
                .take(client, &self.keys, self.standing.name(), counter);
            return Ok(None);
        }
        if answer.status == 204 {
            return Ok(None);
        }
        let work: Work = answer.json()?;
        // No dot: names with one are this program's own (`RUN.part`, `RUN.done`).
        if !wire::is_name(&work.run) || work.run.contains('.') || !is_digest(&work.bundle) {
            return Err(Error::host("the controller sent work that is none"));
        }
        let dir = self.run_dir(&work.run);
        if here::is_dir(&dir) || self.runs.is_over(&work.run) {
            // It is over here, and its last events are on their way.
            self.bell.ring();
            here::sleep(0.5);
            return Ok(None);
        }
        let bytes = client.get(&format!("/v1/agent/bundles/{}", work.bundle))?;
        let bytes = bytes.body()?;
        let staging = dir.with_extension("part");
        here::remove_folder(&staging);
        here::make_dir(&staging, 0o700)?;
        durable::replace(&staging.join("bundle"), bytes, 0o600)?;
        let json = serde_json::to_vec(&work)
            .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        durable::replace(&staging.join("work.json"), &json, 0o600)?;
        durable::rename_folder(&staging, &dir)?;
        Ok(Some(work))
    }

    /// Carries a run out, or the rest of it. What goes wrong is reported as the end of the run.
    fn carry_out(&self, work: &Work) {
        let dir = self.run_dir(&work.run);
        let path = dir.join("log");
        let opened = |policy| RunLog::open(&path, Arc::clone(&self.bell), BOUND, policy);
        let bundle = self.believed(work, &dir);
        let policy = bundle
            .as_ref()
            .map_or(OnInterrupt::Stop, |(index, _)| index.entry.in_flight);
        let log = match opened(policy) {
            Ok(log) => Arc::new(log),
            Err(error) => {
                // Nothing may be run of which it is not known whether it ran.
                here::print_error(&format!("run {} is left as it is: {error}", work.run));
                return;
            }
        };
        let delivery = Delivery {
            dir,
            log: Arc::clone(&log),
        };
        self.runs.add(&work.run, Arc::new(delivery));
        self.bell.ring();
        if log.finished() {
            return;
        }
        let status = match bundle {
            Ok((index, root)) => self.execute(work, &index, &root, &log),
            Err(error) => refuse(&work.run, &log, &[format!("{error}")]),
        };
        here::print(&format!("run {} ended with status {status}", work.run));
        self.bell.ring();
    }

    /// The bundle of a run, verified again at every start: what lies on a disk is no more to be believed
    /// than what comes over a network.
    fn believed(&self, work: &Work, dir: &Path) -> Result<(Index, PathBuf)> {
        if work.bundle == NO_BUNDLE {
            return Err(Error::host(
                "the agent was ended while it carried out a playbook of this host",
            ));
        }
        let bytes = here::read(&dir.join("bundle"))?.unwrap_or_default();
        if digest_of(&bytes, Digest::Sha256) != work.bundle {
            return Err(Error::host("the bundle is not the one that was announced"));
        }
        let begun = here::exists(&dir.join("accepted"));
        // A run that was accepted goes on, also when its bundle expired or was replaced meanwhile.
        let now = if begun { 0 } else { here::now() as u64 };
        let verified = bundle::verify(&bytes, &self.keys, now)?;
        let name = self.standing.name();
        let hosts = &verified.index.entry.hosts;
        if !hosts.iter().any(|pattern| wildcard(pattern, name)) {
            return Err(Error::host(format!(
                "the bundle is for {}, not for {name}",
                hosts.join(", ")
            )));
        }
        if !begun {
            Counters::open(&self.settings.state.join("counters.json"))?.accept(&verified)?;
            durable::replace(&dir.join("accepted"), verified.id.as_bytes(), 0o600)?;
        }
        let root = bundle::unpack(&verified, &self.settings.state.join("bundles"))?;
        Ok((verified.index, root))
    }

    fn execute(&self, work: &Work, index: &Index, root: &Path, log: &Arc<RunLog>) -> i32 {
        let job = match (self.prepare)(index, root, self.standing.name()) {
            Ok(job) => job,
            Err(error) => return refuse(&work.run, log, &[error.to_string()]),
        };
        let check = job.options.check;
        let sink: Arc<dyn event::Sink> = Arc::clone(log) as Arc<dyn event::Sink>;
        match job.prepare(&work.run, sink) {
            Err(findings) => {
                let errors = findings.errors;
                let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                refuse(&work.run, log, &texts)
            }
            Ok((run, _)) => {
                run.cx.emit.go_on_after(log.numbers());
                // A check remembers in memory what tasks would have done: it begins again, which changes nothing.
                if !check {
                    let kept = Arc::clone(log) as Arc<dyn crate::engine::journal::Journal>;
                    // It is empty: the run was just made.
                    let _ = run.cx.journal.set(kept);
                }
                run.execute()
            }
        }
    }
}

/// Reports a run that could not begin.
pub(super) fn refuse(run: &str, log: &Arc<RunLog>, why: &[String]) -> i32 {
    let emit = Emitter::new(run, Arc::clone(log) as Arc<dyn event::Sink>);
    emit.go_on_after(log.numbers());
    emit.run(EventKind::RunStarted {
        version: event::VERSION,
        playbooks: Vec::new(),
        check: false,
        diff: false,
    });
    for text in why {
        emit.run(EventKind::Notice {
            level: Level::Error,
            text: text.clone(),
        });
    }
    let status = crate::engine::run::status::ERROR;
    emit.run(EventKind::RunFinished {
        stats: Vec::new(),
        status,
    });
    status
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The identity of this host; enrols it first if need be.
fn enrolled(settings: &Settings) -> Result<Identity> {
    let host = RealHost::new();
    let way = settings.join.method(&host, settings.token_file.is_some());
    let mut kept = Identity::load(&settings.state)?;
    if let Some(identity) = kept.as_ref().filter(|i| i.certificate.is_some()) {
        let token = settings.token_file.as_ref().filter(|p| here::exists(p));
        let asks = token.is_some() || way.is_aws();
        match asks.then(|| esteem(settings, identity)) {
            // Somebody brought a token to a host that the controller does not take any more, or the
            // operator had it forgotten, and AWS's word lets it in again.
            Some(Esteem::Forgotten) => kept = None,
            Some(Esteem::Refused) if token.is_some() => kept = None,
            known => {
                // A token that is not needed is not left lying about.
                if let (Some(path), Some(Esteem::Taken)) = (token, known) {
                    here::remove_file(path);
                }
                return Ok(identity.clone());
            }
        }
        here::print_error(
            "the controller does not take this host's certificate any more: it enrols anew",
        );
    }
    let mut pause = 0.5;
    let mut wait = |error: Error| {
        here::print_error(&format!("not enrolled yet: {error}"));
        here::sleep(pause);
        pause = f64::min(pause * 2.0, 30.0);
    };
    let mut identity = match kept {
        Some(identity) => identity,
        None => loop {
            match join::name(settings.name.as_deref(), &way, &host) {
                Ok(name) => break Identity::new(&name)?,
                Err(error) if error.kind() == ErrorKind::Unreachable => wait(error),
                Err(error) => return Err(error),
            }
        },
    };
    identity.save(&settings.state)?;
    let ticket = way.ticket(settings.token_file.as_deref(), &host)?;
    let client = Client::new(&settings.controller, &settings.pin, None)?;
    loop {
        match identity.enrol(&client, &ticket, &settings.state) {
            Ok(()) => break,
            Err(error) if error.kind() == ErrorKind::Unreachable => wait(error),
            Err(error) => return Err(error),
        }
    }
    if let Some(path) = &settings.token_file {
        here::remove_file(path);
    }
    Ok(identity)
}

/// What the controller thinks of an identity.
enum Esteem {
    Taken,
    /// The host was revoked, or its certificate is over.
    Refused,
    /// No host is known by this certificate.
    Forgotten,
    /// It does not answer.
    Unsaid,
}

fn esteem(settings: &Settings, identity: &Identity) -> Esteem {
    let spoken = Standing::new(settings, identity.clone()).client();
    let asked = spoken.and_then(|s| s.client.get("/v1/agent/work?wait=0"));
    match asked.map(|answer| answer.status) {
        Ok(200..=299) => Esteem::Taken,
        Ok(403) => Esteem::Refused,
        Ok(410) => Esteem::Forgotten,
        _ => Esteem::Unsaid,
    }
}
