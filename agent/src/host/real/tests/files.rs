use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

fn mode_of(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_new_file_gets_the_usual_mode_and_an_old_one_keeps_its_own() {
    let s = Scratch::new();
    let mut host = s.host();
    apply(&mut host, write("/new", b"x")).unwrap();
    assert_eq!(mode_of(&s.path("new")), 0o666 & !host.umask());
    let old = s.write("old", "before");
    std::fs::set_permissions(&old, PermissionsExt::from_mode(0o4711)).unwrap();
    apply(&mut host, write("/old", b"after")).unwrap();
    assert_eq!((s.text("old").as_str(), mode_of(&old)), ("after", 0o4711));
    let wanted = Attrs {
        mode: Some(0o600),
        mtime: Some(1_000_000.5),
        ..Attrs::default()
    };
    let mut effect = write("/old", b"again");
    if let Effect::WriteFile { attrs, .. } = &mut effect {
        *attrs = wanted;
    }
    apply(&mut host, effect).unwrap();
    let stat = host.stat(Path::new("/old")).unwrap().unwrap();
    assert_eq!((stat.mode, stat.mtime, stat.size), (0o600, 1_000_000.5, 5));
    assert_eq!(s.names(""), ["new", "old"]);
}

#[test]
fn links_are_followed_and_stay_inside_the_root() {
    let s = Scratch::new();
    let mut host = s.host();
    s.write("etc/real", "old");
    symlink("/etc/real", s.path("link")).unwrap();
    symlink("../../../../etc/later", s.path("dangling")).unwrap();
    apply(&mut host, write("/link", b"new")).unwrap();
    apply(&mut host, write("/dangling", b"made")).unwrap();
    assert_eq!(
        (s.text("etc/real"), s.text("etc/later")),
        ("new".into(), "made".into())
    );
    assert_eq!(
        host.read_link(Path::new("/link")).unwrap(),
        Some("/etc/real".into())
    );
    assert_eq!(host.read_link(Path::new("/etc/real")).unwrap(), None);
    assert_eq!(
        host.canonical(Path::new("/link")).unwrap(),
        Path::new("/etc/real")
    );
    symlink("loop", s.path("loop")).unwrap();
    assert!(host.stat(Path::new("/loop")).is_err());
}

#[test]
fn odd_names_are_only_names() {
    let s = Scratch::new();
    let mut host = s.host();
    let long = "n".repeat(255);
    for name in [
        "-rf",
        "a b",
        "new\nline",
        "%s",
        "$(id)",
        "'\"\\",
        "ü",
        ".lks-x",
        &long,
    ] {
        let path = Path::new("/").join(name);
        apply(&mut host, write(&path, name.as_bytes())).unwrap();
        assert_eq!(host.read(&path).unwrap().unwrap(), name.as_bytes());
    }
    assert_eq!(s.names("").len(), 9);
    let error = apply(&mut host, write("/no/such/x", b"")).unwrap_err();
    assert!(error.message().contains("no such directory"), "{error}");
    std::fs::create_dir(s.path("dir")).unwrap();
    assert!(apply(&mut host, write("/dir", b"")).is_err());
}

#[test]
fn what_is_no_regular_file_is_refused_and_does_not_block() {
    let s = Scratch::new();
    let host = s.host();
    let fifo = s.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(host.read(Path::new("/fifo")).is_err());
    assert_eq!(
        host.lstat(Path::new("/fifo")).unwrap().unwrap().kind,
        FileKind::Fifo
    );
    assert_eq!(host.read(Path::new("/nothing")).unwrap(), None);
    assert_eq!(host.read(Path::new("/fifo/x")).unwrap(), None);
    assert_eq!(
        host.digest(Path::new("/nothing"), Digest::Md5).unwrap(),
        None
    );
}

#[test]
fn a_backup_keeps_everything_of_the_old_file() {
    let s = Scratch::new();
    let mut host = s.host();
    let old = s.write("conf", "old");
    std::fs::set_permissions(&old, PermissionsExt::from_mode(0o640)).unwrap();
    let mut effect = write("/conf", b"new");
    if let Effect::WriteFile { backup, .. } = &mut effect {
        *backup = true;
    }
    let Outcome::Written {
        backup: Some(backup),
    } = apply(&mut host, effect).unwrap()
    else {
        panic!("no backup");
    };
    let name = backup.to_string_lossy().into_owned();
    let start = format!("/conf.{}.", std::process::id());
    assert!(name.starts_with(&start) && name.ends_with('~'), "{name}");
    assert_eq!(host.read(&backup).unwrap().unwrap(), b"old");
    assert_eq!(host.stat(&backup).unwrap().unwrap().mode, 0o640);
    assert_eq!(s.text("conf"), "new");
}

#[test]
fn a_file_that_is_not_valid_is_not_put_in_place() {
    let s = Scratch::new();
    let mut host = s.host();
    s.write("conf", "old");
    let checked = |content: &str| Effect::WriteFile {
        path: "/conf".into(),
        content: Content::Bytes(content.into()),
        attrs: Attrs::default(),
        backup: false,
        validate: Some("grep -q 'good one' %s".into()),
        in_place: false,
    };
    let error = apply(&mut host, checked("bad")).unwrap_err();
    assert!(
        error.message().starts_with("failed to validate: rc:1"),
        "{error}"
    );
    assert_eq!((s.text("conf").as_str(), s.names("").len()), ("old", 1));
    apply(&mut host, checked("good one")).unwrap();
    assert_eq!(s.text("conf"), "good one");
}

/// Not a test: the process that the next one kills.
#[test]
#[ignore = "run by `a_killed_writer_leaves_the_old_file`"]
fn killed_writer() {
    let Some(root) = std::env::var_os("LKS_TEST_ROOT") else {
        return;
    };
    let mut effect = write("/conf", b"half of it");
    if let Effect::WriteFile { validate, .. } = &mut effect {
        *validate = Some("sleep 2".into());
    }
    let _ = apply(&mut RealHost::under(root), effect);
}

#[test]
fn a_killed_writer_leaves_the_old_file() {
    let s = Scratch::new();
    s.write("conf", "old");
    let mut writer = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "host::real::tests::files::killed_writer",
        ])
        .env("LKS_TEST_ROOT", &s.0)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..500 {
        if s.names("").len() > 1 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // Living writers do not disturb each other.
    apply(&mut s.host(), write("/conf", b"second")).unwrap();
    assert_eq!((s.text("conf").as_str(), s.names("").len()), ("second", 2));
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert_eq!((s.text("conf").as_str(), s.names("").len()), ("second", 2));
    apply(&mut s.host(), write("/conf", b"third")).unwrap();
    assert_eq!((s.text("conf").as_str(), s.names("").len()), ("third", 1));
}

#[test]
fn a_link_under_the_temporary_name_leads_nobody_astray() {
    let s = Scratch::new();
    let victim = s.write("victim", "precious");
    let probe = super::super::write::NewFile::beside(&s.path("conf")).unwrap();
    let temporary = probe.path.clone();
    drop(probe);
    symlink(&victim, &temporary).unwrap();
    apply(&mut s.host(), write("/conf", b"new")).unwrap();
    assert_eq!(
        (s.text("victim"), s.text("conf")),
        ("precious".into(), "new".into())
    );
    assert_eq!(s.names("").len(), 2);
}

#[test]
fn large_files_are_copied_and_digested_in_pieces() {
    let s = Scratch::new();
    let mut host = s.host();
    let big: Vec<u8> = (0..9_000_001_u32).map(|i| (i % 251) as u8).collect();
    let asset = s.write("side/big", &big);
    let copy = |path: &str, content| Effect::WriteFile {
        path: path.into(),
        content,
        attrs: Attrs::default(),
        backup: false,
        validate: None,
        in_place: false,
    };
    apply(&mut host, copy("/one", Content::Asset(asset.clone()))).unwrap();
    apply(&mut host, copy("/two", Content::HostFile("/one".into()))).unwrap();
    let want = digest_of(&big, Digest::Sha1);
    let is = host.digest(Path::new("/two"), Digest::Sha1).unwrap();
    assert_eq!(is.as_deref(), Some(want.as_str()));
    assert_eq!(host.asset_digest(&asset, Digest::Sha1).unwrap(), want);
}

#[test]
fn removal_never_leaves_its_folder() {
    let s = Scratch::new();
    let mut host = s.host();
    s.write("keep/file", "precious");
    s.write("gone/a/b/file", "x");
    symlink(s.path("keep"), s.path("gone/a/out")).unwrap();
    symlink("keep", s.path("link")).unwrap();
    for path in ["/gone", "/link", "/nothing"] {
        apply(&mut host, Effect::Remove { path: path.into() }).unwrap();
    }
    assert_eq!(
        (s.names("").len(), s.text("keep/file").as_str()),
        (1, "precious")
    );
    assert!(apply(&mut host, Effect::Remove { path: "/".into() }).is_err());
    // Something is mounted below /proc's folder on every machine.
    let mounted = apply(
        &mut RealHost::new(),
        Effect::Remove {
            path: "/proc".into(),
        },
    );
    assert!(mounted.unwrap_err().message().contains("mounted"));
}

#[test]
fn links_replace_what_is_there() {
    let s = Scratch::new();
    let mut host = s.host();
    s.write("file", "x");
    s.write("full/x", "x");
    std::fs::create_dir(s.path("empty")).unwrap();
    let link = |path: &str| Effect::Symlink {
        path: path.into(),
        target: "target".into(),
    };
    for path in ["/new", "/file", "/empty", "/new"] {
        apply(&mut host, link(path)).unwrap();
        assert_eq!(
            host.read_link(Path::new(path)).unwrap(),
            Some("target".into())
        );
    }
    assert!(apply(&mut host, link("/full")).is_err());
    s.write("source", "same");
    let (path, target) = (PathBuf::from("/new"), PathBuf::from("/source"));
    for _ in 0..2 {
        let effect = Effect::HardLink {
            path: path.clone(),
            target: target.clone(),
        };
        apply(&mut host, effect).unwrap();
    }
    let stat = |p: &Path| host.lstat(p).unwrap().unwrap();
    assert_eq!(stat(&path).inode, stat(&target).inode);
    assert_eq!(s.names(""), ["empty", "file", "full", "new", "source"]);
}

#[test]
fn attributes_are_set_on_the_link_or_on_what_it_leads_to() {
    let s = Scratch::new();
    let mut host = s.host();
    s.write("file", "x");
    symlink("file", s.path("link")).unwrap();
    let set = |follow, mode, mtime| Effect::SetAttrs {
        path: "/link".into(),
        attrs: Attrs {
            mode: Some(mode),
            mtime: Some(mtime),
            ..Attrs::default()
        },
        follow,
    };
    apply(&mut host, set(true, 0o751, 5.0)).unwrap();
    apply(&mut host, set(false, 0o700, 7.25)).unwrap();
    let file = host.stat(Path::new("/file")).unwrap().unwrap();
    assert_eq!((file.mode, file.mtime), (0o751, 5.0));
    assert_eq!(host.lstat(Path::new("/link")).unwrap().unwrap().mtime, 7.25);
}

#[test]
fn folders_are_made_closed_and_then_opened() {
    let s = Scratch::new();
    let mut host = s.host();
    let make = |path: &str, mode| Effect::MakeDir {
        path: path.into(),
        attrs: Attrs {
            mode,
            ..Attrs::default()
        },
    };
    apply(&mut host, make("/a", Some(0o2775))).unwrap();
    apply(&mut host, make("/a/b", None)).unwrap();
    assert_eq!(mode_of(&s.path("a")), 0o2775);
    assert_eq!(mode_of(&s.path("a/b")) & 0o777, 0o777 & !host.umask());
    // Hosts that are one machine may want the same folder at once; what is no folder is in the way.
    apply(&mut host, make("/a", None)).unwrap();
    assert_eq!(mode_of(&s.path("a")), 0o2775);
    s.write("file", "x");
    assert!(apply(&mut host, make("/file", None)).is_err());
    assert!(apply(&mut host, make("/x/y", None)).is_err());
    let (from, to) = (PathBuf::from("/a/b"), PathBuf::from("/c"));
    apply(&mut host, Effect::Rename { from, to }).unwrap();
    assert_eq!(s.names(""), ["a", "c", "file"]);
}
