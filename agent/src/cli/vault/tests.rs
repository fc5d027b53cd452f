use super::*;
use crate::cli::app::App;
use std::path::Path;

static APP: App = App {
    name: "lks-test",
    about: "",
    version: "1",
    commands: &[VAULT],
};

/// Status, standard output and standard error.
fn call(argv: &[&str]) -> (i32, String, String) {
    let argv: Vec<String> = ["ansible-vault"]
        .iter()
        .chain(argv)
        .map(|a| a.to_string())
        .collect();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = APP.run(
        &argv,
        &mut Io {
            out: &mut out,
            err: &mut err,
        },
    );
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(out), text(err))
}

struct Place(std::path::PathBuf);

impl Place {
    fn new() -> Self {
        let place = Self(here::private_folder().unwrap());
        place.put("pw", "secret\n", 0o600);
        place.put("new", " other \n", 0o600);
        place
    }
    fn at(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
    fn put(&self, name: &str, text: &str, mode: u32) {
        here::write(&self.0.join(name), text.as_bytes(), mode).unwrap();
    }
    fn text(&self, name: &str) -> String {
        here::read_text(Path::new(&self.at(name))).unwrap().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        here::remove_folder(&self.0);
    }
}

#[test]
fn files_go_there_and_back_and_keep_their_mode() {
    let place = Place::new();
    place.put("f", "text\n", 0o640);
    let (file, pw, new) = (place.at("f"), place.at("pw"), place.at("new"));
    let pw_file = ["--vault-password-file", pw.as_str()];
    let with = |action: &str, more: &[&str]| {
        let mut argv = vec![action];
        argv.extend(more);
        argv.push(&file);
        call(&argv)
    };
    assert_eq!(with("encrypt", &pw_file).0, 0);
    assert!(place.text("f").starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
    assert_eq!(here::mode(Path::new(&file)).unwrap(), 0o640);
    let (code, _, err) = with("encrypt", &pw_file);
    assert_eq!(code, 1);
    assert!(err.contains("input is already encrypted"), "{err}");
    assert_eq!(with("view", &pw_file).1, "text\n");
    let rekeyed = with(
        "rekey",
        &[
            "--vault-password-file",
            &pw,
            "--new-vault-id",
            &format!("dev@{new}"),
        ],
    );
    assert_eq!(rekeyed.0, 0, "{rekeyed:?}");
    assert!(
        place
            .text("f")
            .starts_with("$ANSIBLE_VAULT;1.2;AES256;dev\n")
    );
    let (code, _, err) = with("view", &pw_file);
    assert_eq!(code, 1);
    assert!(
        err.contains("no vault secrets were found that could decrypt"),
        "{err}"
    );
    let out = place.at("out");
    assert_eq!(
        with("decrypt", &["--vault-id", &new, "--output", &out]).0,
        0
    );
    assert_eq!(place.text("out"), "text\n");
    assert_eq!(here::mode(Path::new(&out)).unwrap(), 0o600);
    assert_eq!(
        with("decrypt", &["--vault-id", &new, "--output", "-"]).1,
        "text\n"
    );
    assert_eq!(with("decrypt", &["--vault-id", &new]).0, 0);
    assert_eq!(place.text("f"), "text\n");
    assert_eq!(here::mode(Path::new(&file)).unwrap(), 0o640);
}

#[test]
fn the_identity_that_encrypts_must_be_clear() {
    let place = Place::new();
    place.put("f", "text\n", 0o600);
    let (file, pw, new) = (place.at("f"), place.at("pw"), place.at("new"));
    let two = [
        "--vault-id",
        &format!("a@{pw}"),
        "--vault-id",
        &format!("b@{new}"),
    ];
    let with = |more: &[&str]| call(&[&["encrypt"], &two[..], more, &[&file]].concat());
    let (code, _, err) = with(&[]);
    assert_eq!(code, 5);
    assert!(
        err.contains("The vault-ids a,b are available to encrypt"),
        "{err}"
    );
    let (code, _, err) = with(&["--encrypt-vault-id", "c"]);
    assert_eq!(code, 1);
    assert!(
        err.contains("--encrypt-vault-id=c in the known vault-ids ['a', 'b']"),
        "{err}"
    );
    assert_eq!(with(&["--encrypt-vault-id", "b"]).0, 0);
    assert!(place.text("f").starts_with("$ANSIBLE_VAULT;1.2;AES256;b\n"));
    assert_eq!(call(&["view", "--vault-id", &new, &file]).1, "text\n");
}

#[test]
fn one_password_that_can_be_read_is_enough() {
    let place = Place::new();
    let gone = format!("gone@{}", place.at("nothing"));
    let pw = place.at("pw");
    let (code, out, err) = call(&[
        "encrypt_string",
        "--vault-id",
        &gone,
        "--vault-id",
        &pw,
        "x",
    ]);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("[WARNING]: Error getting vault password file (gone)"),
        "{err}"
    );
    assert!(
        out.starts_with("!vault |\n          $ANSIBLE_VAULT;1.1;AES256\n"),
        "{out}"
    );
    assert_eq!(call(&["encrypt_string", "--vault-id", &gone, "x"]).0, 1);
    place.put("empty", "\n", 0o600);
    assert_eq!(
        call(&["encrypt_string", "--vault-id", &place.at("empty"), "x"]).0,
        1
    );
}

#[test]
fn strings_have_names_and_are_told_apart() {
    let place = Place::new();
    let pw = place.at("pw");
    let (code, out, err) = call(&[
        "encrypt_string",
        "--vault-id",
        &pw,
        "-n",
        "one",
        "first",
        "second",
    ]);
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("one: !vault |\n"), "{out}");
    assert_eq!(out.matches("!vault |\n").count(), 2);
    assert!(
        err.contains("variable (\"one\", the string #1 from the command line args)"),
        "{err}"
    );
    assert!(err.contains("the string #2 from"), "{err}");
    assert!(!err.contains("second"), "{err}");
    for (argv, code) in [
        (
            vec!["encrypt_string", "--vault-id", &pw, "--prompt", "-"],
            5,
        ),
        (vec!["encrypt_string", "--vault-id", &pw, ""], 5),
        (vec!["view", "--output", "x", &pw], 2),
        (vec!["vew", &pw], 2),
        (vec![], 2),
        (
            vec![
                "rekey",
                "--new-vault-id",
                "a",
                "--new-vault-password-file",
                "b",
                "f",
            ],
            2,
        ),
        (vec!["view", "--vault-id", &pw, "/nowhere"], 1),
        (vec!["view", "--vault-id", "a;b@x", "f"], 5),
    ] {
        assert_eq!(call(&argv).0, code, "{argv:?}");
    }
}
