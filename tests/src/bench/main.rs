//! Compares lks with its peers and with a plain shell script, in one run.
//!
//! - [`shapes`]: what is run; one row per shape, its text in `tests/bench`.
//! - [`tools`]: who runs it; [`peers`] installs them.
//! - [`measure`]: one run, in a process of its own: wall time, CPU time and memory of the tree.
//! - [`proof`]: what must be there afterwards. A run whose effects are missing fails the benchmark:
//!   a tool that skips work is not fast.
//! - [`models`]: a benchmark of its own, of `lks.llm.model` (`bench model`).
//! - [`ssh`]: another, of twenty hosts over SSH (`bench ssh`).
//! - [`series`]: rounds of runs; [`goals`], [`table`] and [`report`]: what is said of them.

mod goals;
mod measure;
mod models;
mod options;
mod peers;
mod proof;
mod report;
mod series;
mod shapes;
mod ssh;
mod table;
mod tools;
mod words;
mod work;

use std::process::ExitCode;

use lks_tests::rig::stage::say;
use lks_tests::rig::{Attempt, Result, ensure};

use options::{Mode, Options};
use report::Machine;
use series::Series;
use work::Work;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.split_first() {
        Some((first, rest)) if first == measure::COMMAND => measure::inside(rest),
        Some((first, rest)) if first == "model" => {
            models::Options::parse(rest).and_then(|o| match o {
                Some(options) => models::run(&options),
                None => {
                    say(models::USAGE);
                    Ok(())
                }
            })
        }
        Some((first, rest)) if first == "ssh" => ssh::Options::parse(rest).and_then(|o| match o {
            Some(options) => ssh::run(&options),
            None => {
                say(ssh::USAGE);
                Ok(())
            }
        }),
        _ => Options::parse(&words).and_then(|mode| match mode {
            Mode::Run(options) => run(&options),
            Mode::Help => {
                say(options::USAGE);
                Ok(())
            }
        }),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format_args!("bench: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let tools = tools::ready(options)?;
    let shapes: Vec<_> = shapes::ALL
        .iter()
        .filter(|shape| options.wants(shape.id))
        .collect();
    ensure(!shapes.is_empty(), "no shape has such a name")?;
    let work = Work::create()?;
    let mut machine = Machine::look();
    say(machine.describe());
    say(table::head());
    let mut all = Vec::new();
    for shape in shapes {
        let series = series::of(shape, &tools, &work, options)?;
        say(table::rows(&series));
        all.extend(series);
    }
    machine.look_again();
    say(table::legend(&tools));
    say(machine.describe_load());
    if let Some(file) = &options.json {
        let text = report::json(&all, &tools, &machine);
        std::fs::write(file, text).attempt(format_args!("cannot write {}", file.display()))?;
    }
    verdict(&all)
}

/// Fails if a tool did, with all that it said.
fn verdict(all: &[Series]) -> Result<()> {
    let failed = all.iter().filter_map(|series| {
        let failure = series.failure.as_ref()?;
        Some(format!("{}, {}: {failure}", series.id(), series.tool.id()))
    });
    let failed: Vec<String> = failed.collect();
    ensure(failed.is_empty(), failed.join("\n"))
}
