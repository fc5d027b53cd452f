//! `lks.llm.model`.

mod ollama;
mod s3;
mod source;

use crate::error::{Error, Result};
use crate::host::{Attrs, Content, Digest, Effect, Fetch, FetchNote, HostView, Outcome, Stat};
use crate::module::attrs::{FileAttrs, Wanted, shown};
use crate::module::content::{missing_parents, new_dir_diff};
use crate::module::{Change, Diff, HostPath, Module, Plan, PlanCx, Returns};
use crate::secret::Secret;
use crate::value::{Key, Map, Value};
use crate::{choices, params};
use source::{Item, Source};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Attempts on passing faults that bring no further byte.
const ATTEMPTS: u32 = 6;
/// File systems of servers: asking them for their size can wait for ever, and says little.
const REMOTE: &[&str] = &["nfs", "nfs4", "cifs", "fuse", "ceph", "lustre", "9p"];

choices! {
    /// How a file that is there is known again.
    pub enum Verify { Quick = "quick", Full = "full" }
}

params! {
    /// Puts a model's files in place: fetched once, verified, and never seen half.
    ///
    /// Files come in parallel ranges and are hashed while they come. What was fetched before a kill, a
    /// reboot or a broken line is kept, part by part. A file is put under its name only when it is whole,
    /// has the digest that its source promises, and (GGUF, safetensors) a sound header. Whether there is
    /// room is looked at before the first byte. Where several hosts share the folder, one fetches and the
    /// others wait for it: a lease with a heartbeat says who, and a holder that dies is replaced.
    ///
    /// Sources (`src`):
    ///
    /// - `https://HOST/PATH`, or `file:///PATH` and `/PATH` of this machine (a share, to stage it);
    /// - `hf://ORG/REPO[@REVISION][/FILE]`: one file, or all of them, below the folder `dest`. A branch is
    ///   resolved to its commit first; large files have their SHA-256 from there;
    /// - `ollama://NAME[:TAG]`: into Ollama's store at `dest` (`…/models`), manifest last;
    /// - `s3://BUCKET/KEY`, or `s3://BUCKET/PREFIX/` for all objects below it: with the credentials of the
    ///   instance's role (`s3:GetObject`; for a prefix `s3:ListBucket`, too).
    ///
    /// ```yaml
    /// - name: A GGUF file
    ///   lks.llm.model:
    ///     src: https://models.example.org/tiny.Q4_K_M.gguf
    ///     dest: /srv/models/tiny.gguf
    ///     sha256: 2e8040ceae7815abe0dcb3540b9995eaa1fa0d2ca9e797d0a635ae4433c68c2d
    ///
    /// - name: All weights of a repository, at one commit
    ///   lks.llm.model:
    ///     src: hf://Qwen/Qwen2.5-0.5B-Instruct@main
    ///     dest: /srv/models/qwen
    ///     include: ["*.safetensors", "*.json"]
    ///     token: "{{ hf_token | default(omit) }}"
    ///
    /// - name: A model for Ollama, on the share that all workers mount
    ///   lks.llm.model:
    ///     src: ollama://llama3
    ///     dest: /share/llm/models
    /// ```
    pub struct Model {
        /// Where it comes from.
        required src: String,
        /// Where it goes: a file, or the folder for several. A path with a slash at its end is a folder.
        required dest: HostPath,
        /// SHA-256 that a single file must have. Sources that know it need none.
        optional sha256: Option<String>,
        /// Patterns of names that are wanted of a repository; all if not given.
        optional include: Option<Vec<String>>,
        /// Token for a repository that is not open to all.
        optional token: Option<Secret<String>>,
        /// How a file that is there is known: `quick` by what was written down when it was verified (its
        /// size and time must be the same), `full` by reading all of it.
        default(Verify::Quick) verify: Verify,
        /// Connections at a time.
        default(16) connections: u32,
        /// MiB that a connection fetches at a time, and that a kill can cost it.
        default(16) part_mib: u64,
        /// The region of a bucket; that of this host if not given. A bucket that is elsewhere is found.
        optional region: Option<String>,
        /// Seconds to wait for a server that says nothing.
        default(30) timeout: u64,
        /// Seconds of silence after which another host that was fetching is taken for dead.
        default(60) lease: u64,
        /// Verify servers' certificates.
        default(true) validate_certs: bool,
        /// The Hugging Face hub, or a mirror of it.
        default("https://huggingface.co".to_owned()) hf_endpoint: String,
        /// Ollama's registry, or a mirror of it.
        default("https://registry.ollama.ai".to_owned()) ollama_registry: String,
        flatten attrs: FileAttrs,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("src", "Where it comes from, as given."),
    (
        "revision",
        "The commit that a branch was resolved to (Hugging Face).",
    ),
    (
        "files",
        "Each file: `path`, `size`, `sha256`, `url`; and if it came now: `fetched`, `resumed`, `seconds`, \
         `bytes_per_second`, `retries`, `by_another` (another host fetched it).",
    ),
    ("bytes", "Size of all files."),
    ("fetched", "Bytes that came now."),
    ("resumed", "Bytes that an earlier run had left."),
    ("seconds", "Seconds that fetching took, hashing included."),
    ("bytes_per_second", "Bytes that came, by that."),
];

/// What is there of a file.
enum There {
    /// The right one; whether that is written down already.
    Right { noted: bool },
    /// Another one, or none.
    Wrong,
}

impl Module for Model {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let source = Source::parse(self)?;
        let dest = self.dest.expand(cx.host)?;
        let found = source.find(self, cx.host, &dest)?;
        let wanted = self.attrs.resolve(cx.host)?;
        let mut plan = Plan::default();
        plan.returns.set("src", self.src.clone());
        if let Some(revision) = &found.revision {
            plan.returns.set("revision", revision.clone());
        }
        let mut missing = Vec::new();
        let mut files = Vec::new();
        for item in &found.items {
            let there = self.there(cx.host, item)?;
            files.push(described(item, matches!(there, There::Wrong)));
            match there {
                There::Wrong => missing.push(item),
                There::Right { noted } => {
                    wanted.set(&mut plan, cx.host, &item.dest, false)?;
                    if !noted {
                        self.write_down(cx, &mut plan, item)?;
                    }
                }
            }
        }
        plan.returns
            .set(
                "bytes",
                found.items.iter().map(|i| i.size).sum::<u64>() as i64,
            )
            .set("files", Value::list(files));
        if let Some(why) = self.no_room(cx.host, &missing)? {
            plan.returns.fail(why);
            return Ok(plan);
        }
        for item in missing {
            self.fetch(cx, &mut plan, item, &wanted)?;
        }
        for (path, content) in found.last {
            put(cx, &mut plan, &path, content)?;
        }
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        let (mut bytes, mut resumed, mut seconds) = (0, 0, 0.0);
        let mut done = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Fetched(fetched) => Some(fetched),
            _ => None,
        });
        let files = returns.values.get("files").and_then(Value::as_list);
        let mut files: Vec<Value> = files.map(<[Value]>::to_vec).unwrap_or_default();
        for file in &mut files {
            let Value::Map(map) = &*file else { continue };
            let mut map = (**map).clone();
            // `missing` marked those that were to come, in their order.
            if map.shift_remove("missing").is_some()
                && let Some(fetched) = done.next()
            {
                bytes += fetched.fetched;
                resumed += fetched.resumed;
                seconds += fetched.seconds;
                let speed = per_second(fetched.fetched, fetched.seconds);
                let mut set = |name: &str, value: Value| map.insert(Key::from(name), value);
                set("sha256", fetched.sha256.clone().into());
                set("fetched", (fetched.fetched as i64).into());
                set("resumed", (fetched.resumed as i64).into());
                set("seconds", thousandths(fetched.seconds).into());
                set("bytes_per_second", speed.into());
                set("retries", i64::from(fetched.retries).into());
                set("by_another", fetched.by_another.into());
            }
            *file = map.into();
        }
        returns
            .set("files", Value::list(files))
            .set("fetched", bytes as i64)
            .set("resumed", resumed as i64)
            .set("seconds", thousandths(seconds))
            .set("bytes_per_second", per_second(bytes, seconds));
        Ok(())
    }
}

impl Model {
    /// Whether the right file is there.
    fn there(&self, host: &dyn HostView, item: &Item) -> Result<There> {
        let Some(stat) = host.stat(&item.dest)?.filter(Stat::is_file) else {
            return Ok(There::Wrong);
        };
        if stat.size == Stat::SIZE_UNKNOWN {
            return Err(Error::unknown(format!(
                "what {} holds is known only once it is fetched",
                shown(&item.dest)
            )));
        }
        if stat.size != item.size {
            return Ok(There::Wrong);
        }
        let noted = item.named_by_digest || self.is_noted(host, item, &stat)?;
        if noted && self.verify == Verify::Quick {
            return Ok(There::Right { noted });
        }
        match &item.sha256 {
            Some(want) if host.digest(&item.dest, Digest::Sha256)?.as_ref() == Some(want) => {
                Ok(There::Right { noted })
            }
            // Without a digest, what was written down is all that can be known.
            None if noted => Ok(There::Right { noted }),
            _ => Ok(There::Wrong),
        }
    }

    /// Whether what was written down of the file says that it is this one.
    fn is_noted(&self, host: &dyn HostView, item: &Item, stat: &Stat) -> Result<bool> {
        let Some(text) = host.read(&note_of(&item.dest))? else {
            return Ok(false);
        };
        let note = FetchNote::read(&text);
        let same_version = match &item.sha256 {
            Some(_) => note.sha256 == item.sha256,
            None => note.is_from(&item.url, item.version.as_deref()),
        };
        Ok(note.is_of(stat.size, stat.mtime) && same_version)
    }

    /// Why there is no room for what is missing.
    fn no_room(&self, host: &dyn HostView, missing: &[&Item]) -> Result<Option<String>> {
        let Some(first) = missing.first() else {
            return Ok(None);
        };
        let mut need = 0;
        for item in missing {
            need += item.size.saturating_sub(fetched_before(host, &item.dest)?);
        }
        let mut folder = first.dest.parent().unwrap_or(Path::new("/"));
        while host.stat(folder)?.is_none() {
            folder = folder.parent().unwrap_or(Path::new("/"));
        }
        if is_remote(host, folder)? {
            return Ok(None);
        }
        let Some(space) = host.space(folder) else {
            return Ok(None);
        };
        let free = space.available.saturating_mul(space.block);
        // A file system that is full to the last byte serves nobody.
        let with_margin = need + need / 20;
        Ok((with_margin > free).then(|| {
            format!(
                "no room at {}: {} are missing (and 5 % to spare), and {} are free",
                shown(folder),
                mib(need),
                mib(free)
            )
        }))
    }

    fn fetch(&self, cx: &PlanCx<'_>, plan: &mut Plan, item: &Item, wanted: &Wanted) -> Result<()> {
        folders_for(cx, plan, &item.dest)?;
        let before = match cx.host.stat(&item.dest)? {
            Some(stat) => Value::from(state(stat.size, None)),
            None => Value::Null,
        };
        let after = state(item.size, item.sha256.as_deref());
        let fetch = Fetch {
            request: item.request.clone(),
            dest: item.dest.clone(),
            size: item.size,
            sha256: item.sha256.clone(),
            version: item.version.clone(),
            note: (!item.named_by_digest).then(|| note_of(&item.dest)),
            attrs: wanted.for_new(false),
            connections: self.connections.clamp(1, 256),
            part: self.part_mib.clamp(1, 1024) << 20,
            attempts: ATTEMPTS,
            patience: Duration::from_secs(self.lease.max(6)),
        };
        let diff = Diff::new(shown(&item.dest), before, after);
        plan.change(diff, Effect::Fetch(Box::new(fetch)));
        Ok(())
    }

    /// Writes down a file that was found right by reading all of it, so that this is done once.
    fn write_down(&self, cx: &PlanCx<'_>, plan: &mut Plan, item: &Item) -> Result<()> {
        let stat = cx.host.stat(&item.dest)?;
        let note = FetchNote {
            url: item.url.clone(),
            version: item.version.clone(),
            size: item.size,
            mtime: stat.map_or(0.0, |s| s.mtime),
            sha256: item.sha256.clone(),
        };
        plan.act(Effect::WriteFile {
            path: note_of(&item.dest),
            content: Content::Bytes(note.text().into_bytes()),
            attrs: Attrs::default(),
            backup: false,
            validate: None,
            in_place: false,
        });
        Ok(())
    }
}

/// Where it is written down what a file is.
fn note_of(dest: &Path) -> PathBuf {
    beside(dest, "model")
}

fn beside(dest: &Path, what: &str) -> PathBuf {
    let name = dest.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().take(60).collect();
    dest.with_file_name(format!(".{name}.lks-{what}"))
}

/// Bytes that an earlier run left of a file.
fn fetched_before(host: &dyn HostView, dest: &Path) -> Result<u64> {
    let text = host.read(&beside(dest, "map"))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines();
    let head: serde_json::Value =
        serde_json::from_str(lines.next().unwrap_or_default()).unwrap_or_default();
    Ok(head["part"].as_u64().unwrap_or(0) * lines.count() as u64)
}

fn is_remote(host: &dyn HostView, folder: &Path) -> Result<bool> {
    let mounts = host.mounts()?;
    let holds = mounts.iter().filter(|m| folder.starts_with(&m.target));
    // Of two mounts on the same place the later one is seen.
    let innermost = holds.max_by_key(|m| m.target.len());
    Ok(innermost.is_some_and(|m| REMOTE.iter().any(|r| m.fstype.starts_with(r))))
}

/// Makes the folders that lead to a file, unless another file of this plan has them made already.
fn folders_for(cx: &PlanCx<'_>, plan: &mut Plan, path: &Path) -> Result<()> {
    for dir in missing_parents(cx.host, path)? {
        let made = |c: &Change| matches!(&c.effect, Effect::MakeDir { path, .. } if *path == dir);
        if !plan.changes.iter().any(made) {
            let diff = new_dir_diff(&dir);
            let attrs = Attrs::default();
            plan.change(diff, Effect::MakeDir { path: dir, attrs });
        }
    }
    Ok(())
}

/// Writes a small file, if it differs.
fn put(cx: &PlanCx<'_>, plan: &mut Plan, path: &Path, content: Vec<u8>) -> Result<()> {
    let is = cx.host.read(path)?;
    if is.as_ref() == Some(&content) {
        return Ok(());
    }
    folders_for(cx, plan, path)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let diff = Diff::new(shown(path), is.as_deref().map(text), text(&content));
    let effect = Effect::WriteFile {
        path: path.to_owned(),
        content: Content::Bytes(content),
        attrs: Attrs::default(),
        backup: false,
        validate: None,
        in_place: false,
    };
    plan.change(diff, effect);
    Ok(())
}

fn state(size: u64, sha256: Option<&str>) -> Map {
    let mut map = Map::new();
    map.insert(Key::from("size"), (size as i64).into());
    if let Some(sha256) = sha256 {
        map.insert(Key::from("sha256"), sha256.into());
    }
    map
}

fn described(item: &Item, missing: bool) -> Value {
    let mut map = Map::new();
    let mut set = |name: &str, value: Value| map.insert(Key::from(name), value);
    set("path", shown(&item.dest).into());
    set("size", (item.size as i64).into());
    set("sha256", item.sha256.clone().into());
    set("url", item.url.clone().into());
    if missing {
        set("missing", true.into());
    }
    map.into()
}

fn per_second(bytes: u64, seconds: f64) -> i64 {
    if seconds > 0.0 {
        (bytes as f64 / seconds) as i64
    } else {
        0
    }
}

fn thousandths(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
