//! The account that tasks run as.

use super::cx::{Cx, put};
use crate::value::Map;

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let uid = cx.host.current_uid();
    // `Uid:` and `Gid:` have the real, the effective, the saved and the file system's number.
    let status = cx.text("/proc/self/status").unwrap_or_default();
    let numbers = |name: &str| -> Vec<i64> {
        let line = status.lines().find_map(|l| l.strip_prefix(name));
        line.map(|l| {
            l.split_whitespace()
                .filter_map(|w| w.parse().ok())
                .collect()
        })
        .unwrap_or_default()
    };
    let (uids, gids) = (numbers("Uid:"), numbers("Gid:"));
    if let Some(user) = cx.host.user_by_id(uid).ok().flatten() {
        put(out, "user_id", user.name);
        put(out, "user_uid", user.uid);
        put(out, "user_gid", user.gid);
        put(out, "user_gecos", user.gecos);
        put(out, "user_dir", user.home);
        put(out, "user_shell", user.shell);
    } else {
        put(out, "user_uid", uid);
    }
    put(
        out,
        "real_user_id",
        uids.first().copied().unwrap_or(uid.into()),
    );
    put(
        out,
        "effective_user_id",
        uids.get(1).copied().unwrap_or(uid.into()),
    );
    put(out, "real_group_id", gids.first().copied());
    put(out, "effective_group_id", gids.get(1).copied());
    put(out, "effective_group_ids", numbers("Groups:"));
}
