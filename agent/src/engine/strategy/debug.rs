//! `debug`: as `linear`, and a task that fails goes to the debugger.

use super::{Strategy, linear};

pub(super) static DEBUG: Strategy = Strategy {
    name: "debug",
    lockstep: true,
    debugs: true,
    drive: linear::drive,
};
