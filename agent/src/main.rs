//! lks-agent
use lks_agent::cli::execute::{Request, execute};
use lks_agent::engine::LocalConnector;
use std::sync::Arc;
fn main() {
    let mut args = lks_agent::host::here::arguments().into_iter().skip(1);
    if args.next().as_deref() == Some("seat") {
        lks_agent::engine::seat::serve(std::io::stdin().lock(), std::io::stdout()).unwrap();
        return;
    }
    let mut r = Request::default();
    r.options.forks = 5;
    while let Some(a) = args.next() {
        match a.as_str() {
            "-e" => r.extra_vars.push(args.next().unwrap()),
            "-i" => r.inventory.push(args.next().unwrap()),
            "-C" => r.options.check = true,
            "-D" => {
                r.options.diff = true;
                r.human.diff = true
            }
            "-v" => {
                r.human.verbosity += 1;
                r.options.verbosity += 1
            }
            "-c" => r.options.connection = Some(args.next().unwrap()),
            "--list-tasks" => r.list_tasks = true,
            "-t" => r.options.tags.push(args.next().unwrap()),
            _ => r.playbooks.push(a),
        }
    }
    std::process::exit(execute(r, Arc::new(LocalConnector)));
}
