//! `lks-ctl`: the command line of the controller. Called by the name `ansible-playbook` (a symlink),
//! it behaves as that command.

fn main() {
    lks_agent::host::complete_environment();
    lks_agent::cloud::set_operator(&lks_ctl::aws::Sdk);
    let arguments = lks_agent::host::here::arguments();
    std::process::exit(lks_agent::cli::main(&lks_ctl::cli::APP, &arguments));
}
