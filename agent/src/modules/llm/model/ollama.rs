//! Ollama's registry and its store on disk: blobs by their digest, and a manifest that names them. The
//! protocol is that of container registries; the layout is `server/modelpath.go` of Ollama.

use super::Model;
use super::source::{Found, Item, asked, digest, json};
use crate::error::{Error, Result};
use crate::host::HostView;
use std::path::Path;

/// The kind of manifest that Ollama keeps.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A model's name, with what is left out filled in.
#[derive(Debug, PartialEq)]
pub struct Name {
    /// Namespace and model.
    repo: String,
    tag: String,
}

impl Name {
    pub fn parse(text: &str) -> Result<Self> {
        let (repo, tag) = text.split_once(':').unwrap_or((text, "latest"));
        let repo = match repo.contains('/') {
            true => repo.to_owned(),
            false => format!("library/{repo}"),
        };
        let fine = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            !part.is_empty() && part.chars().all(known) && !part.starts_with('.')
        };
        let parts: Vec<&str> = repo.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|p| fine(p)) || !fine(tag) {
            return Err(Error::params(format!("`ollama://{text}` is no model"))
                .hint("write ollama://NAME, ollama://NAME:TAG or ollama://NAMESPACE/NAME:TAG"));
        }
        Ok(Self {
            repo,
            tag: tag.to_owned(),
        })
    }
}

/// The blobs of a model, and its manifest, which comes last: without it Ollama sees nothing.
pub fn find(model: &Model, host: &dyn HostView, name: &Name, store: &Path) -> Result<Found> {
    let registry = model.ollama_registry.trim_end_matches('/');
    let base = format!("{registry}/v2/{}", name.repo);
    let mut request = model.request("GET", &format!("{base}/manifests/{}", name.tag));
    request.headers.push(("Accept".into(), MANIFEST.into()));
    let response = asked(host, &request)?;
    let manifest = json(&response);
    let layers = manifest["layers"].as_array().into_iter().flatten();
    let mut items: Vec<Item> = Vec::new();
    for layer in layers.chain([&manifest["config"]]) {
        let (Some(hash), Some(size)) = (layer["digest"].as_str(), layer["size"].as_u64()) else {
            let what = format!("{base} sends a manifest that Ollama would not understand");
            return Err(Error::host(what));
        };
        let sha256 = digest(hash)?;
        let dest = store.join("blobs").join(format!("sha256-{sha256}"));
        if items.iter().any(|i| i.dest == dest) {
            continue;
        }
        let url = format!("{base}/blobs/sha256:{sha256}");
        items.push(Item {
            request: model.request("GET", &url),
            url,
            dest,
            size,
            sha256: Some(sha256),
            version: None,
            named_by_digest: true,
        });
    }
    // Ollama knows a model by the registry that it is of, whatever mirror it came through.
    let path = store
        .join("manifests/registry.ollama.ai")
        .join(&name.repo)
        .join(&name.tag);
    Ok(Found {
        items,
        last: vec![(path, response.body)],
        revision: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed() {
        let name = |text: &str| Name::parse(text).map(|n| (n.repo, n.tag)).ok();
        let is = |repo: &str, tag: &str| Some((repo.to_owned(), tag.to_owned()));
        assert_eq!(name("llama3"), is("library/llama3", "latest"));
        assert_eq!(name("me/m:7b"), is("me/m", "7b"));
        for wrong in ["", "../x", "a/b/c", "a:", "a/../b:c"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }
}
