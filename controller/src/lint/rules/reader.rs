//! What reading and the check before a run find: a run would be refused, or says it itself.

use crate::lint::Check::Reader;

rules! {
    /// A file, a play or a task cannot be read as what it should be.
    ///
    /// YAML errors, wrong types of keywords, tasks without a module: what `lks-ctl run` refuses.
    UNREADABLE "unreadable" Error on => Reader(&[]);

    /// No module has this name.
    ///
    /// Neither lks nor a collection that Ansible users know has it: it is a slip.
    UNKNOWN_MODULE "unknown-module" Error on => Reader(&[
        "no module is called", "no module or keyword is called", "this task has no module",
    ]);

    /// No play, role, block or task has this keyword.
    UNKNOWN_KEYWORD "unknown-keyword" Error on => Reader(&["is no keyword of a"]);

    /// A module has no such parameter, or not this value, or lacks one that it needs.
    PARAMETERS "parameters" Error on => Reader(&[
        "has no parameter", "takes no free text", "which is missing", "which are missing",
        "is not one of", "must be one of", "are mutually exclusive", "one of the following",
    ]);

    /// `notify` names a handler that is not there.
    ///
    /// No handler of the play or its roles has this name or listens to it, and none is included later:
    /// the run would fail at the moment when something changed.
    UNKNOWN_HANDLER "unknown-handler" Error on => Reader(&["no handler is called or listens to"]);

    /// A template or condition cannot be compiled, or uses a filter, test or lookup that nobody has.
    TEMPLATE "template" Error on => Reader(&[
        "there is no filter", "there is no test", "there is no lookup", "there is no loop",
        "template", "syntax error",
    ]);

    /// A file, role or playbook that is named is not there.
    MISSING_FILE "missing-file" Error on => Reader(&["was not found", "does not exist"]);

    /// It is understood, and deserves a look.
    ///
    /// Warnings that a run would print, too: doubled keys, files that only a condition keeps from being
    /// missed, mistakes in tasks whose failure is handled.
    LOOK_AGAIN "look-again" Warning on => Reader(&["\u{0}"]);

    /// A module, filter, test or lookup of a collection that lks does not have.
    ///
    /// The playbook is right, and can be listed and linted; `lks-ctl run` refuses it before anything
    /// runs. `lks-ctl doc --list` prints what there is.
    NOT_AVAILABLE "not-available" Note on => Reader(&["\u{0}"]);
}
