//! Ollama's registry as plain files, for any web server: what it answers is what lies there (the protocol of
//! container registries: a manifest under its tag, blobs under their digests).

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::rig::{Attempt, Result, process};

/// Puts the weights `model` there as `library/NAME:latest`.
pub fn put(dir: &Path, name: &str, model: &Path) -> Result<()> {
    let base = dir.join("v2/library").join(name);
    for folder in ["manifests", "blobs"] {
        fs::create_dir_all(base.join(folder))?;
    }
    let config = base.join("config");
    fs::write(&config, "{}")?;
    let manifest = json!({
        "schemaVersion": 2,
        "config": blob(&base, &config, "application/vnd.docker.container.image.v1+json")?,
        "layers": [blob(&base, model, "application/vnd.ollama.image.model")?],
    });
    fs::write(base.join("manifests/latest"), manifest.to_string())
        .attempt(format_args!("cannot publish {name}"))
}

fn blob(base: &Path, file: &Path, kind: &str) -> Result<Value> {
    let said = process::run(Command::new("sha256sum").arg(file))?;
    let digest = format!("sha256:{}", said.split(' ').next().unwrap_or_default());
    let size = fs::copy(file, base.join("blobs").join(&digest))?;
    Ok(json!({"mediaType": kind, "digest": digest, "size": size}))
}
