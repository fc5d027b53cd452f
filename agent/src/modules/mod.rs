//! The modules, one file each.
//!
//! To add one: write `modules/NAME.rs` with `params! { … }` (its doc comment is the page that
//! `lks-ctl doc NAME` shows) and `impl Module` or `impl Action`; add its row to [`MODULES`]; add its
//! cases to the module law (`cases/NAME.yml`, see `law.rs`). A module imports `module`,
//! `host`, `value` and `error`, and never another module: what several need is in `module/`.

mod add_host;
mod apt;
mod apt_repository;
mod assemble;
mod assert;
mod async_status;
mod blockinfile;
mod command;
mod copy;
mod cron;
mod debug;
mod debug_expressions;
pub mod elsewhere;
mod fail;
mod fetch;
mod file;
mod find;
pub mod foreign;
mod gather_facts;
mod get_url;
mod getent;
mod group;
mod group_by;
mod hostname;
pub mod import_role;
pub mod import_tasks;
pub mod include_role;
pub mod include_tasks;
mod include_vars;
#[cfg(test)]
mod law;
mod lineinfile;
mod llm;
pub mod meta;
mod mount;
mod package;
mod pause;
mod ping;
mod pip;
mod raw;
mod replace;
mod script;
mod service;
mod set_fact;
mod set_stats;
mod setup;
mod shell;
mod slurp;
mod stat;
mod sysctl;
mod systemd;
mod tempfile;
mod template;
mod unarchive;
mod uri;
mod user;
mod validate_argument_spec;
mod wait_for;

use crate::module::{ModuleDef, action, host_module};

/// Every module, in the order of their names.
pub static MODULES: &[ModuleDef] = &[
    action::<debug_expressions::DebugExpressions>("ansible._protomatter.debug")
        .returns(debug_expressions::RETURNS),
    action::<add_host::AddHost>("ansible.builtin.add_host")
        .any_name()
        .returns(add_host::RETURNS),
    host_module::<apt::Apt>("ansible.builtin.apt").returns(apt::RETURNS),
    host_module::<apt_repository::AptRepository>("ansible.builtin.apt_repository")
        .returns(apt_repository::RETURNS),
    host_module::<assemble::Assemble>("ansible.builtin.assemble")
        .assets(&[("src", "files")])
        .from_host()
        .returns(assemble::RETURNS),
    action::<assert::Assert>("ansible.builtin.assert").returns(assert::RETURNS),
    host_module::<async_status::AsyncStatus>("ansible.builtin.async_status")
        .returns(async_status::RETURNS),
    host_module::<blockinfile::BlockInFile>("ansible.builtin.blockinfile")
        .returns(blockinfile::RETURNS),
    host_module::<command::Command>("ansible.builtin.command")
        .free_form("_raw_params")
        .returns(command::RETURNS),
    host_module::<copy::Copy>("ansible.builtin.copy")
        .assets(&[("src", "files")])
        .returns(copy::RETURNS),
    host_module::<cron::Cron>("ansible.builtin.cron").returns(cron::RETURNS),
    action::<debug::Debug>("ansible.builtin.debug").returns(debug::RETURNS),
    action::<fail::Fail>("ansible.builtin.fail").returns(fail::RETURNS),
    action::<fetch::Fetch>("ansible.builtin.fetch").returns(fetch::RETURNS),
    host_module::<file::File>("ansible.builtin.file").returns(file::RETURNS),
    host_module::<find::Find>("ansible.builtin.find").returns(find::RETURNS),
    action::<gather_facts::GatherFacts>("ansible.builtin.gather_facts")
        .any_name()
        .returns(gather_facts::RETURNS),
    host_module::<get_url::GetUrl>("ansible.builtin.get_url").returns(get_url::RETURNS),
    host_module::<getent::Getent>("ansible.builtin.getent").returns(getent::RETURNS),
    host_module::<group::Group>("ansible.builtin.group").returns(group::RETURNS),
    action::<group_by::GroupBy>("ansible.builtin.group_by").returns(group_by::RETURNS),
    host_module::<hostname::Hostname>("ansible.builtin.hostname").returns(hostname::RETURNS),
    action::<import_role::ImportRole>("ansible.builtin.import_role"),
    action::<import_tasks::ImportTasks>("ansible.builtin.import_tasks").free_form("_raw_params"),
    action::<include_role::IncludeRole>("ansible.builtin.include_role"),
    action::<include_tasks::IncludeTasks>("ansible.builtin.include_tasks").free_form("_raw_params"),
    action::<include_vars::IncludeVars>("ansible.builtin.include_vars")
        .free_form("_raw_params")
        .returns(include_vars::RETURNS),
    host_module::<lineinfile::LineInFile>("ansible.builtin.lineinfile")
        .returns(lineinfile::RETURNS),
    action::<meta::Meta>("ansible.builtin.meta").free_form("_raw_params"),
    action::<package::Package>("ansible.builtin.package").any_name(),
    action::<pause::Pause>("ansible.builtin.pause").returns(pause::RETURNS),
    host_module::<ping::Ping>("ansible.builtin.ping").returns(ping::RETURNS),
    host_module::<pip::Pip>("ansible.builtin.pip").returns(pip::RETURNS),
    host_module::<raw::Raw>("ansible.builtin.raw")
        .free_form("_raw_params")
        .returns(raw::RETURNS),
    host_module::<replace::Replace>("ansible.builtin.replace").returns(replace::RETURNS),
    action::<script::Script>("ansible.builtin.script")
        .free_form("_raw_params")
        .returns(script::RETURNS),
    host_module::<service::Service>("ansible.builtin.service").returns(service::RETURNS),
    action::<set_fact::SetFact>("ansible.builtin.set_fact")
        .any_name()
        .returns(set_fact::RETURNS),
    action::<set_stats::SetStats>("ansible.builtin.set_stats").returns(set_stats::RETURNS),
    host_module::<setup::Setup>("ansible.builtin.setup").returns(setup::RETURNS),
    host_module::<shell::Shell>("ansible.builtin.shell")
        .free_form("_raw_params")
        .returns(shell::RETURNS),
    host_module::<slurp::Slurp>("ansible.builtin.slurp").returns(slurp::RETURNS),
    host_module::<stat::Stat>("ansible.builtin.stat").returns(stat::RETURNS),
    host_module::<systemd::Systemd>("ansible.builtin.systemd").returns(systemd::RETURNS),
    host_module::<systemd::Systemd>("ansible.builtin.systemd_service").returns(systemd::RETURNS),
    host_module::<tempfile::Tempfile>("ansible.builtin.tempfile").returns(tempfile::RETURNS),
    action::<template::Template>("ansible.builtin.template")
        .assets(&[("src", "templates")])
        .returns(template::RETURNS),
    host_module::<unarchive::Unarchive>("ansible.builtin.unarchive")
        .assets(&[("src", "files")])
        .returns(unarchive::RETURNS),
    host_module::<uri::Uri>("ansible.builtin.uri")
        .assets(&[("src", "files")])
        .returns(uri::RETURNS),
    host_module::<user::User>("ansible.builtin.user").returns(user::RETURNS),
    action::<validate_argument_spec::ValidateArgumentSpec>(
        "ansible.builtin.validate_argument_spec",
    )
    .returns(validate_argument_spec::RETURNS),
    host_module::<wait_for::WaitFor>("ansible.builtin.wait_for").returns(wait_for::RETURNS),
    host_module::<mount::Mount>("ansible.posix.mount").returns(mount::RETURNS),
    host_module::<sysctl::Sysctl>("ansible.posix.sysctl"),
    host_module::<llm::efs_mount::EfsMount>("lks.llm.efs_mount").returns(llm::efs_mount::RETURNS),
    host_module::<llm::gpu::Gpu>("lks.llm.gpu").returns(llm::gpu::RETURNS),
    host_module::<llm::model::Model>("lks.llm.model").returns(llm::model::RETURNS),
    host_module::<llm::preflight::Preflight>("lks.llm.preflight").returns(llm::preflight::RETURNS),
    host_module::<llm::ready::Ready>("lks.llm.ready").returns(llm::ready::RETURNS),
    host_module::<llm::runtime::Server>("lks.llm.runtime").returns(llm::runtime::RETURNS),
    host_module::<llm::target::Target>("lks.llm.target").returns(llm::target::RETURNS),
];

/// Finds a module by its full name, its short name, or `ansible.builtin.`/`ansible.legacy.` before it.
#[must_use]
pub fn find(name: &str) -> Option<&'static ModuleDef> {
    let short = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name);
    if let Some(hidden) = [&foreign::FOREIGN, &foreign::SCRIPT]
        .into_iter()
        .find(|m| m.name == name)
    {
        return Some(hidden);
    }
    MODULES
        .iter()
        .find(|m| m.name == name || (m.short_name() == short && !short.contains('.')))
}

/// Every name by which a module can be called, for "did you mean".
#[must_use]
pub fn names() -> Vec<&'static str> {
    MODULES
        .iter()
        .flat_map(|m| [m.short_name(), m.name])
        .collect()
}
