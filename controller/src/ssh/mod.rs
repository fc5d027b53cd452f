//! Hosts over SSH: a connection for each host, the agent brought there once, and one seat on it for
//! each user to work as. The engine sees a [`TaskRunner`]; a task is one question and one answer.
//!
//! `target` merges what is said of a host (`asked`: options by keyword, `config`: `ssh_config`);
//! `session` reaches it, `hostkeys` knows it, `auth` logs in; `exec` is a command there, `deploy` the
//! binary. Everything is blocking; one thread carries the network of all hosts.

mod asked;
mod auth;
mod config;
mod deploy;
mod exec;
mod hostkeys;
mod session;
mod target;

use auth::Keyring;
use deploy::{Binary, Found};
use exec::{Complaint, Exec};
use lks_agent::engine::runner::{ModuleCall, TaskRunner};
use lks_agent::engine::seat::{self, Seat};
use lks_agent::engine::{Connector, LocalConnector, Login, Performed};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::Progress;
use lks_agent::module::shlex;
use lks_agent::secret::Secret;
use session::Session;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use target::{Target, var};
use tokio::runtime;

/// The status of a command that a signal ended.
const KILLED: u32 = 128;
const WAS_KILLED: &str = "its process was killed: is the host out of memory?";

/// What flags and settings say of all connections. Variables of a host go over them.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct SshOptions {
    pub private_key: Option<String>,
    pub password: Option<Secret<String>>,
    /// Seconds that reaching a host may take.
    pub timeout: u64,
    /// How often reaching it is tried again.
    pub retries: u32,
    pub port: Option<u16>,
    /// `ssh_args` of `ansible.cfg`.
    pub args: Option<String>,
    pub common_args: Option<String>,
    pub extra_args: Option<String>,
    pub host_key_checking: bool,
}

impl Default for SshOptions {
    fn default() -> Self {
        Self {
            private_key: None,
            password: None,
            timeout: 10,
            retries: 0,
            port: None,
            args: None,
            common_args: None,
            extra_args: None,
            host_key_checking: true,
        }
    }
}

/// The way to hosts: `ssh`, and this machine.
pub struct SshConnector(Arc<Shared>);

impl SshConnector {
    /// Connects as these options say. Nothing is opened yet.
    #[must_use]
    pub fn new(options: SshOptions) -> Self {
        Self(Arc::new(Shared {
            options,
            keys: Keyring::default(),
            binary: OnceLock::new(),
            network: OnceLock::new(),
            hosts: Mutex::default(),
        }))
    }
}

impl Connector for SshConnector {
    fn connect(&self, host: &str, login: &Login) -> Result<Box<dyn TaskRunner>> {
        if login.connection != "ssh" {
            return LocalConnector.connect(host, login);
        }
        Ok(Box::new(Remote {
            shared: Arc::clone(&self.0),
            host: host.to_string(),
            login: login.clone(),
            seat: None,
        }))
    }
}

/// What all connections share.
struct Shared {
    options: SshOptions,
    keys: Keyring,
    binary: OnceLock<Binary>,
    network: OnceLock<runtime::Handle>,
    hosts: Mutex<HashMap<(String, Login), Arc<Slot>>>,
}

/// A host's connection; the lock is held while it is opened, so that it is opened once.
type Slot = Mutex<Option<Arc<Host>>>;

/// A host on which one is logged in and the binary lies.
struct Host {
    session: Arc<Session>,
    target: Target,
    found: Found,
    /// The seat of the user who logged in, until a runner wants it.
    ready: Mutex<Option<Taken>>,
}

/// A seat, and what its command complains about.
type Taken = (Seat<Exec>, Complaint);

impl Shared {
    /// The host's connection, opened if it is not there. Users to become share it.
    fn host(&self, name: &str, login: &Login) -> Result<Arc<Host>> {
        let key = Login {
            become_user: None,
            become_method: String::new(),
            become_flags: None,
            become_exe: None,
            ..login.clone()
        };
        let slot = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hosts.entry((name.to_string(), key)).or_default())
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = slot.as_ref().filter(|h| !h.session.is_closed()) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(self.open(Target::new(name, login, &self.options)?)?);
        *slot = Some(Arc::clone(&host));
        Ok(host)
    }

    fn open(&self, target: Target) -> Result<Host> {
        let network = self.network()?;
        let session = Arc::new(Session::open(&target, &self.keys, &network)?);
        let binary = self.binary()?;
        let (found, begun) = deploy::look(&session, &target, binary)?;
        let host = Host {
            session,
            target,
            found,
            ready: Mutex::default(),
        };
        let Some(exec) = begun else {
            deploy::bring(&host.session, &host.target, binary, &host.found)?;
            return Ok(host);
        };
        match host.sit(exec, &host.found.path) {
            Ok(seat) => {
                let ready = Mutex::new(Some(seat));
                return Ok(Host { ready, ..host });
            }
            // A power failure, say, may have left a file of the right size and no content.
            Err(error) => {
                if !deploy::repair(&host.session, &host.target, binary, &host.found)? {
                    return Err(error);
                }
            }
        }
        Ok(host)
    }

    fn binary(&self) -> Result<&Binary> {
        if let Some(binary) = self.binary.get() {
            return Ok(binary);
        }
        // Read twice at worst, if two hosts come first together.
        let binary = Binary::find()?;
        Ok(self.binary.get_or_init(|| binary))
    }

    /// The runtime on which the network of all hosts runs, in a thread that lives as long as lks.
    fn network(&self) -> Result<runtime::Handle> {
        if let Some(handle) = self.network.get() {
            return Ok(handle.clone());
        }
        let failed = |e| Error::host("cannot start the thread of the network").caused_by(e);
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("ssh".into())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))
            .map_err(failed)?;
        Ok(self.network.get_or_init(|| handle).clone())
    }
}

impl Host {
    /// A seat as the user who logged in, or as the one to become.
    fn seat(&self, login: &Login) -> Result<Taken> {
        let path = &self.found.path;
        let user = login.become_user.as_deref();
        let Some(user) = user.filter(|user| *user != self.found.user) else {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(seat) = ready.take() {
                return Ok(seat);
            }
            let argv = [path.clone(), seat::COMMAND.to_string()];
            return self.start(&shlex::join(&argv), path, |_| Ok(()));
        };
        if user == "root" {
            return self.become_user(user, login, path);
        }
        // Homes are closed to others; root alone can enter them all.
        let (path, folder) = deploy::copy_for_others(&self.session, &self.target, path)?;
        let seat = self.become_user(user, login, &path);
        // A program that runs needs its file no more.
        deploy::remove_copy(&self.session, &folder);
        seat
    }

    fn become_user(&self, user: &str, login: &Login, path: &str) -> Result<Taken> {
        let mark = "[lks asks for the password]";
        let argv = seat::argv(user, login, path, self.found.is_root, mark)?;
        let (name, method) = (&self.target.name, &login.become_method);
        let is_su = method.rsplit('.').next() == Some("su");
        // `su` asks in the words of the host's language, and complains by its name.
        let su_asks = |said: &str| said.ends_with(':') && !said.ends_with("su:");
        let asks = |said: &str| said.contains(mark) || (is_su && su_asks(said));
        let password = var(login, &["ansible_become_password", "ansible_become_pass"]);
        self.start(&shlex::join(&argv), path, |exec| {
            let user_here = &self.found.user;
            exec.begin(&asks, password).map_err(|e| {
                e.context(format!("{name}: cannot become {user} with {method}"))
                    .hint(format!("may {user_here} become {user} there?"))
                    .hint("give a password with -K, or in ansible_become_password")
            })
        })
    }

    fn start(
        &self,
        command: &str,
        path: &str,
        begin: impl FnOnce(&mut Exec) -> Result<()>,
    ) -> Result<Taken> {
        let no_exec = |e| {
            self.target
                .unreachable("it starts no commands")
                .caused_by(e)
        };
        let mut exec = self.session.exec(command).map_err(no_exec)?;
        begin(&mut exec)?;
        self.sit(exec, path)
    }

    /// Waits until a command is a seat; `path` is the program that it runs.
    fn sit(&self, exec: Exec, path: &str) -> Result<Taken> {
        let complaint = exec.complaint();
        let seat = Seat::open(exec, format!("lks on {}", self.target.name));
        match seat {
            Ok(seat) => Ok((seat, complaint)),
            Err(error) => Err(self.not_started(error, &complaint, path)),
        }
    }

    /// Why a seat did not come up, as far as its status and its words say.
    fn not_started(&self, error: Error, complaint: &Complaint, path: &str) -> Error {
        let error = match complaint.text() {
            said if said.is_empty() => error,
            said => self
                .target
                .unreachable(format!("{}; it said: {said}", error.message())),
        };
        match complaint.status() {
            Some(126) => error.hint(format!(
                "{path} may not be executed: is that file system mounted noexec, or forbids a policy \
                 (SELinux, AppArmor, fapolicyd) it?"
            )),
            Some(KILLED) => error.hint(WAS_KILLED),
            _ => error,
        }
    }
}

/// A host's seat, opened when the first task comes: hosts are reached side by side.
struct Remote {
    shared: Arc<Shared>,
    host: String,
    login: Login,
    seat: Option<Taken>,
}

impl TaskRunner for Remote {
    fn run(&mut self, call: &ModuleCall, progress: &dyn Fn(Progress)) -> Result<Performed> {
        let (seat, complaint) = match &mut self.seat {
            Some(open) => open,
            none => {
                let host = self.shared.host(&self.host, &self.login)?;
                none.insert(host.seat(&self.login)?)
            }
        };
        let done = seat.run(call, progress);
        match done {
            Err(error) if error.kind() == ErrorKind::Unreachable => {
                let said = complaint.text();
                let error = match complaint.status() {
                    Some(KILLED) => error.hint(WAS_KILLED),
                    _ => error,
                };
                // A host that is tried again gets a new seat.
                self.seat = None;
                Err(match said.as_str() {
                    "" => error,
                    said => error.hint(format!("the last that it said: {said}")),
                })
            }
            done => done,
        }
    }
}
