//! What is typed: every line of the section, in its order, and the commands of its text.

use crate::seen::*;
use crate::walk::Walk;
use lks_tests::rig::Result;

/// Where a line is typed.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// At the controller's machine, where the operator sits, too.
    Operator,
    /// At a host, by root.
    Host,
}

/// How a line ends.
#[derive(Clone, Copy, Debug)]
pub enum Ends {
    /// With status 0.
    Well,
    /// Not at all: it works once it has printed this.
    Never(&'static str),
}

/// A line of the README.
pub struct Step {
    /// How it begins.
    pub line: &'static str,
    /// Where it is typed.
    pub at: At,
    /// How it ends.
    pub ends: Ends,
    /// What its reader does by hand, before.
    pub before: fn(&mut Walk) -> Result<()>,
    /// What is to be seen then. Commands of the text that belong there are typed in it, too.
    pub after: fn(&mut Walk, &str) -> Result<()>,
    /// The commands of the text that are typed by `after`, as they are printed.
    pub quoted: &'static [&'static str],
}

/// What commands in the text begin with: `lks-ctl` itself is left out in places.
pub const BEGINNINGS: &[&str] = &[
    "lks-ctl",
    "lks-agent",
    "serve",
    "bootstrap",
    "bundle",
    "run",
    "hosts",
    "runs",
    "events",
    "facts",
    "token",
    "operator",
    "agent",
    "inventory",
    "exec",
    "kill",
    "-e",
];

/// Commands of the text that are not typed here, and why.
pub const NOT_TYPED: &[(&str, &str)] = &[
    (
        "lks-ctl serve",
        "only named there; it is the first line that is typed",
    ),
    (
        "serve --agent lks-agent",
        "tests/tests/launch.rs: an instance has its agent from there",
    ),
    (
        "serve --certificates SECONDS",
        "tests/tests/renewal.rs waits until certificates end",
    ),
];

/// All lines, in the README's order.
pub const STEPS: &[Step] = &[
    step(
        "lks-ctl serve --name ctl.example.org --data ~/lks-data &",
        At::Operator,
        Ends::Never("export "),
        nothing,
        serves,
    ),
    step(
        "export LKS_CONTROLLER=~/lks-data/admin.json",
        At::Operator,
        Ends::Well,
        nothing,
        knows_nobody,
    ),
    step(
        "lks-ctl bundle key > keys",
        At::Operator,
        Ends::Well,
        nothing,
        a_key,
    ),
    step(
        "lks-ctl token new > token",
        At::Operator,
        Ends::Well,
        nothing,
        one_token,
    ),
    step(
        "lks-agent daemon ",
        At::Host,
        Ends::Never("this host is web1"),
        a_host,
        web1_is_in,
    ),
    step(
        "lks-ctl bootstrap --agent lks-agent --agent-url https",
        At::Operator,
        Ends::Well,
        a_download,
        web2_comes,
    ),
    step("kill %1", At::Operator, Ends::Well, nothing, is_over),
    step(
        "lks-ctl serve --name ctl.example.org --data ~/lks-data --allow",
        At::Operator,
        Ends::Never("export "),
        nothing,
        serves,
    ),
    step(
        "lks-ctl bootstrap --agent lks-agent --agent-url s3",
        At::Operator,
        Ends::Well,
        a_bucket,
        no_token,
    ),
    Step {
        quoted: &["bundle assigned"],
        ..step(
            "lks-ctl bundle assign ",
            At::Operator,
            Ends::Well,
            nothing,
            an_instance_runs_it,
        )
    },
    step(
        "lks-ctl run -c agent site.yml ",
        At::Operator,
        Ends::Well,
        nothing,
        web_ran_it,
    ),
    step(
        "lks-ctl hosts ",
        At::Operator,
        Ends::Well,
        nothing,
        three_hosts,
    ),
    step(
        "lks-ctl facts ",
        At::Operator,
        Ends::Well,
        nothing,
        two_with_facts,
    ),
    Step {
        quoted: &["runs RUN"],
        ..step("lks-ctl runs ", At::Operator, Ends::Well, nothing, two_runs)
    },
    step(
        "lks-ctl events RUN --follow",
        At::Operator,
        Ends::Well,
        nothing,
        its_end,
    ),
    step(
        "lks-ctl operator add ",
        At::Operator,
        Ends::Well,
        nothing,
        ada_operates,
    ),
    step(
        "lks-ctl bundle make site.yml ",
        At::Operator,
        Ends::Well,
        nothing,
        is_unsigned,
    ),
    step(
        "lks-ctl bundle sign site.lksb",
        At::Operator,
        Ends::Well,
        nothing,
        is_signed,
    ),
    step(
        "lks-ctl run -c agent site.lksb ",
        At::Operator,
        Ends::Well,
        nothing,
        both_ran_it,
    ),
    Step {
        quoted: &[
            "lks-ctl hosts rotate NAME",
            "hosts revoke NAME",
            "hosts forget NAME",
            "exec lks-ctl hosts --inventory",
            "-e lks_in_flight=rerun",
            "bundle assign --in-flight rerun",
            "lks-ctl doc --list",
            "agent publish",
        ],
        ..step(
            "lks-ctl agent publish lks-agent ",
            At::Operator,
            Ends::Well,
            a_new_version,
            web_has_it,
        )
    },
    step(
        "export LKS_STORE=",
        At::Operator,
        Ends::Well,
        a_database,
        |_, _| Ok(()),
    ),
    step(
        "lks-ctl serve --name ctl.example.org --data ~/lks-data",
        At::Operator,
        Ends::Never("export "),
        nothing,
        in_the_database,
    ),
];

const fn step(
    line: &'static str,
    at: At,
    ends: Ends,
    before: fn(&mut Walk) -> Result<()>,
    after: fn(&mut Walk, &str) -> Result<()>,
) -> Step {
    Step {
        line,
        at,
        ends,
        before,
        after,
        quoted: &[],
    }
}
