//! Says what the rig does, and how long it took.

use std::time::Instant;

use super::Result;

/// Prints a line of the rig's own.
#[allow(clippy::print_stdout)] // this is where the rig talks to the human who started it
pub fn say(text: impl std::fmt::Display) {
    println!("{text}");
}

/// Runs one stage and prints its name with its seconds, or with its failure.
pub fn stage<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(format_args!("-- {name} ..."));
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    match &result {
        Ok(_) => say(format_args!("ok {name}: {seconds:.1} s")),
        Err(_) => say(format_args!("FAILED {name}: after {seconds:.1} s")),
    }
    result
}
