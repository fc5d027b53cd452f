use super::*;
use crate::host::here;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};

fn key() -> Ed25519KeyPair {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key")
}

fn keys(of: &Ed25519KeyPair) -> Keys {
    Keys::read(&crate::encoding::hex(of.public_key().as_ref())).expect("a key")
}

fn index(files: &[(&str, &str)]) -> (Index, Vec<u8>) {
    let mut index = Index {
        format: FORMAT,
        entry: Entry {
            hosts: vec!["*".into()],
            playbooks: vec!["site.yml".into()],
            ..Entry::default()
        },
        files: Vec::new(),
    };
    let mut bytes = Vec::new();
    for (path, text) in files {
        index.files.push(FileEntry {
            path: (*path).into(),
            size: text.len() as u64,
            sha256: digest_of(text.as_bytes(), Digest::Sha256),
            executable: false,
        });
        bytes.extend_from_slice(text.as_bytes());
    }
    (index, bytes)
}

fn sealed(
    index: &Index,
    files: &[u8],
    key: &Ed25519KeyPair,
    counter: u64,
    expires: u64,
) -> Vec<u8> {
    let index = serde_json::to_vec(index).expect("JSON");
    let statement = Statement {
        format: FORMAT,
        bundle: digest_of(&index, Digest::Sha256),
        name: "site".into(),
        counter,
        signed_at: 1,
        expires_at: expires,
    }
    .write()
    .expect("a statement");
    let signature = key.sign(&Statement::message(&statement));
    Parts {
        signed: Some((&statement, signature.as_ref())),
        index: &index,
        files,
    }
    .write()
}

const FILES: &[(&str, &str)] = &[
    ("roles/a/tasks/main.yml", "[]"),
    ("site.yml", "- hosts: all\n"),
];

#[test]
fn what_was_signed_is_believed_and_unpacked() {
    let key = key();
    let (index, files) = index(FILES);
    let bytes = sealed(&index, &files, &key, 7, 100);
    let bundle = verify(&bytes, &keys(&key), 99).expect("believed");
    assert_eq!(bundle.statement.counter, 7);
    let dir = here::private_folder().expect("a folder");
    let target = unpack(&bundle, &dir).expect("unpacks");
    assert_eq!(target, dir.join(&bundle.id));
    let text = here::read_text(&target.join("roles/a/tasks/main.yml")).expect("reads");
    assert_eq!(text.as_deref(), Some("[]"));
    assert_eq!(unpack(&bundle, &dir).expect("is there already"), target);
    here::remove_folder(&dir);
}

#[test]
fn every_flipped_bit_is_refused() {
    let key = key();
    let (index, files) = index(FILES);
    let bytes = sealed(&index, &files, &key, 7, 100);
    let keys = keys(&key);
    for at in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << bit;
            assert!(verify(&bad, &keys, 1).is_err(), "byte {at}, bit {bit}");
        }
    }
    for cut in 0..bytes.len() {
        assert!(verify(&bytes[..cut], &keys, 1).is_err(), "cut at {cut}");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(verify(&longer, &keys, 1).is_err());
}

#[test]
fn a_foreign_key_an_expiry_and_no_signature_are_refused() {
    let (ours, theirs) = (key(), key());
    let (index, files) = index(FILES);
    let says = |bytes: &[u8], now| {
        verify(bytes, &keys(&ours), now)
            .expect_err("refused")
            .to_string()
    };
    let foreign = sealed(&index, &files, &theirs, 1, 100);
    assert!(says(&foreign, 1).contains("no key that this host trusts"));
    let old = sealed(&index, &files, &ours, 1, 100);
    assert!(says(&old, 100).contains("expired"));
    let plain = serde_json::to_vec(&index).expect("JSON");
    let unsigned = Parts {
        signed: None,
        index: &plain,
        files: &files,
    };
    assert!(says(&unsigned.write(), 1).contains("not signed"));
}

#[test]
fn paths_that_leave_the_folder_are_refused_even_when_signed() {
    let key = key();
    for path in [
        "../site.yml",
        "/etc/passwd",
        "a/../../b",
        "a//b",
        "./a",
        "a/.",
        "",
        "a\nb",
        "a\0b",
        "a\\b",
        "..",
    ] {
        let (mut index, files) = index(&[("site.yml", "x")]);
        index.files[0].path = path.into();
        index.entry.playbooks = vec![path.into()];
        let bytes = sealed(&index, &files, &key, 1, 100);
        let error = verify(&bytes, &keys(&key), 1)
            .expect_err("refused")
            .to_string();
        assert!(error.contains("the path"), "{path:?}: {error}");
    }
    for (files, why) in [
        (
            &[("a", "x"), ("a/b", "y"), ("site.yml", "")][..],
            "a file and a folder",
        ),
        (
            &[("b", "x"), ("a", "y"), ("site.yml", "")][..],
            "out of order",
        ),
        (&[("site.yml", "x"), ("site.yml", "y")][..], "out of order"),
        (&[("other.yml", "x")][..], "is not in it"),
    ] {
        let (index, bytes) = index(files);
        let bytes = sealed(&index, &bytes, &key, 1, 100);
        let error = verify(&bytes, &keys(&key), 1)
            .expect_err("refused")
            .to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn flags_that_reach_out_of_the_bundle_are_refused() {
    let key = key();
    for (flag, good) in [
        ("--check", true),
        ("--tags=a,b", true),
        ("--extra-vars=a=b", true),
        ("--extra-vars=@/etc/shadow", false),
        ("--limit=all", false),
        ("--connection=ssh", false),
        ("--checked", false),
        ("--vault-password-file=x.sh", false),
    ] {
        let (mut index, files) = index(FILES);
        index.entry.flags = vec![flag.into()];
        let bytes = sealed(&index, &files, &key, 1, 100);
        assert_eq!(verify(&bytes, &keys(&key), 1).is_ok(), good, "{flag}");
    }
}

#[test]
fn an_older_bundle_is_refused_across_restarts() {
    let key = key();
    let dir = here::private_folder().expect("a folder");
    let path = dir.join("counters.json");
    let make = |text: &str, counter| {
        let (index, files) = index(&[("site.yml", text)]);
        sealed(&index, &files, &key, counter, 100)
    };
    let accept = |bytes: &[u8]| {
        let bundle = verify(bytes, &keys(&key), 1).expect("believed");
        Counters::open(&path).expect("opens").accept(&bundle)
    };
    accept(&make("one", 5)).expect("the first");
    accept(&make("one", 5)).expect("the same again");
    assert!(
        accept(&make("two", 5)).is_err(),
        "the same counter for something else"
    );
    assert!(accept(&make("one", 4)).is_err(), "an older counter");
    accept(&make("two", 6)).expect("a newer one");
    assert!(
        accept(&make("one", 5)).is_err(),
        "what was good once is old now"
    );
    here::write(&path, b"{", 0o600).expect("writes");
    assert!(
        Counters::open(&path).is_err(),
        "a broken memory is not an empty one"
    );
    here::remove_folder(&dir);
}
