use super::*;
use std::time::Duration;

fn over(fake: FakeHost) -> Overlay {
    Overlay::over(Arc::new(fake))
}

fn apply(host: &mut Overlay, effect: Effect) {
    assert_eq!(
        host.apply(&effect, &|_| {}).unwrap(),
        Outcome::Remembered,
        "{effect:?}"
    );
}

fn write(path: &str, text: &str) -> Effect {
    Effect::WriteFile {
        path: path.into(),
        content: Content::Bytes(text.into()),
        attrs: Attrs::default(),
        backup: false,
        validate: None,
        in_place: false,
    }
}

fn mkdir(path: &str) -> Effect {
    Effect::MakeDir {
        path: path.into(),
        attrs: Attrs::default(),
    }
}

fn mount(source: &str, target: &str) -> Effect {
    Effect::Mount {
        source: source.into(),
        target: target.into(),
        fstype: "nfs4".into(),
        options: "rw".into(),
        from_fstab: false,
        fstab: None,
    }
}

fn install(name: &str, version: Option<&str>) -> Effect {
    let version = version.map(str::to_owned);
    let name = name.to_owned();
    Command::new(["apt-get", "install"]).then(vec![Consequence::PackageInstalled { name, version }])
}

fn sh(script: &str) -> Command {
    Command::new(["/bin/sh", "-c", script])
}

#[test]
fn a_later_task_sees_files_and_folders_of_an_earlier_one() {
    let base = Arc::new(FakeHost::new().with_file("/etc/hosts", "old\n"));
    let mut host = Overlay::over(Arc::clone(&base) as Arc<dyn HostView>);
    apply(&mut host, mkdir("/opt/app"));
    apply(&mut host, write("/opt/app/a.conf", "one"));
    apply(&mut host, write("/etc/hosts", "new\n"));
    assert_eq!(
        host.read(Path::new("/opt/app/a.conf")).unwrap().unwrap(),
        b"one"
    );
    assert_eq!(
        host.read(Path::new("/etc/hosts")).unwrap().unwrap(),
        b"new\n"
    );
    assert_eq!(
        host.list(Path::new("/opt/app")).unwrap().unwrap(),
        ["a.conf"]
    );
    apply(
        &mut host,
        Effect::Remove {
            path: "/opt/app".into(),
        },
    );
    assert_eq!(host.stat(Path::new("/opt/app/a.conf")).unwrap(), None);
    // And nothing of it happened.
    assert_eq!(base.text("/etc/hosts"), "old\n");
    assert_eq!(base.stat(Path::new("/opt/app")).unwrap(), None);
    assert!(host.apply(&write("/no/such/x", ""), &|_| {}).is_err());
}

#[test]
fn changed_attributes_of_a_folder_do_not_hide_what_is_in_it() {
    let mut host = over(FakeHost::new().with_file("/srv/a/b", "x"));
    let attrs = Attrs {
        mode: Some(0o700),
        ..Attrs::default()
    };
    let (path, follow) = (PathBuf::from("/srv/a"), false);
    apply(
        &mut host,
        Effect::SetAttrs {
            path,
            attrs,
            follow,
        },
    );
    assert_eq!(host.stat(Path::new("/srv/a")).unwrap().unwrap().mode, 0o700);
    assert_eq!(host.read(Path::new("/srv/a/b")).unwrap().unwrap(), b"x");
    assert_eq!(host.list(Path::new("/srv/a")).unwrap().unwrap(), ["b"]);
}

#[test]
fn links_lead_through_both_layers() {
    let mut host = over(
        FakeHost::new()
            .with_file("/srv/real/f", "x")
            .with_link("/srv/old", "real"),
    );
    let (path, target) = (PathBuf::from("/srv/new"), PathBuf::from("old/f"));
    apply(&mut host, Effect::Symlink { path, target });
    assert_eq!(host.read(Path::new("/srv/new")).unwrap().unwrap(), b"x");
    let canonical = host.canonical(Path::new("/srv/new")).unwrap();
    assert_eq!(canonical, Path::new("/srv/real/f"));
    let (from, to) = (PathBuf::from("/srv/real"), PathBuf::from("/srv/moved"));
    apply(&mut host, Effect::Rename { from, to });
    assert_eq!(host.stat(Path::new("/srv/new")).unwrap(), None);
    assert_eq!(host.read(Path::new("/srv/moved/f")).unwrap().unwrap(), b"x");
}

#[test]
fn a_downloaded_file_is_there_but_its_content_is_not_known() {
    let mut host = over(FakeHost::new());
    let attrs = Attrs {
        mode: Some(0o755),
        ..Attrs::default()
    };
    let download = Download {
        request: Request::new("GET", "https://example/x"),
        dest: "/opt/x".into(),
        checksum: None,
        attrs,
        backup: false,
        tmp_dir: None,
        if_modified_since: None,
        attempts: 1,
        in_place: false,
    };
    apply(&mut host, Effect::Download(Box::new(download)));
    let stat = host.stat(Path::new("/opt/x")).unwrap().unwrap();
    assert_eq!((stat.mode, stat.size), (0o755, Stat::SIZE_UNKNOWN));
    assert!(host.read(Path::new("/opt/x")).unwrap_err().is_unknown());
    let digest = host.digest(Path::new("/opt/x"), Digest::Sha256);
    assert!(digest.unwrap_err().is_unknown());
}

#[test]
fn below_a_new_mount_nothing_is_known() {
    let mut host = over(FakeHost::new().with_dir("/share/old"));
    apply(&mut host, mount("10.0.0.1:/", "/share"));
    assert_eq!(host.mounts().unwrap()[0].target, "/share");
    for path in ["/share", "/share/old", "/share/new/x"] {
        let looked = host.lstat(Path::new(path));
        assert!(looked.unwrap_err().is_unknown(), "{path}");
    }
    assert!(
        host.list(Path::new("/"))
            .unwrap()
            .unwrap()
            .contains(&"share".to_owned())
    );
    let made = host.apply(&mkdir("/share/llm"), &|_| {});
    assert!(made.unwrap_err().is_unknown());
    let target = "/share".into();
    apply(&mut host, Effect::Unmount { target });
    assert_eq!(host.mounts().unwrap(), []);
}

#[test]
fn accounts_that_would_be_made_have_provisional_numbers() {
    let mut host = over(FakeHost::new().with_user("old", 1000, 1000));
    let user = User {
        name: "new".into(),
        ..User::default()
    };
    let group = Group {
        name: "ops".into(),
        ..Group::default()
    };
    let then = vec![
        Consequence::Group {
            group,
            id_known: false,
        },
        Consequence::User {
            user,
            id_known: false,
        },
        Consequence::Membership {
            user: "new".into(),
            groups: vec!["ops".into()],
        },
        Consequence::UserGone { name: "old".into() },
    ];
    apply(&mut host, Command::new(["useradd", "new"]).then(then));
    let made = host.user("new").unwrap().unwrap();
    assert!(is_provisional(made.uid));
    assert_eq!(host.user_by_id(made.uid).unwrap().unwrap().name, "new");
    assert_eq!(host.group("ops").unwrap().unwrap().members, ["new"]);
    assert_eq!(host.groups_of("new").unwrap(), ["ops"]);
    assert_eq!(host.user("old").unwrap(), None);
    assert_eq!(host.user_by_id(1000).unwrap(), None);
}

#[test]
fn a_unit_file_that_would_be_written_is_a_unit_that_can_be_started() {
    let mut host = over(FakeHost::new().with_dir("/etc/systemd/system"));
    let unit = |host: &Overlay| host.unit(UnitScope::System, "app").unwrap();
    assert!(!unit(&host).exists());
    let text = "[Service]\nExecStart=/bin/true\n[Install]\n";
    apply(&mut host, write("/etc/systemd/system/app.service", text));
    assert_eq!(unit(&host).get("UnitFileState"), "disabled");
    assert!(!unit(&host).is_active());
    let then = vec![Consequence::Unit {
        scope: UnitScope::System,
        name: "app.service".into(),
        active: Some(true),
        enabled: Some(true),
        masked: None,
    }];
    apply(
        &mut host,
        Command::new(["systemctl", "start", "app"]).then(then),
    );
    assert!(unit(&host).is_active());
    assert_eq!(unit(&host).get("UnitFileState"), "enabled");
}

#[test]
fn of_a_package_whose_file_is_not_there_nothing_missing_is_known() {
    let mut host = over(FakeHost::new().with_unit("ssh", true, true));
    apply(&mut host, install("docker.io", None));
    assert!(host.package("docker.io").unwrap().is_some());
    let unknown = |r: Result<()>| assert!(r.unwrap_err().is_unknown());
    unknown(host.unit(UnitScope::System, "docker").map(drop));
    unknown(host.group("docker").map(drop));
    unknown(host.which("docker").map(drop));
    unknown(host.stat(Path::new("/etc/docker/daemon.json")).map(drop));
    unknown(host.query(&Command::new(["docker", "ps"])).map(drop));
    assert!(host.unit(UnitScope::System, "ssh").unwrap().is_active());
    assert_eq!(host.stat(Path::new("/opt/llm")).unwrap(), None);
}

#[test]
fn a_package_in_the_cache_says_what_it_would_bring() {
    let listing = "drwxr-xr-x root/root 0 2023-01-01 00:00 ./lib/systemd/system/\n\
        -rw-r--r-- root/root 1 2023-01-01 00:00 ./lib/systemd/system/docker.service\n\
        -rw-r--r-- root/root 1 2023-01-01 00:00 ./lib/systemd/system/other.service\n\
        -rwxr-xr-x root/root 9 2023-01-01 00:00 ./usr/bin/docker\n";
    let control = "postinst\0addgroup --system docker\ndeb-systemd-invoke start 'docker.service'\n";
    let deb = "/var/cache/apt/archives/docker.io_1%3a20.10_amd64.deb";
    let mut host = over(
        FakeHost::new()
            .with_file(deb, "")
            .answering(&["dpkg-deb", "--contents", deb], listing)
            .answering(&["dpkg-deb", "--ctrl-tarfile", deb], control),
    );
    apply(&mut host, install("docker.io", Some("1:20.10")));
    let unit = host.unit(UnitScope::System, "docker").unwrap();
    assert!(unit.exists() && unit.is_active());
    let other = host.unit(UnitScope::System, "other").unwrap();
    assert!(other.exists() && !other.is_active());
    assert!(!host.unit(UnitScope::System, "third").unwrap().exists());
    let program = host.which("docker").unwrap();
    assert_eq!(program, Some(PathBuf::from("/usr/bin/docker")));
    assert_eq!(host.stat(Path::new("/usr/bin/podman")).unwrap(), None);
    assert!(
        host.read(Path::new("/usr/bin/docker"))
            .unwrap_err()
            .is_unknown()
    );
    assert!(host.group("docker").unwrap_err().is_unknown());
    assert_eq!(host.group("llm").unwrap(), None);
}

#[test]
fn probes_run_unless_their_answer_depends_on_what_was_remembered() {
    let fake = FakeHost::new()
        .with_dir("/srv/data")
        .with_program("mount")
        .answering_prefix(&["/bin/sh"], 1, "", "");
    let mut host = over(fake);
    let mounted = sh("mount | grep -q '10.0.0.1:/'");
    assert_eq!(host.probe(&mounted).unwrap().rc, 1);
    apply(&mut host, mkdir("/opt/llm"));
    assert!(host.probe(&mounted).is_ok(), "`10.0.0.1:/` is not the root");
    for script in ["test -e /opt/llm/x", "ls /opt", "cat --file=/opt/llm"] {
        assert!(
            host.probe(&sh(script)).unwrap_err().is_unknown(),
            "{script}"
        );
    }
    assert!(host.probe(&sh("ls /srv/data")).is_ok());
    let mut inside = sh("ls");
    inside.chdir = Some("/opt/llm".into());
    assert!(host.probe(&inside).unwrap_err().is_unknown());
    apply(&mut host, mount("10.0.0.1:/", "/srv/data"));
    assert!(host.probe(&mounted).unwrap_err().is_unknown());
    apply(&mut host, install("docker.io", None));
    assert!(host.probe(&sh("true; docker ps")).unwrap_err().is_unknown());
}

#[test]
fn waiting_and_asking_servers_is_only_remembered() {
    let mut host = over(FakeHost::new());
    apply(
        &mut host,
        Effect::Await {
            probe: Probe::Nothing,
            delay: Duration::from_secs(9),
            timeout: Duration::from_secs(99),
            interval: Duration::from_secs(1),
        },
    );
    let request = Request::new("POST", "http://example/");
    apply(&mut host, Effect::Http(Box::new(request)));
}

#[test]
fn probes_of_what_a_pending_package_may_bring_are_unknown() {
    let fake = FakeHost::new()
        .with_unit("ssh", true, true)
        .answering_prefix(&["/bin/sh"], 0, "", "")
        .answering_prefix(&["systemctl"], 0, "active", "")
        .answering_prefix(&["id"], 0, "", "");
    let mut host = over(fake);
    assert!(
        host.probe(&sh("command -v docker; pgrep x; dpkg -l"))
            .is_ok()
    );
    apply(&mut host, install("docker.io", None));
    for script in [
        "command -v docker",
        "test -x /usr/bin/docker",
        "pgrep dockerd",
        "dpkg -l | grep docker",
        "systemctl is-active docker",
        "systemctl list-units | grep -q docker",
        "getent group docker",
        "id -nG dockeruser",
    ] {
        let probed = host.probe(&sh(script));
        assert!(probed.is_err_and(|e| e.is_unknown()), "{script}");
    }
    let ssh = Command::new(["systemctl", "is-active", "ssh"]);
    assert_eq!(host.probe(&ssh).unwrap().out(), "active");
    assert!(host.probe(&Command::new(["id", "root"])).is_ok());
    assert!(host.probe(&sh("grep -q x /etc/hosts 2>/dev/null")).is_err());
    assert!(host.probe(&sh("test -e /srv/x")).is_ok());
}
