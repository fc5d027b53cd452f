//! What is given to hosts that join, and programs for agents.

use crate::stores;
use lks_ctl::store::{Assignment, Release};

#[test]
fn what_hosts_are_given_when_they_join_is_kept_by_name() {
    for store in stores() {
        let assignment = |name: &str, bundle: &str, at| Assignment {
            name: name.into(),
            bundle: bundle.into(),
            hosts: vec!["web*".into(), "db1".into()],
            made_by: "me".into(),
            at,
            expires_at: 100,
        };
        assert!(
            store.assign(&assignment("site", "none", 1)).is_err(),
            "a bundle that is not there"
        );
        for bundle in ["d1", "d2"] {
            store.put_bundle(bundle, b"bytes").expect("kept");
        }
        for (name, bundle, at) in [("site", "d1", 1), ("base", "d1", 2), ("site", "d2", 3)] {
            store.assign(&assignment(name, bundle, at)).expect("kept");
        }
        assert_eq!(
            store.assignments().expect("all"),
            [assignment("base", "d1", 2), assignment("site", "d2", 3)]
        );
        assert!(store.unassign("base").expect("asks"));
        assert!(!store.unassign("base").expect("asks"));
        assert_eq!(store.assignments().expect("all").len(), 1);
    }
}

#[test]
fn a_release_is_kept_if_its_counter_is_above_all_others() {
    for store in stores() {
        let release = |counter| Release {
            counter,
            machine: "x86_64".into(),
            version: "2".into(),
            hosts: vec!["web*".into(), "db1".into()],
            made_by: "me".into(),
            at: 1,
        };
        assert!(store.put_release(&release(5), b"five").expect("kept"));
        assert!(!store.put_release(&release(5), b"again").expect("asks"));
        assert!(!store.put_release(&release(4), b"older").expect("asks"));
        assert!(store.put_release(&release(6), b"six").expect("kept"));
        assert_eq!(store.releases().expect("all"), [release(6), release(5)]);
        assert_eq!(
            store.release(5).expect("asks").as_deref(),
            Some(&b"five"[..])
        );
        assert_eq!(store.release(4).expect("asks"), None);
    }
}
