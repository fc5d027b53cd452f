//! The contract of modules: parameters, plan, changes, results. A module is its parameter struct
//! ([`params!`](crate::params)) plus `impl Module` (it compares a host with the wanted state) or
//! `impl Action` (it needs variables and templates, such as `debug`).

mod action;
pub mod apt;
pub mod argspec;
pub mod attrs;
pub mod clock;
pub mod command;
pub mod content;
mod def;
pub mod entry;
pub mod fstab;
pub mod glob;
pub mod http;
pub mod llm;
mod mode;
pub mod multipart;
pub mod names;
mod param;
mod plan;
pub mod reads;
pub mod shlex;
pub mod source;
pub mod systemd;
pub mod text;
pub mod time;

pub use action::{Action, ActionCx, engine_only};
pub use attrs::FileAttrs;
pub use def::{Bound, BoundAction, BoundModule, ModuleDef, Seat, action, host_module};
pub use mode::Mode;
pub use param::{Args, HostPath, Param, ParamSpec, Params, Rule, about, choose, plain_name};
pub use plan::{Change, Diff, Module, Plan, PlanCx, Returns};
