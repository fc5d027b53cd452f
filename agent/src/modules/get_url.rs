//! `get_url`.

use crate::error::{Error, Result};
use crate::host::{Digest, Download, Effect, Outcome, Request, Stat};
use crate::module::attrs::{FileAttrs, Wanted, add_path_info, shown};
use crate::module::http::{HttpParams, Login, disposition_name, masked, message, url_name};
use crate::module::{Diff, HostPath, Module, Plan, PlanCx, Returns};
use crate::params;
use crate::secret::Secret;
use crate::value::Value;
use std::path::{Path, PathBuf};

/// Attempts on faults that pass, such as a network that is not up yet.
const ATTEMPTS: u32 = 4;

params! {
    /// Downloads a file over HTTP or HTTPS.
    ///
    /// A download that broke off is resumed where the server allows, and the file is put in place
    /// only once it is whole and has the right checksum.
    ///
    /// ```yaml
    /// - get_url:
    ///     url: https://example.org/models/tiny.gguf
    ///     dest: /srv/models/tiny.gguf
    ///     checksum: sha256:b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c
    ///     mode: '0644'
    ///
    /// - get_url:
    ///     url: https://example.org/tool.tar.gz
    ///     dest: /opt/
    ///     checksum: sha256:https://example.org/SHA256SUMS
    ///     timeout: 60
    /// ```
    pub struct GetUrl {
        /// The URL.
        required url: String,
        /// Where the file goes. If it is a directory, the file gets the name that the server or the
        /// URL gives it.
        required dest: HostPath,
        /// An existing directory for the unfinished file. Without it, it lies beside `dest`.
        optional tmp_dest: Option<HostPath>,
        /// Keep the file that was there, under a name with the time in it.
        default(false) backup: bool,
        /// What the file must have: `ALGORITHM:DIGEST`, or `ALGORITHM:URL` of a list of digests. A file
        /// that has it already is not downloaded again.
        optional checksum: String,
        /// Seconds to wait for the server.
        default(10) timeout: u64,
        /// Name to log in with.
        optional url_username | "username": Option<String>,
        /// Password to log in with.
        optional url_password | "password": Option<Secret<String>>,
        flatten http: HttpParams,
        flatten attrs: FileAttrs,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("url", "The URL, without a password."),
    ("status_code", "HTTP status of the answer."),
    ("msg", "The answer in words."),
    ("elapsed", "Seconds that the download took."),
    ("checksum_src", "SHA-1 of the file."),
    ("checksum_dest", "SHA-1 of the file that was there before."),
    ("md5sum", "MD5 of the file."),
    ("backup_file", "Path of the backup, if one was made."),
    ("dest", "Path of the file."),
    ("uid", "Number of the owner."),
    ("gid", "Number of the group."),
    ("owner", "Name of the owner."),
    ("group", "Name of the group."),
    ("mode", "Permissions, as octal digits."),
    ("size", "Size in bytes."),
    (
        "state",
        "What is there: `file`, `hard`, `link`, `directory` or `absent`.",
    ),
];

impl Module for GetUrl {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let mut plan = Plan::default();
        let mut dest = self.dest.expand(cx.host)?;
        plan.returns
            .set("url", masked(&self.url))
            .set("dest", shown(&dest))
            .set("elapsed", 0);
        let is_dir = cx.host.stat(&dest)?.is_some_and(|s| s.is_dir());
        let checksum = match self.wanted_checksum(cx)? {
            Ok(checksum) => checksum,
            Err(message) => {
                plan.returns.fail(message);
                return Ok(plan);
            }
        };
        if is_dir {
            dest.push(self.name_in_folder(cx)?);
            plan.returns.set("dest", shown(&dest));
        }
        let there = cx.host.stat(&dest)?;
        let wanted = self.attrs.resolve(cx.host)?;
        let target = Target {
            dest,
            there,
            wanted,
            checksum,
        };
        if self.is_there_already(cx, &target)? {
            let changed = target.wanted.set(&mut plan, cx.host, &target.dest, false)?;
            let more = if changed {
                " but file attributes changed"
            } else {
                ""
            };
            plan.returns
                .set("msg", format!("file already exists{more}"));
            return Ok(plan);
        }
        if let Some(message) = self.refused(cx, &target)? {
            plan.returns.fail(message);
            return Ok(plan);
        }
        self.download(cx, &mut plan, target)?;
        Ok(plan)
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        let path = returns
            .values
            .get("dest")
            .and_then(Value::as_str)
            .map(PathBuf::from);
        let started = returns.values.get("elapsed").cloned();
        let Some(path) = path else { return Ok(()) };
        for outcome in outcomes {
            if let Outcome::Downloaded {
                response,
                replaced,
                backup,
                fetched,
                resumed,
            } = outcome
            {
                returns
                    .set("status_code", u32::from(response.status))
                    .set("msg", message(response, Some(fetched + resumed)));
                if *replaced {
                    returns.changed = Some(true);
                }
                if let Some(backup) = backup {
                    returns.set("backup_file", shown(backup));
                }
            }
        }
        if let Some(Value::Float(started)) = started {
            returns.set("elapsed", (cx.host.now() - started).max(0.0) as i64);
        }
        if cx.host.stat(&path)?.is_some_and(|s| s.is_file())
            && outcomes
                .iter()
                .any(|o| matches!(o, Outcome::Downloaded { .. }))
        {
            returns
                .set("checksum_src", cx.host.digest(&path, Digest::Sha1)?)
                .set("md5sum", cx.host.digest(&path, Digest::Md5)?);
        }
        add_path_info(cx.host, &path, returns)
    }
}

/// Where the file goes, and what it must be like.
struct Target {
    dest: PathBuf,
    there: Option<Stat>,
    wanted: Wanted,
    checksum: Option<(Digest, String)>,
}

impl GetUrl {
    fn request(&self, cx: &PlanCx<'_>, method: &str, url: &str) -> Result<Request> {
        let login = Login {
            user: self.url_username.clone(),
            password: self.url_password.clone(),
        };
        self.http
            .request(cx.host, method, url, &login, self.timeout)
    }

    /// The digest that the file must have; the inner error is the module's own failure.
    fn wanted_checksum(&self, cx: &PlanCx<'_>) -> Result<Result<Option<(Digest, String)>, String>> {
        if self.checksum.is_empty() {
            return Ok(Ok(None));
        }
        let Some((algorithm, digest)) = self.checksum.split_once(':') else {
            return Ok(Err(
                "The checksum parameter has to be in format <algorithm>:<checksum>".into(),
            ));
        };
        let Some(algorithm) = digest_named(algorithm) else {
            return Ok(Err(format!(
                "Could not hash file with algorithm '{algorithm}'"
            )));
        };
        let mut digest = digest.to_owned();
        if digest.contains("://") {
            let response = cx.host.fetch(&self.request(cx, "GET", &digest)?)?;
            if response.status != 200 {
                return Ok(Err(format!(
                    "Request failed: cannot fetch checksum from {}: {}",
                    masked(&digest),
                    message(&response, None)
                )));
            }
            let name = file_name(&self.url);
            match listed_digest(&String::from_utf8_lossy(&response.body), &name) {
                Some(found) => digest = found,
                None => {
                    return Ok(Err(format!(
                        "Unable to find a checksum for file '{name}' in '{}'",
                        masked(&digest)
                    )));
                }
            }
        }
        // Invisible characters come along when a digest is copied from a web page.
        let digest: String = digest.chars().filter(char::is_ascii_alphanumeric).collect();
        let digest = digest.to_ascii_lowercase();
        if digest.is_empty() || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Err("The checksum format is invalid".into()));
        }
        Ok(Ok(Some((algorithm, digest))))
    }

    /// The name that the server gives the file; asked for with HEAD, so that the plan can name it.
    fn name_in_folder(&self, cx: &PlanCx<'_>) -> Result<String> {
        let answer = cx.host.fetch(&self.request(cx, "HEAD", &self.url)?);
        Ok(match answer {
            Err(error) if error.is_unknown() => return Err(error),
            Ok(response) if response.status < 400 => {
                disposition_name(&response).unwrap_or_else(|| file_name(&response.url))
            }
            // A server without HEAD will answer the download.
            Ok(_) | Err(_) => file_name(&self.url),
        })
    }

    /// Whether the file is there and has the checksum.
    fn is_there_already(&self, cx: &PlanCx<'_>, target: &Target) -> Result<bool> {
        match (&target.there, &target.checksum) {
            (Some(_), Some((algorithm, digest))) if !self.http.force => {
                Ok(cx.host.digest(&target.dest, *algorithm)?.as_ref() == Some(digest))
            }
            _ => Ok(false),
        }
    }

    /// Why nothing can be downloaded to there.
    fn refused(&self, cx: &PlanCx<'_>, target: &Target) -> Result<Option<String>> {
        if let Some(tmp) = &self.tmp_dest {
            let path = tmp.expand(cx.host)?;
            match cx.host.stat(&path)? {
                Some(stat) if stat.is_dir() => {}
                Some(_) => {
                    return Ok(Some(format!(
                        "{} is a file but should be a directory.",
                        shown(&path)
                    )));
                }
                None => return Ok(Some(format!("{} directory does not exist.", shown(&path)))),
            }
        }
        // `dest/` that is no directory: the slash is taken at its word.
        let folder = if shown(&target.dest).ends_with('/') {
            Some(target.dest.as_path())
        } else {
            target
                .dest
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
        };
        match folder {
            Some(folder) if cx.host.stat(folder)?.is_none() => Ok(Some(format!(
                "Destination {} does not exist",
                shown(folder)
            ))),
            _ => Ok(None),
        }
    }

    fn download(&self, cx: &PlanCx<'_>, plan: &mut Plan, target: Target) -> Result<()> {
        let Target {
            dest,
            there,
            wanted,
            checksum,
        } = target;
        let surely = there.is_none() || checksum.is_some();
        if cx.check && !surely {
            let stat = there.clone();
            if !self.foresee(cx, stat.as_ref())? {
                plan.returns
                    .set("status_code", 304)
                    .set("msg", "HTTP Error 304: Not Modified");
                wanted.set(plan, cx.host, &dest, false)?;
                return Ok(());
            }
        }
        let before = match &there {
            Some(_) => cx.host.digest(&dest, Digest::Sha1)?,
            None => None,
        };
        plan.returns
            .set("checksum_dest", before.clone())
            .set("elapsed", cx.host.now());
        let attrs = match &there {
            Some(stat) => wanted.difference(cx.host, &dest, stat)?.attrs,
            None => wanted.for_new(false),
        };
        let newer = there
            .as_ref()
            .filter(|_| !self.http.force && checksum.is_none());
        let effect = Effect::Download(Box::new(Download {
            request: self.request(cx, "GET", &self.url)?,
            dest: dest.clone(),
            if_modified_since: newer.map(|stat| stat.mtime),
            checksum,
            attrs,
            backup: self.backup && there.is_some(),
            tmp_dir: self
                .tmp_dest
                .as_ref()
                .map(|p| p.expand(cx.host))
                .transpose()?,
            attempts: ATTEMPTS,
            in_place: self.attrs.unsafe_writes,
        }));
        if surely {
            plan.change(
                Diff::new(
                    shown(&dest),
                    before,
                    format!("downloaded from {}\n", masked(&self.url)),
                ),
                effect,
            );
        } else {
            // Whether it changes anything is known once the server has answered.
            plan.act(effect);
        }
        wanted.set(plan, cx.host, &dest, false)?;
        Ok(())
    }

    /// In check mode: whether a file that is there would be replaced. Only the server's word that it
    /// is not newer, or has another length, can say so.
    fn foresee(&self, cx: &PlanCx<'_>, there: Option<&Stat>) -> Result<bool> {
        let mut request = self.request(cx, "HEAD", &self.url)?;
        if let Some(stat) = there.filter(|_| !self.http.force) {
            request.headers.push((
                "If-Modified-Since".into(),
                crate::module::clock::http_date(stat.mtime),
            ));
        }
        let response = cx.host.fetch(&request)?;
        let length = response
            .header("content-length")
            .and_then(|l| l.parse::<u64>().ok());
        match (response.status, length) {
            (304, _) => Ok(false),
            (200..300, Some(length)) if there.is_some_and(|s| s.size != length) => Ok(true),
            (200..300, _) => Err(Error::unknown(
                "whether the file on the server differs is known only once it is downloaded",
            )),
            _ => Err(Error::host(format!(
                "Request failed: {}",
                message(&response, None)
            ))),
        }
    }
}

/// The name of a URL's file, `index.html` where it has none.
fn file_name(url: &str) -> String {
    let name = url_name(url);
    if name.is_empty() {
        "index.html".into()
    } else {
        name
    }
}

fn digest_named(name: &str) -> Option<Digest> {
    Some(match name.trim().to_ascii_lowercase().as_str() {
        "md5" => Digest::Md5,
        "sha1" => Digest::Sha1,
        "sha224" => Digest::Sha224,
        "sha256" => Digest::Sha256,
        "sha384" => Digest::Sha384,
        "sha512" => Digest::Sha512,
        _ => return None,
    })
}

/// The digest of `name` in a list as `sha256sum` (with or without `--tag`) writes it; a list of one
/// word is the digest itself.
fn listed_digest(list: &str, name: &str) -> Option<String> {
    let mut words = list.split_whitespace();
    if let (Some(only), None) = (words.next(), words.next()) {
        return Some(only.to_owned());
    }
    list.lines().find_map(|line| {
        if let Some((file, digest)) = line.rsplit_once(") =").or_else(|| line.rsplit_once(")=")) {
            let file = file.split_once('(')?.1;
            return (file == name).then(|| digest.trim().to_owned());
        }
        let (digest, file) = line.trim_end().split_once(char::is_whitespace)?;
        let file = file
            .trim_start()
            .trim_start_matches('*')
            .trim_start_matches(['.', '/']);
        (Path::new(file) == Path::new(name)).then(|| digest.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_found_in_lists() {
        for (list, want) in [
            ("abc  tool.tgz\n", Some("abc")),
            ("abc *tool.tgz", Some("abc")),
            ("abc  ./tool.tgz\ndef  other", Some("abc")),
            ("SHA256 (tool.tgz) = abc", Some("abc")),
            ("abc\n", Some("abc")),
            ("abc  other.tgz\nx y", None),
        ] {
            assert_eq!(listed_digest(list, "tool.tgz").as_deref(), want, "{list}");
        }
    }
}
