use super::*;

fn apply(host: &mut FakeHost, effect: Effect) -> Result<Outcome> {
    host.apply(&effect, &|_| {})
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

#[test]
fn files_are_written_through_links_and_keep_owner_and_mode() {
    let mut host = FakeHost::new()
        .with_file_attrs("/etc/real", "old", 0o600, 7, 8)
        .with_link("/etc/link", "real");
    apply(&mut host, write("/etc/link", "new")).unwrap();
    assert_eq!(host.text("/etc/real"), "new");
    let stat = host.lstat(Path::new("/etc/real")).unwrap().unwrap();
    assert_eq!((stat.mode, stat.uid, stat.gid, stat.size), (0o600, 7, 8, 3));
    let link = host.read_link(Path::new("/etc/link")).unwrap();
    assert_eq!(link, Some(PathBuf::from("real")));
    assert!(apply(&mut host, write("/no/such/dir", "x")).is_err());
}

#[test]
fn what_is_removed_is_gone_with_all_below() {
    let mut host = FakeHost::new().with_file("/srv/a/b/c", "x");
    apply(
        &mut host,
        Effect::Remove {
            path: "/srv/a".into(),
        },
    )
    .unwrap();
    assert_eq!(host.lstat(Path::new("/srv/a/b/c")).unwrap(), None);
    assert_eq!(host.list(Path::new("/srv")).unwrap(), Some(Vec::new()));
}

#[test]
fn a_directory_moves_with_what_it_holds() {
    let mut host = FakeHost::new().with_file("/srv/a/b/c", "x");
    let (from, to) = ("/srv/a".into(), "/opt/z".into());
    apply(&mut host, Effect::Rename { from, to }).unwrap();
    assert_eq!(host.text("/opt/z/b/c"), "x");
    assert_eq!(host.stat(Path::new("/srv/a")).unwrap(), None);
}

#[test]
fn commands_answer_as_recorded_and_their_consequences_hold() {
    let mut host = FakeHost::new().answering_with(&["false"], 1, "", "no\n");
    let user = User {
        name: "deploy".into(),
        ..User::default()
    };
    let then = vec![
        Consequence::PackageInstalled {
            name: "curl".into(),
            version: Some("8".into()),
        },
        Consequence::Unit {
            scope: UnitScope::System,
            name: "docker".into(),
            active: Some(true),
            enabled: None,
            masked: None,
        },
        Consequence::User {
            user,
            id_known: false,
        },
    ];
    let run = |argv: &[&str]| Command::new(argv.iter().copied()).then(then.clone());
    let outcome = apply(&mut host, run(&["false"])).unwrap();
    assert_eq!(outcome.ran().unwrap().rc, 1);
    assert_eq!(host.package("curl").unwrap(), None);
    apply(&mut host, run(&["apt-get", "install"])).unwrap();
    assert!(host.package("curl").unwrap().is_some());
    let unit = host.unit(UnitScope::System, "docker.service").unwrap();
    assert!(unit.exists() && unit.is_active());
    assert_eq!(host.user("deploy").unwrap().map(|u| u.uid), Some(1000));
    assert_eq!(host.ran().len(), 2);
}

#[test]
fn a_mount_shows_and_goes() {
    let mut host = FakeHost::new().with_dir("/share");
    let mount = Effect::Mount {
        source: "10.0.0.1:/".into(),
        target: "/share".into(),
        fstype: "nfs4".into(),
        options: "rw".into(),
        from_fstab: false,
        fstab: None,
    };
    apply(&mut host, mount).unwrap();
    assert_eq!(host.mounts().unwrap()[0].source, "10.0.0.1:/");
    let target = "/share".into();
    apply(&mut host, Effect::Unmount { target }).unwrap();
    assert_eq!(host.mounts().unwrap(), []);
}

#[test]
fn downloads_are_verified() {
    let mut host = FakeHost::new().serving("https://e/x", 200, "abc");
    let mut download = Download {
        request: Request::new("GET", "https://e/x"),
        dest: "/opt/x".into(),
        checksum: Some((Digest::Md5, "00".into())),
        attrs: Attrs::default(),
        backup: false,
        tmp_dir: None,
        if_modified_since: None,
        attempts: 1,
        in_place: false,
    };
    let effect = Effect::Download(Box::new(download.clone()));
    assert!(apply(&mut host, effect).is_err());
    download.checksum = Some((Digest::Md5, digest_of(b"abc", Digest::Md5)));
    apply(&mut host, Effect::Download(Box::new(download))).unwrap();
    assert_eq!(host.text("/opt/x"), "abc");
}
