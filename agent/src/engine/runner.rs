//! Where a bound task is carried out: in this process, or elsewhere. The engine only knows the trait.

use super::perform::{Mode, Performed, perform};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Effect, Host, HostView, Outcome, Overlay, Progress, RealHost};
use crate::module::{BoundModule, ModuleDef, Seat};
use crate::value::Map;
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
}

/// Carries modules out on one host, as one user.
pub trait TaskRunner: Send {
    /// Carries one out.
    ///
    /// # Errors
    /// When it could not be carried out, or planning failed; kind `Unreachable` when the host is out
    /// of reach.
    fn run(&mut self, call: &ModuleCall, progress: &dyn Fn(Progress)) -> Result<Performed>;
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
            let mut timed = Timed {
                host: &mut self.real,
                limit: call.timeout,
            };
            return perform(&*module, &mut timed, call.mode, progress);
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
        perform(&*module, overlay, call.mode, progress)
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

/// A host on which no command may take longer than the task's `timeout`.
struct Timed<'a> {
    host: &'a mut RealHost,
    /// Seconds.
    limit: Option<u64>,
}

impl Host for Timed<'_> {
    fn apply(&mut self, effect: &Effect, progress: &dyn Fn(Progress)) -> Result<Outcome> {
        let (Some(limit), Effect::Run { command, then }) = (self.limit, effect) else {
            return self.host.apply(effect, progress);
        };
        let mut command = command.clone();
        let most = Duration::from_secs(limit);
        command.timeout = Some(command.timeout.map_or(most, |own| own.min(most)));
        let then = then.clone();
        match self.host.apply(&Effect::Run { command, then }, progress)? {
            Outcome::Ran(output) if output.timed_out => {
                Err(Error::host(format!("Timed out after {limit} second(s).")))
            }
            outcome => Ok(outcome),
        }
    }
    fn set_environment(&mut self, variables: Vec<(String, String)>) {
        self.host.set_environment(variables);
    }
    fn view(&self) -> &dyn HostView {
        self.host.view()
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
