//! Where models come from: which files there are, of what size and digest.

use super::Model;
use super::{ollama, s3};
use crate::error::{Error, Result};
use crate::host::{HostView, Redirects, Request, Response};
use crate::module::attrs::shown;
use crate::module::glob;
use crate::module::http::{masked, url_name};
use crate::module::llm::complaint;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One file that is wanted.
pub struct Item {
    pub request: Request,
    /// The URL as it may be shown.
    pub url: String,
    pub dest: PathBuf,
    pub size: u64,
    pub sha256: Option<String>,
    /// What the server knows the version by.
    pub version: Option<String>,
    /// Whether the file's name is its digest, so that its presence says what it is.
    pub named_by_digest: bool,
}

/// What a source has.
#[derive(Default)]
pub struct Found {
    pub items: Vec<Item>,
    /// Small files that are written once all others are there.
    pub last: Vec<(PathBuf, Vec<u8>)>,
    /// The commit that a branch stands for.
    pub revision: Option<String>,
}

/// A source, as `src` names it.
pub enum Source {
    /// One file by its URL.
    Url(String),
    /// A repository of the Hugging Face hub, or a file of one.
    Hub {
        repo: String,
        revision: String,
        file: Option<String>,
    },
    /// A model of Ollama's registry.
    Ollama(ollama::Name),
    /// An object of S3, or all below a prefix.
    S3(s3::Object),
}

impl Source {
    pub fn parse(model: &Model) -> Result<Self> {
        let src = model.src.trim();
        let source = match src.split_once("://") {
            Some(("http" | "https" | "file", _)) => Self::Url(src.to_owned()),
            Some(("hf", rest)) => Self::hub(rest)?,
            Some(("ollama", rest)) => Self::Ollama(ollama::Name::parse(rest)?),
            Some(("s3", rest)) => Self::S3(s3::Object::parse(rest)?),
            None if src.starts_with('/') => Self::Url(format!("file://{src}")),
            _ => {
                return Err(Error::params(format!("`{src}` is no source of a model")).hint(
                    "write https://…, s3://BUCKET/KEY, hf://ORG/REPO, ollama://NAME:TAG, or a path that begins with /",
                ));
            }
        };
        let single = match &source {
            Self::Url(_) => true,
            Self::S3(object) => !object.is_folder(),
            Self::Hub { .. } | Self::Ollama(_) => false,
        };
        if model.sha256.is_some() && !single {
            let why =
                "`sha256` is of a single file, and this source is several, or knows digests itself";
            return Err(Error::params(why));
        }
        Ok(source)
    }

    fn hub(rest: &str) -> Result<Self> {
        let wrong = || {
            Error::params(format!("`hf://{rest}` is no repository"))
                .hint("write hf://ORG/REPO, hf://ORG/REPO@REVISION or hf://ORG/REPO/FILE")
        };
        let mut parts = rest.splitn(3, '/');
        let org = parts.next().filter(|o| !o.is_empty()).ok_or_else(wrong)?;
        let repo = parts.next().filter(|r| !r.is_empty()).ok_or_else(wrong)?;
        let (repo, revision) = repo.split_once('@').unwrap_or((repo, "main"));
        let file = parts.next().filter(|f| !f.is_empty()).map(str::to_owned);
        Ok(Self::Hub {
            repo: format!("{org}/{repo}"),
            revision: revision.to_owned(),
            file,
        })
    }

    /// What there is, and where it goes.
    pub fn find(&self, model: &Model, host: &dyn HostView, dest: &Path) -> Result<Found> {
        match self {
            Self::Url(url) => {
                let item = one_url(model, host, url, dest)?;
                Ok(Found {
                    items: vec![item],
                    ..Found::default()
                })
            }
            Self::Hub {
                repo,
                revision,
                file,
            } => hub(model, host, repo, revision, file.as_deref(), dest),
            Self::Ollama(name) => ollama::find(model, host, name, dest),
            Self::S3(object) => object.find(model, host, dest),
        }
    }
}

impl Model {
    /// A request as this task wants it.
    pub(super) fn request(&self, method: &str, url: &str) -> Request {
        let mut request = Request::new(method, url);
        request.timeout = Duration::from_secs(self.timeout.max(1));
        request.validate_certs = self.validate_certs;
        request.decompress = false;
        request.redirects = Redirects::Safe;
        if let Some(token) = &self.token {
            let value = format!("Bearer {}", token.reveal());
            request.headers.push(("Authorization".into(), value));
        }
        request
    }
}

/// Asks, and explains an answer that is none.
pub fn asked(host: &dyn HostView, request: &Request) -> Result<Response> {
    let response = host.fetch(request)?;
    if response.status < 300 {
        return Ok(response);
    }
    let error = Error::host(format!(
        "{} {}: HTTP {} {}",
        request.method,
        masked(&request.url),
        response.status,
        complaint(&response.body)
    ));
    Err(match response.status {
        401 | 403 => error.hint("it may need a `token`, or its licence to be accepted"),
        404 => error.hint("is the name right, and the revision or tag?"),
        _ => error,
    })
}

fn one_url(model: &Model, host: &dyn HostView, url: &str, dest: &Path) -> Result<Item> {
    let mut dest = dest.to_owned();
    if model.dest.ends_with_slash() || host.stat(&dest)?.is_some_and(|s| s.is_dir()) {
        dest.push(url_name(url));
    }
    let sha256 = model.sha256.as_deref().map(digest).transpose()?;
    let request = model.request("GET", url);
    let (size, version) = match url.strip_prefix("file://") {
        Some(path) => local(host, Path::new(path))?,
        None => remote(model, host, url)?,
    };
    Ok(Item {
        request,
        url: masked(url),
        dest,
        size,
        sha256,
        version,
        named_by_digest: false,
    })
}

/// Size and version of a file of this machine.
fn local(host: &dyn HostView, path: &Path) -> Result<(u64, Option<String>)> {
    match host.stat(path)? {
        Some(stat) if stat.is_file() => Ok((stat.size, Some(format!("mtime {}", stat.mtime)))),
        Some(_) => Err(Error::host(format!("{} is no file", shown(path)))
            .hint("name the files of a folder one by one, or mount it where it is wanted")),
        None => Err(Error::host(format!("no such file: {}", shown(path)))),
    }
}

/// Size and version of a file on a server.
fn remote(model: &Model, host: &dyn HostView, url: &str) -> Result<(u64, Option<String>)> {
    let head = host.fetch(&model.request("HEAD", url))?;
    let response = if head.status < 300 && head.header("content-length").is_some() {
        head
    } else {
        // Signed URLs are often signed for GET alone: one byte tells as much.
        let mut request = model.request("GET", url);
        request.headers.push(("Range".into(), "bytes=0-0".into()));
        asked(host, &request)?
    };
    let total = match response.header("content-range") {
        Some(range) => range
            .rsplit_once('/')
            .and_then(|(_, total)| total.parse().ok()),
        None => response
            .header("content-length")
            .and_then(|l| l.parse().ok()),
    };
    let size = total.ok_or_else(|| {
        Error::host(format!("{} does not say how large it is", masked(url)))
            .hint("`get_url` fetches files of unknown size")
    })?;
    let version = response.header("etag").or(response.header("last-modified"));
    Ok((size, version.map(str::to_owned)))
}

/// A SHA-256 as it is compared.
pub fn digest(text: &str) -> Result<String> {
    let text = text
        .trim()
        .trim_start_matches("sha256:")
        .to_ascii_lowercase();
    let right = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match right {
        true => Ok(text),
        false => Err(Error::params(format!("`{text}` is no SHA-256"))),
    }
}

fn hub(
    model: &Model,
    host: &dyn HostView,
    repo: &str,
    revision: &str,
    file: Option<&str>,
    dest: &Path,
) -> Result<Found> {
    let endpoint = model.hf_endpoint.trim_end_matches('/');
    let url = format!("{endpoint}/api/models/{repo}/revision/{revision}");
    let about = json(&asked(host, &model.request("GET", &url))?);
    let commit = about["sha"].as_str().unwrap_or(revision).to_owned();
    let mut items = Vec::new();
    let mut next = Some(format!(
        "{endpoint}/api/models/{repo}/tree/{commit}?recursive=true"
    ));
    while let Some(url) = next.take() {
        let response = asked(host, &model.request("GET", &url))?;
        next = next_page(&response);
        let list = json(&response);
        for entry in list.as_array().into_iter().flatten() {
            let Some(path) = entry["path"].as_str() else {
                continue;
            };
            let wanted = match file {
                Some(file) => path == file,
                None => is_included(model, path),
            };
            if entry["type"] == "file" && wanted {
                let url = format!("{endpoint}/{repo}/resolve/{commit}/{path}");
                let dest = place(model, host, dest, path, file.is_some())?;
                items.push(Item {
                    request: model.request("GET", &url),
                    url,
                    dest,
                    size: entry["size"].as_u64().unwrap_or(0),
                    sha256: entry["lfs"]["oid"].as_str().map(digest).transpose()?,
                    version: entry["oid"].as_str().map(str::to_owned),
                    named_by_digest: false,
                });
            }
        }
    }
    if items.is_empty() {
        let what = file.unwrap_or("a file that `include` names");
        return Err(Error::host(format!("{repo} has not {what} at {commit}")));
    }
    Ok(Found {
        items,
        revision: Some(commit),
        ..Found::default()
    })
}

/// Where a file of a repository goes.
fn place(
    model: &Model,
    host: &dyn HostView,
    dest: &Path,
    path: &str,
    single: bool,
) -> Result<PathBuf> {
    let safe = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if !safe {
        return Err(Error::host(format!("the repository names a file `{path}`")));
    }
    if !single {
        return Ok(dest.join(path));
    }
    let folder = model.dest.ends_with_slash() || host.stat(dest)?.is_some_and(|s| s.is_dir());
    let name = path.rsplit('/').next().unwrap_or(path);
    Ok(if folder {
        dest.join(name)
    } else {
        dest.to_owned()
    })
}

pub fn is_included(model: &Model, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    match &model.include {
        Some(patterns) => patterns
            .iter()
            .any(|p| glob::matches(p, path) || glob::matches(p, name)),
        None => true,
    }
}

pub fn json(response: &Response) -> serde_json::Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}

/// The next page of a long list (`Link: <URL>; rel="next"`).
fn next_page(response: &Response) -> Option<String> {
    let link = response.header("link")?;
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    let url = next.split_once('<')?.1.split_once('>')?.0;
    Some(url.to_owned())
}
