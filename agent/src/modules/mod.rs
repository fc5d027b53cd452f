//! The modules, one file each.
//!
//! To add one: write `modules/NAME.rs` with `params! { … }` (its doc comment is the page that
//! `lks-ctl doc NAME` shows) and `impl Module` or `impl Action`; add its row to [`MODULES`]; add its
//! cases to the module law (`tests/law.rs` beside the module's own tests). A module imports `module`,
//! `host`, `value` and `error`, and never another module: what several need is in `module/`.

use crate::module::{ModuleDef, host_module};

mod apt;
mod command;
mod group;
mod hostname;
mod mount;
mod service;
mod setup;
mod shell;
mod sysctl;
mod systemd;
mod user;
mod wait_for;

/// Every module, in the order of their names.
pub static MODULES: &[ModuleDef] = &[
    host_module::<apt::Apt>("ansible.builtin.apt").returns(apt::RETURNS),
    host_module::<command::Command>("ansible.builtin.command")
        .free_form("_raw_params")
        .returns(command::RETURNS),
    host_module::<group::Group>("ansible.builtin.group").returns(group::RETURNS),
    host_module::<hostname::Hostname>("ansible.builtin.hostname").returns(hostname::RETURNS),
    host_module::<service::Service>("ansible.builtin.service").returns(service::RETURNS),
    host_module::<setup::Setup>("ansible.builtin.setup").returns(setup::RETURNS),
    host_module::<shell::Shell>("ansible.builtin.shell")
        .free_form("_raw_params")
        .returns(shell::RETURNS),
    host_module::<systemd::Systemd>("ansible.builtin.systemd").returns(systemd::RETURNS),
    host_module::<systemd::Systemd>("ansible.builtin.systemd_service").returns(systemd::RETURNS),
    host_module::<user::User>("ansible.builtin.user").returns(user::RETURNS),
    host_module::<wait_for::WaitFor>("ansible.builtin.wait_for").returns(wait_for::RETURNS),
    host_module::<mount::Mount>("ansible.posix.mount").returns(mount::RETURNS),
    host_module::<sysctl::Sysctl>("ansible.posix.sysctl"),
];

/// Finds a module by its full name, its short name, or `ansible.builtin.`/`ansible.legacy.` before it.
#[must_use]
pub fn find(name: &str) -> Option<&'static ModuleDef> {
    let short = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name);
    MODULES
        .iter()
        .find(|m| m.name == name || (m.short_name() == short && !short.contains('.')))
}
