//! Joining by what AWS says of a host.

use super::*;
use lks_tests::aws::Signer;

#[test]
fn an_instance_joins_by_its_role_and_another_key_for_it_is_an_alarm() {
    let Some((mut scene, _)) = Scene::new("iam", false) else {
        return;
    };
    scene.settings["busy"] = json!(2);
    scene.save();
    scene.serve(&["--allow", RULE]);
    // On EC2, nothing needs to be said: no name, no token, no method. STS is busy at first.
    let first = scene.join("one", &[]);
    assert_eq!(scene.host_names(), [ONE]);
    assert!(
        scene
            .audit()
            .contains(&format!("{ONE} (iam: 123456789012 worker-gpu us-east-1)")),
        "{}",
        scene.audit()
    );
    // An image of it that runs elsewhere has no identity, and joins as itself.
    scene.be(TWO);
    let second = scene.join("two", &["--join", "iam"]);
    assert_eq!(scene.host_names(), [ONE, TWO]);
    // Another key for an instance that is known.
    scene.be(ONE);
    assert!(
        scene
            .refused("thief", &["--join", "iam"])
            .contains("another key is enrolled")
    );
    assert!(
        scene
            .audit()
            .contains("ALARM: another key claims a known host"),
        "{}",
        scene.audit()
    );
    // Another name than its own.
    let told = scene.refused("named", &["--join", "iam", "--name", "db1"]);
    assert!(told.contains("it cannot be called db1"), "{told}");
    // It works: a run goes through.
    std::fs::write(
        scene.path("site.yml"),
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: echo hi\n",
    )
    .expect("written");
    let out = scene.ctl(&[
        "run",
        "-c",
        "agent",
        &scene.path("site.yml").display().to_string(),
    ]);
    assert!(out.contains("on 2 hosts") && out.contains(ONE), "{out}");
    drop((first, second));
    // It comes back with the identity it has.
    let again = scene.join("one", &[]);
    drop(again);
    assert_eq!(scene.host_names(), [ONE, TWO]);
    // Forgotten, it enrols anew as it starts, with another key; revoked, it stays out.
    let key = |scene: &Scene| scene.read("one/identity.json");
    let old = key(&scene);
    scene.ctl(&["hosts", "forget", ONE]);
    std::fs::remove_file(scene.path("one.log")).expect("removed");
    assert_eq!(scene.host_names(), [TWO]);
    let anew = scene.join("one", &[]);
    assert_eq!(scene.host_names(), [ONE, TWO]);
    assert_ne!(key(&scene), old);
    drop(anew);
    scene.ctl(&["hosts", "revoke", ONE]);
    std::fs::remove_file(scene.path("one.log")).expect("removed");
    let out = scene.started("one", &[], "was revoked");
    drop(out);
    assert!(!scene.read("one.log").contains("enrols anew"));
}

#[test]
fn who_is_not_allowed_stays_out_whatever_they_sign() {
    let Some((mut scene, _)) = Scene::new("out", false) else {
        return;
    };
    scene.serve(&["--allow", RULE]);
    let key = format!("ASIA{}", &ONE[2..6]);
    let word = |scene: &Scene, n: &str| scene.refused(n, &["--join", "iam"]);
    scene.settings["callers"][&key] = json!(format!(
        "arn:aws:sts::123456789012:assumed-role/admin/{ONE}"
    ));
    scene.save();
    assert!(word(&scene, "a").contains("no rule allows the role admin"));
    scene.settings["callers"][&key] = json!(format!(
        "arn:aws:sts::999999999999:assumed-role/worker-gpu/{ONE}"
    ));
    scene.save();
    assert!(word(&scene, "b").contains("account 999999999999"));
    scene.settings["callers"][&key] = json!("arn:aws:iam::123456789012:user/worker-gpu");
    scene.save();
    assert!(word(&scene, "c").contains("no instance's role"));
    scene.settings["callers"][&key] = json!(format!("{ROLE}{ONE}"));
    scene.settings["keys"][&key] = json!("another key");
    scene.save();
    assert!(word(&scene, "d").contains("SignatureDoesNotMatch"));
    // A host whose clock is two days behind.
    scene.settings["keys"][&key] = json!(format!("secret-of-{key}"));
    scene.settings["clock"] = json!(172_800);
    scene.save();
    let told = word(&scene, "clock");
    assert!(told.contains("Signature expired"), "{told}");
    scene.settings["clock"] = json!(0);
    assert!(scene.host_names().is_empty());
    // A controller that takes identity documents wants them signed by the region.
    let signer = match Signer::make(&scene.path("region")) {
        Ok(signer) => signer,
        Err(why) => return skipped(&format!("identity documents: {why}")),
    };
    scene.settings["keys"][&key] = json!(format!("secret-of-{key}"));
    scene.save();
    let pem = signer.certificate().display().to_string();
    let alone = "123456789012/*@us-east-1";
    scene.serve(&[
        "--allow",
        RULE,
        "--join",
        "iam+iid",
        "--identity-certificates",
        &pem,
    ]);
    assert!(word(&scene, "e").contains("identity document is needed"));
    scene.settings["metadata"]["dynamic/instance-identity/rsa2048"] = json!(document(&signer, ONE));
    scene.save();
    let both = scene.join("f", &["--join", "iam"]);
    assert!(
        scene.audit().contains("iam and identity document"),
        "{}",
        scene.audit()
    );
    drop(both);
    // The document alone, where that is allowed; and the same document from a second machine.
    scene.serve(&[
        "--allow",
        alone,
        "--join",
        "iid",
        "--identity-certificates",
        &pem,
    ]);
    assert!(
        scene
            .refused("g", &["--join", "iid"])
            .contains("another key is enrolled")
    );
    scene.be(TWO);
    scene.settings["metadata"]["dynamic/instance-identity/rsa2048"] = json!(document(&signer, TWO));
    scene.save();
    let other = scene.join("h", &["--join", "iid"]);
    assert!(
        scene
            .refused("i", &["--join", "iid"])
            .contains("another key is enrolled")
    );
    drop(other);
    assert_eq!(scene.host_names(), [ONE, TWO]);
    // Tokens are not among this controller's ways.
    std::fs::write(scene.path("token"), scene.ctl(&["token", "new"])).expect("written");
    let token = scene.path("token").display().to_string();
    assert!(
        scene
            .refused("j", &["--token-file", &token])
            .contains("takes no join tokens")
    );
}

/// An identity document of an instance that began now, as the metadata service gives it.
fn document(signer: &Signer, instance: &str) -> String {
    let began = lks_tests::aws::now().expect("date");
    let text = json!({"accountId": "123456789012", "region": "us-east-1", "instanceId": instance, "pendingTime": began});
    signer.sign(&text.to_string()).expect("openssl")
}
