//! What goes wrong for whoever sets a fleet up for the first time is told, with what to do.

use lks_tests::fleet::{Fleet, Running, program};
use std::process::Command;
use std::time::{Duration, Instant};

/// Waits until a log has this in it.
fn told(fleet: &Fleet, log: &str, words: &[&str]) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let said = fleet.read(log);
        if words.iter().all(|w| said.contains(w)) {
            return;
        }
        assert!(Instant::now() < end, "{words:?} are not in:\n{said}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a command that fails says.
fn complaint(command: &mut Command) -> String {
    let done = command.output().expect("it runs");
    assert!(!done.status.success(), "it ended well");
    String::from_utf8_lossy(&done.stderr).into_owned()
}

/// An agent that keeps trying, and its log.
fn tries(fleet: &Fleet, name: &str, change: impl FnOnce(&mut Command)) -> (Running, String) {
    let log = format!("{name}.log");
    let mut command = fleet.agent_command(name);
    change(&mut command);
    command.stdout(fleet.log(&log)).stderr(fleet.log(&log));
    (Running(command.spawn().expect("the agent starts")), log)
}

#[test]
fn a_host_that_was_forgotten_comes_back_by_a_new_token() {
    let mut fleet = Fleet::new("back");
    fleet.enrol("web1");
    fleet.agents.clear();
    fleet.ctl(&["hosts", "forget", "web1"]);
    // Without a token it says what is missing, and goes on asking.
    fleet.start_agent("web1");
    told(
        &fleet,
        "web1.log",
        &["no host is known by this certificate", "a new join token"],
    );
    fleet.agents.clear();
    let token = fleet.ctl(&["token", "new"]);
    fleet.write("web1.token", &token);
    fleet.start_agent("web1");
    told(&fleet, "web1.log", &["it enrols anew"]);
    let end = Instant::now() + Duration::from_secs(30);
    while !fleet.ctl(&["hosts"]).contains("web1") {
        assert!(Instant::now() < end, "{}", fleet.read("web1.log"));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!fleet.path("web1.token").exists(), "the token lies about");
    // Once more with a token that it has no need of: it stays who it is.
    let key = fleet.read("web1/identity.json");
    fleet.agents.clear();
    let token = fleet.ctl(&["token", "new"]);
    fleet.write("web1.token", &token);
    fleet.start_agent("web1");
    let end = Instant::now() + Duration::from_secs(30);
    while fleet.path("web1.token").exists() {
        assert!(Instant::now() < end, "{}", fleet.read("web1.log"));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(fleet.read("web1/identity.json"), key);
}

#[test]
fn an_agent_that_is_told_wrong_things_says_which() {
    let mut fleet = Fleet::new("wrong");
    let token = fleet.ctl(&["token", "new"]);
    fleet.write("a.token", &token);
    let (_a, log) = tries(&fleet, "a", |c| {
        c.args(["--pin", &"ab".repeat(32)]);
    });
    told(
        &fleet,
        &log,
        &[
            "another than the pinned controller",
            "hint: its pin is what `lks-ctl serve` printed",
        ],
    );
    fleet.write("b.token", &token);
    let nobody = format!("https://127.0.0.1:{}", lks_tests::ports::free_port());
    let (_b, log) = tries(&fleet, "b", |c| {
        c.args(["--controller", &nobody]);
    });
    told(
        &fleet,
        &log,
        &[
            "no answer from the controller",
            "does `lks-ctl serve` run there",
        ],
    );

    let said = complaint(&mut fleet.agent_command("c"));
    assert!(
        said.contains("c.token does not exist") && said.contains("lks-ctl token new"),
        "{said}"
    );
    fleet.enrol("web1");
    fleet.write("d.token", &fleet.read("a.token"));
    let own = fleet.ctl(&["token", "new"]);
    fleet.write("e.token", &own);
    fleet.start_agent("e");
    told(&fleet, "e.log", &["this host is e"]);
    fleet.write("f.token", &own);
    let said = complaint(&mut fleet.agent_command("f"));
    assert!(
        said.contains("was used") && said.contains("`lks-ctl token new` makes another"),
        "{said}"
    );
    let said = complaint(&mut fleet.agent_command("e"));
    assert!(
        said.contains("another process works with") && !said.contains("EAGAIN"),
        "{said}"
    );
}

#[test]
fn a_second_controller_and_wrong_names_are_told() {
    let fleet = Fleet::new("second");
    let serve = |data: &str| {
        let mut command = Command::new(program("lks-ctl"));
        command.args(["serve", "--data"]).arg(fleet.path(data));
        command.args(["--listen", &format!("127.0.0.1:{}", fleet.port)]);
        complaint(&mut command)
    };
    let said = serve("other");
    assert!(
        said.contains("cannot listen at") && said.contains("--listen"),
        "{said}"
    );
    let said = serve("ctl");
    assert!(
        said.contains("another process works with") && said.contains("end that one first"),
        "{said}"
    );
    let ask = |words: &[&str]| {
        let mut command = Command::new(program("lks-ctl"));
        command
            .args(words)
            .env("LKS_CONTROLLER", fleet.path(&fleet.admin));
        complaint(command.env("LKS_SIGN_KEY", fleet.path("sign.key")))
    };
    let said = ask(&["events", "none"]);
    assert!(
        said.contains("there is no such run (`lks-ctl runs` lists them)"),
        "{said}"
    );
    let mine = fleet.read(&fleet.admin).replace("lks-op-", "lks-op-0");
    fleet.write("stale.json", &mine);
    let mut stale = Command::new(program("lks-ctl"));
    let said = complaint(
        stale
            .arg("hosts")
            .env("LKS_CONTROLLER", fleet.path("stale.json")),
    );
    assert!(
        said.contains("none of this controller's") && said.contains("--new-admin"),
        "{said}"
    );
    let said = ask(&["agent", "publish", "lks-agnt"]);
    assert!(said.contains("[ERROR]: lks-agnt does not exist"), "{said}");
}
