//! The public keys by which the host is known over SSH.

use super::cx::{Cx, put};
use crate::value::Map;

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    for dir in ["/etc/ssh", "/etc/openssh", "/etc"] {
        let mut found = false;
        for kind in ["dsa", "rsa", "ecdsa", "ed25519"] {
            let Some(text) = cx.text(format!("{dir}/ssh_host_{kind}_key.pub")) else {
                continue;
            };
            let mut words = text.split_whitespace();
            if let (Some(name), Some(key)) = (words.next(), words.next()) {
                put(out, &format!("ssh_host_key_{kind}_public"), key);
                put(out, &format!("ssh_host_key_{kind}_public_keytype"), name);
                found = true;
            }
        }
        if found {
            return;
        }
    }
}
