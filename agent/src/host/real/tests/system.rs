use super::*;
use std::net::TcpListener;
use std::time::Duration;

#[test]
fn accounts_are_those_of_the_root_and_follow_its_files() {
    let s = Scratch::new();
    let host = s.host();
    s.write(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nbroken\nann:x:1000:1000:Ann,,,:/home/ann:/bin/sh\n",
    );
    s.write("etc/group", "root:x:0:\nops:x:50:ann,bob\nann:x:1000:\n");
    s.write("etc/shadow", "ann:$6$salt:19000:0:99999:7::20000:\n");
    let ann = host.user("ann").unwrap().unwrap();
    assert_eq!(
        (ann.uid, ann.gecos.as_str(), ann.expires),
        (1000, "Ann,,,", Some(20000))
    );
    assert_eq!(ann.password_days, [Some(0), Some(99999), Some(7)]);
    assert_eq!(ann.password.unwrap().reveal(), "$6$salt");
    assert_eq!(host.user_by_id(0).unwrap().unwrap().name, "root");
    assert_eq!(host.user("nobody-here").unwrap(), None);
    assert_eq!(host.groups_of("ann").unwrap(), ["ops"]);
    assert_eq!(
        host.group_by_id(50).unwrap().unwrap().members,
        ["ann", "bob"]
    );
    s.write("etc/group", "ops:x:51:bob,eve\n");
    assert_eq!(host.group("ops").unwrap().unwrap().gid, 51);
    assert_eq!(host.groups_of("ann").unwrap(), [""; 0]);
}

#[test]
fn this_machine_has_a_root_account_and_a_mount_table() {
    let host = RealHost::new();
    assert_eq!(host.user("root").unwrap().unwrap().uid, 0);
    assert_eq!(host.user("no-such-account-here").unwrap(), None);
    assert_eq!(host.user_by_id(3_999_999_999).unwrap(), None);
    assert!(host.mounts().unwrap().iter().any(|m| m.target == "/"));
    assert!(host.now() > 1.0e9);
}

#[test]
fn packages_are_read_again_when_the_status_changes() {
    let s = Scratch::new();
    let host = s.host();
    assert_eq!(host.package("curl").unwrap(), None);
    let status = "Package: curl\nStatus: install ok installed\nVersion: 1\n";
    s.write("var/lib/dpkg/status", status);
    let curl = host.package("curl").unwrap().unwrap();
    assert_eq!(curl.version.as_deref(), Some("1"));
    s.write(
        "var/lib/dpkg/status",
        "Package: curl\nStatus: deinstall ok config-files\n",
    );
    assert_eq!(host.package("curl").unwrap(), None);
}

#[test]
fn a_folder_is_no_machine() {
    let s = Scratch::new();
    let mut host = s.host();
    let target = PathBuf::from("/mnt");
    assert!(apply(&mut host, Effect::Unmount { target }).is_err());
    assert!(host.unit(UnitScope::System, "ssh").is_err());
}

fn wait_for(host: &mut RealHost, probe: Probe) -> (bool, usize) {
    wait_up_to(host, probe, Duration::from_millis(300))
}

fn wait_up_to(host: &mut RealHost, probe: Probe, timeout: Duration) -> (bool, usize) {
    let effect = Effect::Await {
        probe,
        delay: Duration::ZERO,
        timeout,
        interval: Duration::from_millis(50),
    };
    match apply(host, effect).unwrap() {
        Outcome::Awaited { met, groups, .. } => (met, groups.len()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn paths_and_ports_are_awaited() {
    let s = Scratch::new();
    let mut host = s.host();
    s.write("log", "starting\nport=80 ready\n");
    let path = PathBuf::from("/log");
    let present = |search: Option<&str>| Probe::PathPresent {
        path: "/log".into(),
        search: search.map(str::to_owned),
    };
    assert_eq!(wait_for(&mut host, present(None)), (true, 0));
    assert_eq!(
        wait_for(&mut host, present(Some("^port=(\\d+)"))),
        (true, 1)
    );
    assert_eq!(wait_for(&mut host, present(Some("stopped"))), (false, 0));
    assert_eq!(wait_for(&mut host, Probe::PathAbsent { path }), (false, 0));
    assert_eq!(wait_for(&mut host, Probe::Nothing), (true, 0));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let open = |port| Probe::PortOpen {
        host: "127.0.0.1".into(),
        port,
        search: None,
        connect_timeout: Duration::from_secs(1),
    };
    let states = vec!["ESTABLISHED".to_owned()];
    let drained = |except: &[&str]| Probe::PortDrained {
        host: "127.0.0.1".into(),
        port,
        except: except.iter().map(|e| (*e).to_owned()).collect(),
        states: states.clone(),
    };
    assert_eq!(wait_for(&mut host, drained(&[])), (true, 0));
    let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_eq!(wait_for(&mut host, drained(&[])), (false, 0));
    assert_eq!(wait_for(&mut host, drained(&["127.0.0.1"])), (true, 0));
    assert_eq!(wait_for(&mut host, open(port)), (true, 0));
    drop((client, listener));
    let closed = Probe::PortClosed {
        host: "127.0.0.1".into(),
        port,
        connect_timeout: Duration::from_secs(1),
    };
    assert_eq!(wait_for(&mut host, closed), (true, 0));
    assert_eq!(wait_for(&mut host, open(port)), (false, 0));
}

/// Only root may mount, and in many containers not even that.
fn may_mount(s: &Scratch) -> bool {
    let target = s.path("probe");
    std::fs::create_dir(&target).unwrap();
    let mut host = RealHost::new();
    let mounted = apply(&mut host, tmpfs(&target)).is_ok();
    if mounted {
        apply(&mut host, Effect::Unmount { target }).unwrap();
    }
    mounted
}

fn tmpfs(target: &Path) -> Effect {
    Effect::Mount {
        source: "none".into(),
        target: target.into(),
        fstype: "tmpfs".into(),
        options: "size=64k".into(),
        from_fstab: false,
        fstab: None,
    }
}

#[test]
fn mounts_are_made_seen_kept_from_removal_and_gone() {
    let s = Scratch::new();
    if !may_mount(&s) {
        return;
    }
    let mut host = RealHost::new();
    let target = s.write("a b/mnt/x", "").parent().unwrap().to_owned();
    apply(&mut host, tmpfs(&target)).unwrap();
    let mounts = host.mounts().unwrap();
    let seen = mounts.iter().find(|m| Path::new(&m.target) == target);
    assert_eq!(seen.map(|m| m.fstype.as_str()), Some("tmpfs"));
    let path = s.path("a b");
    let removed = apply(&mut host, Effect::Remove { path }).unwrap_err();
    assert!(removed.message().contains("is mounted on"), "{removed}");
    let options = "ro".to_owned();
    let again = Effect::Remount {
        target: target.clone(),
        options,
    };
    apply(&mut host, again).unwrap();
    assert!(apply(&mut host, write(target.join("y"), b"")).is_err());
    let gone = Effect::Unmount { target };
    apply(&mut host, gone.clone()).unwrap();
    let error = apply(&mut host, gone).unwrap_err().message();
    assert!(error.contains("not mounted"), "{error}");
    let mut bad = tmpfs(&s.path("nowhere"));
    if let Effect::Mount { options, .. } = &mut bad {
        options.clear();
    }
    assert!(apply(&mut host, bad).is_err());
}

#[test]
fn a_bind_mounted_file_is_written_in_place_if_that_is_allowed() {
    let s = Scratch::new();
    if !may_mount(&s) {
        return;
    }
    let mut host = RealHost::new();
    let (source, target) = (s.write("source", "a"), s.write("target", "b"));
    let bind = Effect::Mount {
        source: source.to_string_lossy().into_owned(),
        target: target.clone(),
        fstype: String::new(),
        options: "bind".into(),
        from_fstab: false,
        fstab: None,
    };
    apply(&mut host, bind).unwrap();
    let mut effect = write(&target, b"new");
    let refused = apply(&mut host, effect.clone());
    if let Effect::WriteFile { in_place, .. } = &mut effect {
        *in_place = true;
    }
    let written = apply(&mut host, effect);
    apply(&mut host, Effect::Unmount { target }).unwrap();
    assert!(refused.unwrap_err().hints()[0].contains("unsafe_writes"));
    written.unwrap();
    assert_eq!(
        (s.text("source"), s.text("target")),
        ("new".into(), "b".into())
    );
    assert_eq!(s.names("").len(), 3);
}

#[test]
fn a_server_is_asked_until_it_answers_or_says_that_it_never_will() {
    use super::server::{Server, answer};
    let s = Scratch::new();
    let mut host = s.host();
    let asked = |url: &str, search: Option<&str>| Probe::Answer {
        request: Box::new(Request::new("GET", url)),
        search: search.map(str::to_owned),
        hopeless: vec![404],
    };
    let loading = Server::new(|_, number| match number {
        0 => answer("503 Service Unavailable", "", b"loading", 7),
        1 => answer("200 OK", "", b"[]", 2),
        _ => answer("200 OK", "", b"[tiny]", 6),
    });
    let probe = asked(&loading.url, Some("(tiny)"));
    // It ends long before that, but on a machine that is busy with all else.
    let long = Duration::from_secs(30);
    assert_eq!(wait_up_to(&mut host, probe, long), (true, 1));
    assert_eq!(loading.requests().len(), 3);

    let without = Server::new(|_, _| answer("404 Not Found", "", b"no", 2));
    let probe = asked(&without.url, None);
    assert_eq!(wait_up_to(&mut host, probe, long), (false, 0));
    assert_eq!(without.requests().len(), 1, "it was asked again in vain");
}
