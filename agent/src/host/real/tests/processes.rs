use super::*;
use std::cell::RefCell;
use std::time::{Duration, Instant};

fn sh(script: &str) -> Command {
    Command::new(["/bin/sh", "-c", script])
}

fn run(command: Command) -> Result<Output> {
    RealHost::new().query(&command)
}

#[test]
fn status_and_outputs_come_back() {
    let output = run(sh("echo out; echo err >&2; exit 3")).unwrap();
    assert_eq!(
        (output.rc, output.out(), output.err()),
        (3, "out\n".into(), "err\n".into())
    );
    assert!(output.end >= output.start && output.start > 1.0e9);
    assert_eq!(run(sh("kill -9 $$")).unwrap().rc, -9);
}

#[test]
fn much_output_on_both_sides_does_not_block() {
    let script =
        "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2; head -c 1000000 /dev/zero";
    let output = run(sh(script)).unwrap();
    assert_eq!(
        (output.stdout.len(), output.stderr.len()),
        (4_000_000, 2_000_000)
    );
}

#[test]
fn input_is_fed_while_output_is_read() {
    let mut command = Command::new(["cat"]);
    let text: Vec<u8> = (0..2_000_000_u32).map(|i| (i % 256) as u8).collect();
    command.stdin = Some(text.clone());
    assert_eq!(run(command.clone()).unwrap().stdout, text);
    // One that does not read it is no error.
    command.argv = vec!["true".into()];
    assert_eq!(run(command).unwrap().rc, 0);
    assert_eq!(run(Command::new(["cat"])).unwrap().stdout, b"");
}

#[test]
fn folder_mask_and_variables_are_set() {
    let s = Scratch::new();
    s.write("bin/tool", "#!/bin/sh\necho tool \"$@\"\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(s.path("bin/tool"), mode).unwrap();
    let mut command = sh("umask; pwd; echo $A-$B").env("A", "1");
    command.chdir = Some(s.0.clone());
    command.umask = Some(0o027);
    let mut host = RealHost::new();
    host.set_environment(vec![("A".into(), "0".into()), ("B".into(), "2".into())]);
    let want = format!("0027\n{}\n1-2\n", s.0.display());
    assert_eq!(host.query(&command).unwrap().out(), want);
    assert_eq!(
        (host.env("B"), host.env("NO_SUCH")),
        (Some("2".into()), None)
    );
    let mut relative = Command::new(["bin/tool", "a b"]);
    relative.chdir = Some(s.0.clone());
    assert_eq!(run(relative).unwrap().out(), "tool a b\n");
    let by_path = Command::new(["tool"]).env("PATH", s.path("bin").to_string_lossy());
    assert_eq!(run(by_path).unwrap().out(), "tool\n");
}

#[test]
fn what_cannot_be_started_says_why() {
    let s = Scratch::new();
    let script = s.write("script", "#!/no/such/interpreter\n");
    let plain = s.write("plain", "x");
    let mode = || std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode()).unwrap();
    let text = |p: &Path| p.to_string_lossy().into_owned();
    let mut lost = Command::new(["true"]);
    lost.chdir = Some(s.path("nowhere"));
    for (command, want) in [
        (
            Command::new(["no-such-tool", "x"]),
            "no such program: no-such-tool".to_owned(),
        ),
        (
            Command::new(["/no/such"]),
            "no such program: /no/such".to_owned(),
        ),
        (Command::new([text(&script)]), "interpreter".to_owned()),
        (Command::new([text(&plain)]), "permission denied".to_owned()),
        (
            lost,
            format!("no such directory: {}", s.path("nowhere").display()),
        ),
        (Command::new([""]), "no program".to_owned()),
        (
            Command::new(["true"]).env("A=B", ""),
            "no name of".to_owned(),
        ),
    ] {
        let message = run(command).unwrap_err().message();
        assert!(message.contains(&want), "{message} / {want}");
    }
}

#[test]
fn time_is_up_for_the_whole_group() {
    let mut command = sh("trap '' TERM; sleep 60 & echo $!; wait; sleep 60");
    command.timeout = Some(Duration::from_millis(200));
    let began = Instant::now();
    let output = run(command).unwrap();
    assert!(output.timed_out && output.rc == -9, "{output:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    let child = format!("/proc/{}/stat", output.out().trim());
    // Gone, or waiting for whoever inherits it to collect it; a busy machine takes a moment.
    let gone = || {
        let state = std::fs::read_to_string(&child).unwrap_or_default();
        state.is_empty() || state.contains(") Z")
    };
    let until = Instant::now() + Duration::from_secs(10);
    while !gone() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(gone(), "the child outlived its group's end");
    let mut kind = sh("trap 'exit 7' TERM; sleep 60 & wait");
    kind.timeout = Some(Duration::from_millis(100));
    assert_eq!(run(kind).unwrap().rc, 7);
}

#[test]
fn a_daemon_that_keeps_the_outputs_does_not_keep_us() {
    let began = Instant::now();
    let output = run(sh("sleep 5 & echo started")).unwrap();
    assert_eq!((output.out().as_str(), output.rc), ("started\n", 0));
    assert!(began.elapsed() < Duration::from_secs(3));
    // And one that closes them and works on is awaited.
    let output = run(sh("exec >&- 2>&-; sleep 0.2; exit 4")).unwrap();
    assert_eq!(output.rc, 4);
}

#[test]
fn lines_are_told_as_they_come() {
    let lines = RefCell::new(Vec::new());
    let command = sh("printf 'a\\nb 10%%\\rb 20%%\\r\\nlast'; echo e >&2").with_progress();
    let tell = |p| {
        if let Progress::Line(line) = p {
            lines.borrow_mut().push(line);
        }
    };
    RealHost::new().apply(&command.effect(), &tell).unwrap();
    let mut told = lines.into_inner();
    told.sort();
    assert_eq!(told, ["a", "b 10%", "b 20%", "e", "last"]);
}

#[test]
fn programs_are_found_in_sbin_whatever_the_path_is() {
    let host = RealHost::new();
    assert_eq!(host.which("/no/such").unwrap(), None);
    assert_eq!(host.which("no-such-tool").unwrap(), None);
    assert!(host.which("sh").unwrap().unwrap().ends_with("sh"));
}
