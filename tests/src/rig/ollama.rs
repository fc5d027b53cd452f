//! The `ollama/ollama:latest` image: a real inference server with a tiny model, laid out the way a
//! registry serves it. No container engine is needed to build it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::cache::Kept;
use super::stage::say;
use super::{Attempt, Failure, Result, data, process, rootfs, setup};

/// What the server needs below it.
const PACKAGES: &str = "python3,libgomp1,libstdc++6,dash,coreutils";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Not compressed: the guest would spend longer on unpacking than on receiving.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Gives a directory of blobs named by their digests, and the manifest `latest`.
pub fn get() -> Result<PathBuf> {
    let server = fs::read_to_string(data("ollama.py"))?;
    let model = fs::read_to_string(data("tiny_model.py"))?;
    Kept::new("ollama", &[include_str!("ollama.rs"), &server, &model]).get(|dir| {
        say("building the image of the inference server (a quarter of a minute)");
        let tree = dir.join("tree");
        fill(&tree).attempt("cannot build the image")?;
        let layer = dir.join("layer.tar");
        pack(&tree, &layer)?;
        fs::remove_dir_all(&tree)?;
        publish(dir, &layer)
    })
}

fn fill(tree: &Path) -> Result<()> {
    let python = setup::python()?;
    // `extract`: files only, no package is configured; the image has no init and no package manager.
    rootfs::mmdebstrap("extract", PACKAGES, None, tree)?;
    for rubbish in [
        "usr/share/doc",
        "usr/share/locale",
        "usr/share/man",
        "var/lib/dpkg",
    ] {
        let _ = fs::remove_dir_all(tree.join(rubbish));
    }
    let packages = tree.join("usr/lib/python3/dist-packages");
    fs::create_dir_all(&packages)?;
    let module = package(&python, "xllamacpp")?;
    process::run(Command::new("cp").arg("-r").args([&module, &packages]))?;
    let library = packages.join("xllamacpp/xllamacpp.abi3.so");
    process::run(Command::new("strip").arg("--strip-unneeded").arg(library))?;
    fs::create_dir_all(tree.join("srv"))?;
    fs::create_dir_all(tree.join("tmp"))?;
    fs::copy(data("ollama.py"), tree.join("srv/ollama.py"))?;
    // Called as Ollama's image is: `/bin/ollama serve`.
    let program = tree.join("bin/ollama");
    fs::create_dir_all(tree.join("bin"))?;
    fs::write(
        &program,
        "#!/bin/sh\nexec /usr/bin/python3 /srv/ollama.py\n",
    )?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    let mut writer = Command::new(python.join("bin/python"));
    process::run(
        writer
            .arg(data("tiny_model.py"))
            .arg(tree.join("srv/tiny.gguf")),
    )?;
    Ok(())
}

fn package(environment: &Path, name: &str) -> Result<PathBuf> {
    let versions = fs::read_dir(environment.join("lib"))?.flatten();
    versions
        .map(|version| version.path().join("site-packages").join(name))
        .find(|path| path.is_dir())
        .ok_or_else(|| Failure::new(format!("the Python environment has no {name}")))
}

fn pack(tree: &Path, layer: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "--sort=name", "-C"]).arg(tree);
    process::run(tar.arg("-cf").arg(layer).arg(".")).map(drop)
}

fn publish(dir: &Path, layer: &Path) -> Result<()> {
    let (layer_digest, layer_size) = keep(dir, layer)?;
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Env": ["PATH=/usr/bin:/bin", "HOME=/root", "PYTHONUNBUFFERED=1", "LANG=C.UTF-8"],
            "Cmd": ["/usr/bin/python3", "/srv/ollama.py"],
            "ExposedPorts": {"11434/tcp": {}},
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "lks rig"}],
    });
    let (config_digest, config_size) = keep_text(dir, &config.to_string())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": format!("sha256:{config_digest}"), "size": config_size},
        "layers": [{"mediaType": LAYER, "digest": format!("sha256:{layer_digest}"), "size": layer_size}],
    });
    let (manifest_digest, _) = keep_text(dir, &manifest.to_string())?;
    fs::copy(dir.join(manifest_digest), dir.join("latest"))?;
    Ok(())
}

fn keep_text(dir: &Path, text: &str) -> Result<(String, u64)> {
    let file = dir.join("blob");
    fs::write(&file, text)?;
    keep(dir, &file)
}

/// Renames `file` to its digest.
fn keep(dir: &Path, file: &Path) -> Result<(String, u64)> {
    let said = process::run(Command::new("sha256sum").arg(file))?;
    let digest = said
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_string();
    fs::rename(file, dir.join(&digest))?;
    let size = fs::metadata(dir.join(&digest))?.len();
    Ok((digest, size))
}
