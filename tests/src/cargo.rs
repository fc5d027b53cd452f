//! cargo, started from within what cargo started.

use std::process::Command;

/// What cargo tells a test or program of the package that it belongs to.
const OF_A_PACKAGE: [&str; 4] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
];

/// cargo as a shell would start it. Build scripts look at the package's variables (ring's does): with those of
/// this one it would be compiled again, with all that needs it, and once more for the next cargo of a shell.
#[must_use]
pub fn command() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let known = name.to_str().is_some_and(|name| {
            name == "OUT_DIR" || OF_A_PACKAGE.iter().any(|begin| name.starts_with(begin))
        });
        if known {
            cargo.env_remove(name);
        }
    }
    cargo
}
