//! Objects of S3, with the credentials of the instance's role: fetched through URLs that are signed for
//! hours (ranges may be asked of them), so that a long fetch outlives a signature in headers.

use super::Model;
use super::source::{Found, Item, digest, is_included};
use crate::cloud::{Call, Cloud, judged};
use crate::error::{Error, Result};
use crate::host::{HostView, Response};
use crate::module::http::masked;
use std::path::Path;

/// How long a URL is good for, in seconds. It ends sooner with the role's credentials (six hours at most).
const LIFE: u64 = 12 * 3600;
/// Pages of a bucket's list: a thousand objects each.
const MAX_PAGES: usize = 100;

/// `BUCKET/KEY`, or `BUCKET/PREFIX/` for all below it.
#[derive(Debug, PartialEq)]
pub struct Object {
    bucket: String,
    key: String,
}

impl Object {
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::params(format!("`s3://{text}` is no object"))
                .hint("write s3://BUCKET/KEY, or s3://BUCKET/PREFIX/ for all below it")
        };
        let (bucket, key) = text.split_once('/').ok_or_else(wrong)?;
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(fine) || key.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Whether it stands for all objects below it.
    pub fn is_folder(&self) -> bool {
        self.key.ends_with('/')
    }

    /// The objects that there are, and where they go.
    pub fn find(&self, model: &Model, host: &dyn HostView, dest: &Path) -> Result<Found> {
        let cloud = Cloud::new(host);
        if !self.is_folder() {
            let mut dest = dest.to_owned();
            if model.dest.ends_with_slash() || host.stat(&dest)?.is_some_and(|s| s.is_dir()) {
                dest.push(self.key.rsplit('/').next().unwrap_or(&self.key));
            }
            let sha256 = model.sha256.as_deref().map(digest).transpose()?;
            let mut item = self.item(model, host, &cloud, &self.key, &dest)?;
            item.sha256 = sha256;
            return Ok(Found {
                items: vec![item],
                ..Found::default()
            });
        }
        let mut items = Vec::new();
        for key in self.keys(model, &cloud)? {
            let below = &key[self.key.len()..];
            let safe = below.split('/').all(|p| !matches!(p, "" | "." | ".."));
            if !safe || !is_included(model, below) {
                continue;
            }
            items.push(self.item(model, host, &cloud, &key, &dest.join(below))?);
        }
        match items.is_empty() {
            true => Err(Error::host(format!(
                "s3://{}/{} has no object that is wanted",
                self.bucket, self.key
            ))),
            false => Ok(Found {
                items,
                ..Found::default()
            }),
        }
    }

    /// All keys below the prefix.
    fn keys(&self, model: &Model, cloud: &Cloud<'_>) -> Result<Vec<String>> {
        let mut keys = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let call = Call::objects(&self.bucket, &self.key, after.as_deref());
            let page = cloud.ask(&here(model, call))?.xml()?;
            let list = page.children.iter().filter(|c| c.name == "Contents");
            keys.extend(list.map(|c| c.text_at("Key").to_owned()));
            let next = page.text_at("NextContinuationToken");
            if next.is_empty() {
                break;
            }
            after = Some(next.to_owned());
        }
        keys.retain(|key| key.starts_with(&self.key));
        Ok(keys)
    }

    fn item(
        &self,
        model: &Model,
        host: &dyn HostView,
        cloud: &Cloud<'_>,
        key: &str,
        dest: &Path,
    ) -> Result<Item> {
        let call = here(model, Call::object("GET", &self.bucket, key));
        let (url, response) = opened(model, host, cloud, call)?;
        let place = format!("s3://{}/{key}", self.bucket);
        let size = match response.header("content-range") {
            Some(range) => range.rsplit_once('/').and_then(|(_, t)| t.parse().ok()),
            // Of nothing no byte can be given.
            None => response
                .header("content-length")
                .and_then(|l| l.parse().ok()),
        };
        let size =
            size.ok_or_else(|| Error::host(format!("{place} does not say how large it is")))?;
        Ok(Item {
            request: model.request("GET", &url),
            url: masked(&url),
            dest: dest.to_owned(),
            size,
            sha256: None,
            version: response.header("etag").map(str::to_owned),
            named_by_digest: false,
        })
    }
}

/// A signed URL that works, and what a byte of it says: a bucket of another region is asked there.
fn opened(
    model: &Model,
    host: &dyn HostView,
    cloud: &Cloud<'_>,
    mut call: Call,
) -> Result<(String, Response)> {
    let mut moved = false;
    loop {
        let url = cloud.url(&call, LIFE)?;
        let mut request = model.request("GET", &url);
        request.headers.push(("Range".into(), "bytes=0-0".into()));
        let response = host.fetch(&request)?;
        let elsewhere = response.header("x-amz-bucket-region").map(str::to_owned);
        match elsewhere {
            Some(region) if !moved && matches!(response.status, 301 | 307 | 400) => {
                moved = true;
                call = call.in_region(region);
            }
            // An object of no bytes has no first one.
            _ if response.status == 416 => return Ok((url, response)),
            _ => return judged(&call, response.clone()).map(|_| (url, response)),
        }
    }
}

fn here(model: &Model, call: Call) -> Call {
    match &model.region {
        Some(region) => call.in_region(region.clone()),
        None => call,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_keys_are_told_apart() {
        let object = |text: &str| Object::parse(text).map(|o| (o.bucket, o.key)).ok();
        let is = |bucket: &str, key: &str| Some((bucket.to_owned(), key.to_owned()));
        assert_eq!(object("my-models/a/b.gguf"), is("my-models", "a/b.gguf"));
        assert!(Object::parse("my-models/llama3/").unwrap().is_folder());
        for wrong in ["", "b", "my-models/", "No/x", "my-models"] {
            assert_eq!(object(wrong), None, "{wrong}");
        }
    }
}
