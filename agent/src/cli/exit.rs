//! Exit codes, as Ansible's (`ansible.errors.ExitCode`), because scripts ask for them.
//!
//! | code | when |
//! |---|---|
//! | 0 | everything went well |
//! | 1 | it could not run: no such playbook, no host matched `--limit` |
//! | 2 | a host failed; also: the command line is wrong, as `argparse` has it |
//! | 4 | a host was unreachable (also when others failed); also: a playbook cannot be read |
//! | 5 | options contradict each other or have impossible values |
//! | 130 | Ctrl-C (Ansible says 99; shells and CI know 130) |
//! | 250 | a mistake of ours |

use crate::error::ErrorKind;

/// Everything went well.
pub const OK: i32 = 0;
/// It could not run.
pub const ERROR: i32 = 1;
/// A host failed.
pub const HOST_FAILED: i32 = 2;
/// The command line is wrong.
pub const USAGE: i32 = 2;
/// A host was unreachable.
pub const HOST_UNREACHABLE: i32 = 4;
/// A playbook, inventory or variable file cannot be read.
pub const SYNTAX: i32 = 4;
/// Options have impossible values.
pub const OPTIONS: i32 = 5;
/// Ctrl-C.
pub const INTERRUPTED: i32 = 130;
/// A mistake of ours.
pub const BUG: i32 = 250;

/// The code for an error that ended the program before or beside a run.
#[must_use]
pub fn of_error(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::Usage => USAGE,
        ErrorKind::Syntax | ErrorKind::Params => SYNTAX,
        ErrorKind::Internal => BUG,
        ErrorKind::Unreachable => HOST_UNREACHABLE,
        ErrorKind::Template | ErrorKind::Undefined | ErrorKind::Host | ErrorKind::Unknown => ERROR,
    }
}

/// The code after a run: unreachable hosts weigh more than failed ones, and the two are not added.
#[must_use]
pub fn of_run(any_failed: bool, any_unreachable: bool) -> i32 {
    match (any_unreachable, any_failed) {
        (true, _) => HOST_UNREACHABLE,
        (false, true) => HOST_FAILED,
        (false, false) => OK,
    }
}
