//! One row of the module table, and a module bound to its arguments.

use super::{Action, ActionCx, Args, Module, ParamSpec, Params, Plan, PlanCx, Returns, Rule};
use crate::error::Result;
use crate::host::Outcome;
use crate::value::{Map, Value};

/// One row of the module table ([`MODULES`](crate::modules::MODULES)).
pub struct ModuleDef {
    /// Full name, such as `ansible.builtin.copy`.
    pub name: &'static str,
    /// The page: first line a summary, then Markdown with YAML examples.
    pub doc: &'static str,
    /// Adds the parameters' descriptions.
    pub specs: fn(&mut Vec<ParamSpec>),
    /// Rules across parameters.
    pub rules: fn() -> Vec<Rule>,
    /// What the module returns: name and meaning.
    pub returns: &'static [(&'static str, &'static str)],
    /// The parameter that text in the place of a mapping fills (`shell: ls`), if there is one.
    pub free_form: Option<&'static str>,
    /// Whether any parameter name is allowed (`set_fact`).
    pub any_name: bool,
    /// Parameters that name a file of the playbook's side, and the folder it is looked for in;
    /// not if `remote_src` is true.
    pub assets: &'static [(&'static str, &'static str)],
    /// Whether its files are the host's own where `remote_src` says nothing (`assemble`).
    pub from_host: bool,
    /// Where it runs.
    pub seat: Seat,
    /// The file of a module that is no part of lks.
    pub file: Option<&'static std::path::Path>,
}

/// Where a module runs, and how it is bound to arguments.
pub enum Seat {
    /// On the host.
    Host(fn(&Map) -> Result<Bound<dyn BoundModule>>),
    /// At the engine.
    Engine(fn(&Map) -> Result<Bound<dyn BoundAction>>),
}

/// A module whose parameters are checked.
pub type Bound<T> = Box<T>;

/// A host module whose parameters are checked.
pub trait BoundModule: Send {
    /// See [`Module::plan`].
    ///
    /// # Errors
    /// As there.
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan>;
    /// See [`Module::finish`].
    ///
    /// # Errors
    /// As there.
    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()>;
    /// See [`Module::only_reads`].
    fn only_reads(&self) -> bool;
}

impl<M: Module> BoundModule for M {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        Module::plan(self, cx)
    }
    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        Module::finish(self, cx, returns, outcomes)
    }
    fn only_reads(&self) -> bool {
        Module::only_reads(self)
    }
}

/// An action whose parameters are checked.
pub trait BoundAction: Send {
    /// See [`Action::run`].
    ///
    /// # Errors
    /// As there.
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns>;
}

impl<A: Action> BoundAction for A {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        Action::run(self, cx)
    }
}

/// A row for a module that runs on the host.
#[must_use]
pub const fn host_module<M: Module>(name: &'static str) -> ModuleDef {
    ModuleDef {
        name,
        doc: M::DOC,
        specs: M::specs,
        rules: M::rules,
        returns: &[],
        free_form: None,
        any_name: false,
        assets: &[],
        seat: Seat::Host(|args| Ok(Box::new(bind::<M>(args)?))),
        from_host: false,
        file: None,
    }
}

/// A row for a module that runs at the engine.
#[must_use]
pub const fn action<A: Action>(name: &'static str) -> ModuleDef {
    ModuleDef {
        name,
        doc: A::DOC,
        specs: A::specs,
        rules: A::rules,
        returns: &[],
        free_form: None,
        any_name: false,
        assets: &[],
        seat: Seat::Engine(|args| Ok(Box::new(bind::<A>(args)?))),
        from_host: false,
        file: None,
    }
}

fn bind<P: Params>(args: &Map) -> Result<P> {
    P::read(&Args::new(args))
}

impl ModuleDef {
    /// Names the parameter that free-form text fills.
    #[must_use]
    pub const fn free_form(mut self, parameter: &'static str) -> Self {
        self.free_form = Some(parameter);
        self
    }
    /// Allows any parameter name.
    #[must_use]
    pub const fn any_name(mut self) -> Self {
        self.any_name = true;
        self
    }
    /// Names the parameters that are files of the playbook's side.
    #[must_use]
    pub const fn assets(mut self, assets: &'static [(&'static str, &'static str)]) -> Self {
        self.assets = assets;
        self
    }
    /// Its files are the host's own where `remote_src` says nothing.
    #[must_use]
    pub const fn from_host(mut self) -> Self {
        self.from_host = true;
        self
    }
    /// Whether the files that these arguments name are the host's own.
    #[must_use]
    pub fn is_from_host(&self, args: &Map) -> bool {
        match args.get("remote_src") {
            // The old word of `unarchive`, for the opposite.
            None | Some(Value::Null) if args.get("copy").is_some() => {
                !Self::is_true(args.get("copy"))
            }
            None | Some(Value::Null) => self.from_host,
            given => Self::is_true(given),
        }
    }
    fn is_true(given: Option<&Value>) -> bool {
        match given {
            None => false,
            Some(Value::Str(text)) => {
                matches!(
                    text.to_ascii_lowercase().as_str(),
                    "yes" | "true" | "on" | "1" | "y" | "t"
                )
            }
            Some(other) => other.is_truthy(),
        }
    }
    /// Documents the return values.
    #[must_use]
    pub const fn returns(mut self, returns: &'static [(&'static str, &'static str)]) -> Self {
        self.returns = returns;
        self
    }
    /// The parameters' descriptions.
    #[must_use]
    pub fn params(&self) -> Vec<ParamSpec> {
        let mut out = Vec::new();
        (self.specs)(&mut out);
        out
    }
    /// The last part of the name: `copy`. What is in ansible-core's inner collection has none.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        match self.name.rsplit_once('.') {
            Some((collection, name)) if !collection.contains("._") => name,
            _ => self.name,
        }
    }
}
