//! The README's section on fleets, walked as a new user would: every command of it is typed as it is printed,
//! in its order, on machines with nothing but systemd and what the README says to copy there. A command that
//! is printed there and has no step here makes the test fail.

#![allow(clippy::print_stderr)] // a skipped test says why

mod seen;
mod steps;
mod walk;

use lks_tests::readme::Section;
use std::collections::BTreeSet;
use walk::Walk;

#[test]
fn every_command_of_the_section_on_fleets_works_as_printed() {
    let section = Section::named("A fleet, without SSH");
    let mut walk = match Walk::begin() {
        Ok(walk) => walk,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let mut left: Vec<&steps::Step> = steps::STEPS.iter().collect();
    for line in section.commands() {
        let step = left.iter().position(|step| line.starts_with(step.line));
        let step = step.unwrap_or_else(|| panic!("no step of this test types `{line}`"));
        let step = left.remove(step);
        walk.carry_out(step, line)
            .unwrap_or_else(|failure| panic!("`{line}`: {failure}\n{}", walk.state()));
        for command in step.quoted {
            assert!(
                walk.has_typed(command),
                "`{line}` does not type `{command}`"
            );
        }
    }
    let left: Vec<&str> = left.iter().map(|step| step.line).collect();
    assert!(left.is_empty(), "not in the README any more: {left:?}");
}

#[test]
fn every_command_in_the_text_is_walked_or_has_a_reason_not_to_be() {
    let section = Section::named("A fleet, without SSH");
    let printed: BTreeSet<String> = section.quoted(steps::BEGINNINGS).into_iter().collect();
    let typed = steps::STEPS.iter().flat_map(|step| step.quoted);
    let known = typed
        .copied()
        .chain(steps::NOT_TYPED.iter().map(|(words, _)| *words));
    let known: BTreeSet<String> = known.map(ToOwned::to_owned).collect();
    assert_eq!(printed, known);
}
