//! Strategies: in which order the hosts of a batch take their steps.
//!
//! How to add one: a file beside this one with a [`Strategy`] row, and its name in [`STRATEGIES`].
//! A strategy asks the batch which steps hosts must take, has tasks run, and hands their ends back;
//! what a task means for a host (variables, handlers, failures) is the batch's own work.

mod debug;
mod free;
mod linear;

use super::play::Batch;
use crate::error::{Error, ErrorKind, Result};

/// One strategy.
pub struct Strategy {
    /// Its name in `strategy:`.
    pub name: &'static str,
    /// Whether hosts wait for each other after every task.
    pub lockstep: bool,
    /// Whether every task that fails goes to the debugger.
    pub debugs: bool,
    /// Drives a batch through the play.
    pub(super) drive: fn(&mut Batch<'_>),
}

/// All of them.
pub static STRATEGIES: &[&Strategy] = &[
    &linear::LINEAR,
    &free::FREE,
    &free::HOST_PINNED,
    &debug::DEBUG,
];

/// The strategy of this name, alone or after `ansible.builtin.`.
///
/// # Errors
/// When there is none.
pub fn find(name: &str) -> Result<&'static Strategy> {
    let short = ["ansible.builtin.", "ansible.legacy."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    STRATEGIES
        .iter()
        .copied()
        .find(|s| s.name == short)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Syntax,
                format!("Invalid play strategy specified: {name}"),
            )
            .did_you_mean(name, STRATEGIES.iter().map(|s| s.name))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_found_by_short_and_full_name() {
        for name in ["linear", "free", "ansible.builtin.host_pinned", "debug"] {
            assert!(name.ends_with(find(name).expect("a strategy").name));
        }
        let error = find("fre").err().expect("no such strategy").to_string();
        assert!(
            error.contains("Invalid play strategy specified: fre"),
            "{error}"
        );
        assert!(error.contains("free"), "{error}");
    }
}
