//! What another day's run would get in another version.

use super::{is_core, plain_arg};
use crate::lint::Check::Task as Each;
use crate::lint::Found;
use lks_agent::playbook::task::Task;
use std::sync::Arc;

rules! {
    /// A package is brought up to date at every run.
    ///
    /// `state: latest` changes hosts when their repository changes, not when the playbook does. Name
    /// the version, or use `present`, and upgrade in a play that is meant for it.
    PACKAGE_LATEST "package-latest" Warning on => Each(package_latest);

    /// A repository is checked out at whatever its branch holds today.
    ///
    /// Give `version:` a tag or a commit.
    GIT_LATEST "git-latest" Note on => Each(git_latest);

    /// A container's image has no fixed version.
    ///
    /// `:latest` (and a name without a tag) is another image tomorrow, and two hosts of one fleet may
    /// run different ones. Name a tag or a digest.
    IMAGE_LATEST "image-latest" Warning on => Each(image_latest);

    /// What is downloaded is not checked.
    ///
    /// Over plain HTTP anybody on the way can change it. Use `https`, or give a `checksum`.
    PLAIN_HTTP "plain-http-download" Warning on => Each(plain_http);
}

const PACKAGES: &[&str] = &["apt", "yum", "dnf", "dnf5", "package", "pip"];

fn package_latest(task: &Arc<Task>, out: &mut Vec<Found>) {
    let latest = plain_arg(task, "state").as_deref() == Some("latest");
    // Without a name it is an upgrade, or an update of the index.
    let named = ["name", "pkg", "package", "requirements"]
        .iter()
        .any(|n| task.args.get(n).is_some());
    if is_core(task, PACKAGES)
        && latest
        && named
        && let Some(arg) = task.args.get("state")
    {
        out.push(
            Found::at(&arg.span, "this package is brought up to date at every run")
                .hint("name the version, or write `state: present`"),
        );
    }
}

fn git_latest(task: &Arc<Task>, out: &mut Vec<Found>) {
    if !is_core(task, &["git"]) || task.args.whole.is_some() {
        return;
    }
    let version = task.args.get("version");
    let moving = match version {
        None => true,
        Some(_) => plain_arg(task, "version")
            .is_some_and(|v| matches!(&*v, "HEAD" | "master" | "main" | "latest")),
    };
    let updates = plain_arg(task, "update").is_none_or(|u| u != "false" && u != "no");
    if moving && updates {
        let place = version.map_or(&task.module_span, |a| &a.span);
        out.push(
            Found::at(
                place,
                "this repository is checked out at whatever its branch holds today",
            )
            .hint("give `version:` a tag or a commit"),
        );
    }
}

fn image_latest(task: &Arc<Task>, out: &mut Vec<Found>) {
    let name = match task.short_module() {
        "docker_container" | "podman_container" => "image",
        "docker_image" | "docker_image_pull" | "podman_image" => "name",
        _ => return,
    };
    let Some(image) = plain_arg(task, name) else {
        return;
    };
    let absent = plain_arg(task, "state").as_deref() == Some("absent");
    let tagged = plain_arg(task, "tag").is_some_and(|t| t != "latest")
        || task.args.get("tag").is_some_and(|a| a.value.has_template());
    let last = image.rsplit('/').next().unwrap_or(&image);
    let floating = last.ends_with(":latest") || !last.contains([':', '@']);
    // A name without a tag may be that of an image which the play itself built.
    let own = !image.contains('/') && !last.contains(':');
    if floating
        && !absent
        && !tagged
        && !own
        && let Some(arg) = task.args.get(name)
    {
        out.push(
            Found::at(
                &arg.span,
                format!("the image `{image}` is another one tomorrow"),
            )
            .hint("name a tag or a digest"),
        );
    }
}

fn plain_http(task: &Arc<Task>, out: &mut Vec<Found>) {
    let Some(url) = plain_arg(task, "url").filter(|_| is_core(task, &["get_url"])) else {
        return;
    };
    let host = url
        .strip_prefix("http://")
        .map(|r| r.split(['/', ':']).next().unwrap_or(""));
    let near = host.is_none_or(|h| {
        matches!(h, "localhost" | "127.0.0.1") || h.starts_with("169.254.") || !h.contains('.')
    });
    if !near
        && task.args.get("checksum").is_none()
        && let Some(arg) = task.args.get("url")
    {
        out.push(
            Found::at(&arg.span, "what comes over plain HTTP is not checked")
                .hint("use `https`, or give a `checksum`"),
        );
    }
}
