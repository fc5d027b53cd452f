//! Where a bound task is carried out: in this process, or elsewhere. The engine only knows the trait.

use super::perform::{Mode, Performed, perform};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Effect, Host, HostView, Outcome, Overlay, Progress, RealHost};
use crate::module::{BoundModule, ModuleDef, Returns, Seat};
use crate::value::{Key, Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// One module to carry out, its arguments evaluated.
#[derive(Clone)]
pub struct ModuleCall {
    /// The module.
    pub module: &'static ModuleDef,
    /// Its arguments.
    pub args: Map,
    /// Check and diff.
    pub mode: Mode,
    /// `environment:`.
    pub environment: Vec<(String, String)>,
    /// The playbook says that it changes nothing (`changed_when: false`): in check mode it is
    /// carried out for real if it is known only to read.
    pub probe: bool,
    /// Time it may take, in seconds.
    pub timeout: Option<u64>,
    /// It works on in the background (`async`).
    pub background: Option<Background>,
}

/// How a module is carried out in the background.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Background {
    /// Seconds after which it is ended; 0 is never.
    pub limit: u64,
    /// The folder of job files on the host; `~` is the user's home.
    pub dir: String,
}

/// Carries modules out on one host, as one user.
pub trait TaskRunner: Send {
    /// Carries one out.
    ///
    /// # Errors
    /// When it could not be carried out, or planning failed; kind `Unreachable` when the host is out
    /// of reach.
    fn run(&mut self, call: &ModuleCall, progress: &dyn Fn(Progress)) -> Result<Performed>;

    /// The command that it was started with, for those who look for a fault.
    fn command(&self) -> Option<&str> {
        None
    }
}

/// Carries modules out in this process.
pub struct LocalRunner {
    real: RealHost,
    overlay: Option<Overlay>,
}

impl LocalRunner {
    /// For the machine itself.
    #[must_use]
    pub fn new() -> Self {
        Self::on(RealHost::new())
    }

    /// For a host of this kind.
    #[must_use]
    pub fn on(real: RealHost) -> Self {
        Self {
            real,
            overlay: None,
        }
    }
}

impl Default for LocalRunner {
    fn default() -> Self {
        Self::new()
    }
}

impl TaskRunner for LocalRunner {
    fn run(&mut self, call: &ModuleCall, progress: &dyn Fn(Progress)) -> Result<Performed> {
        let module = bind(call)?;
        self.real.set_environment(call.environment.clone());
        if !call.mode.check {
            if let Some(background) = &call.background {
                return super::background::start(call, background, &self.real);
            }
            self.real
                .set_deadline(call.timeout.map(Duration::from_secs));
            let done = perform(&*module, &mut self.real, call.mode, progress);
            return match call.timeout {
                Some(limit) if self.real.is_late() => Ok(timed_out(limit)),
                _ => done,
            };
        }
        let real = &self.real;
        let overlay = self
            .overlay
            .get_or_insert_with(|| Overlay::over(Arc::new(real.clone()) as Arc<dyn HostView>));
        overlay.set_environment(call.environment.clone());
        if call.probe && module.only_reads() {
            let mut probing = Probing(overlay);
            return perform(&*module, &mut probing, call.mode, progress);
        }
        let done = perform(&*module, overlay, call.mode, progress)?;
        match &call.background {
            Some(background) => super::background::remember(done, background, overlay),
            None => Ok(done),
        }
    }
}

/// The result of a task that took longer than its `timeout`, as Ansible gives it.
#[must_use]
pub fn timed_out(limit: u64) -> Performed {
    let timedout: Map = [
        (
            Key::from("frame"),
            Value::from("The task was ended while it worked on its host."),
        ),
        (
            Key::from("period"),
            Value::Int(limit.try_into().unwrap_or(i64::MAX)),
        ),
    ]
    .into_iter()
    .collect();
    let mut returns = Returns::failure(format!("Task failed: Timed out after {limit} second(s)."));
    returns.set("timedout", Value::map(timedout));
    Performed {
        returns,
        ..Performed::default()
    }
}

/// Binds a call to its module.
///
/// # Errors
/// When the arguments are wrong, or the module is none for a host.
pub fn bind(call: &ModuleCall) -> Result<Box<dyn BoundModule>> {
    match call.module.seat {
        Seat::Host(bind) => bind(&call.args),
        Seat::Engine(_) => Err(Error::new(
            ErrorKind::Internal,
            format!("{} does not run on a host", call.module.name),
        )),
    }
}

/// An overlay on which commands are really run: they are known only to read.
struct Probing<'a>(&'a mut Overlay);

impl Host for Probing<'_> {
    fn apply(&mut self, effect: &Effect, progress: &dyn Fn(Progress)) -> Result<Outcome> {
        match effect {
            Effect::Run { command, .. } => self.0.probe(command).map(Outcome::Ran),
            other => self.0.apply(other, progress),
        }
    }
    fn set_environment(&mut self, variables: Vec<(String, String)>) {
        self.0.set_environment(variables);
    }
    fn view(&self) -> &dyn HostView {
        self.0.view()
    }
}
