//! The commands that programs start for themselves: seats of other users, tasks in the background.

use super::app::{Args, Command};
use super::exit;
use crate::host::here;

/// The hidden command that carries modules out for another lks process (see `engine/seat`).
pub const SEAT: Command = Command {
    name: crate::engine::seat::COMMAND,
    called_as: None,
    summary: "Carry modules out for another lks process (internal)",
    details: "",
    args: Args::NONE,
    flags: &[],
    body: |_, _| {
        crate::engine::seat::serve(here::stdin(), here::stdout())?;
        Ok(exit::OK)
    },
};

/// The hidden command that carries a module out in the background (see `engine/background`).
pub const JOB: Command = Command {
    name: crate::engine::background::COMMAND,
    called_as: None,
    summary: "Carry a module out in the background (internal)",
    details: "",
    args: Args::NONE,
    flags: &[],
    body: |_, _| {
        crate::engine::background::serve(here::stdin())?;
        Ok(exit::OK)
    },
};
