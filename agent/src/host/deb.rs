//! What a Debian package's file says that it would bring.

use super::pending::merged;
use super::tree::{Body, Data, Node, new_stat};
use super::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const CACHE: &str = "/var/cache/apt/archives";

/// A package's files and scripts.
pub(super) struct Shipped {
    files: BTreeMap<PathBuf, Node>,
    /// The archive of its control files, uncompressed: its scripts as text.
    control: Vec<u8>,
}

impl Shipped {
    /// Reads the package's file in apt's cache, if it is there. Asked twice, one would do: what
    /// cannot be read is not known.
    pub fn find(base: &dyn HostView, name: &str, version: Option<&str>) -> Option<Self> {
        let path = cached(base, name, version)?;
        let ask = |flag: &str| {
            let output = base.query(&Command::new(["dpkg-deb", flag, &path])).ok()?;
            output.success().then_some(output.stdout)
        };
        let listing = ask("--contents")?;
        let control = ask("--ctrl-tarfile")?;
        let why = format!("what the package {name} brings is known only once it is installed");
        let listing = String::from_utf8_lossy(&listing);
        let files = listing.lines().filter_map(|l| entry(l, &why, base.now()));
        Some(Self {
            files: files.collect(),
            control,
        })
    }

    /// The entry it would put at a path.
    pub fn node(&self, path: &Path) -> Option<Node> {
        self.files.get(&merged(path)).cloned()
    }

    /// Names that it would put into a directory.
    pub fn names(&self, dir: &Path) -> Vec<String> {
        let dir = merged(dir);
        let inside = self.files.keys().filter(|p| p.parent() == Some(&dir));
        inside
            .filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
            .collect()
    }

    /// Whether it ships a unit of this name for the system.
    pub fn unit(&self, name: &str) -> bool {
        ["/usr/lib/systemd/system", "/etc/systemd/system"]
            .iter()
            .any(|dir| self.files.contains_key(&Path::new(dir).join(name)))
    }

    /// Whether accounts are declared in a file of it.
    pub fn has_sysusers(&self) -> bool {
        let dir = Path::new("/usr/lib/sysusers.d");
        self.files
            .keys()
            .any(|p| p.starts_with(dir) && p.as_path() != dir)
    }

    /// Whether its scripts have this word.
    pub fn mentions(&self, word: &str) -> bool {
        let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@');
        let word = word.as_bytes();
        self.control
            .windows(word.len().max(1))
            .enumerate()
            .filter(|(_, found)| *found == word)
            .any(|(at, _)| {
                let before = at.checked_sub(1).map(|i| self.control[i]);
                let after = self.control.get(at + word.len()).copied();
                !before.is_some_and(part) && !after.is_some_and(part)
            })
    }
}

/// The package's file in apt's cache (`NAME_VERSION_ARCH.deb`, an epoch's colon as `%3a`).
fn cached(base: &dyn HostView, name: &str, version: Option<&str>) -> Option<String> {
    let name = name.split(':').next()?;
    let start = match version {
        Some(version) => format!("{name}_{}_", version.replace(':', "%3a")),
        None => format!("{name}_"),
    };
    let names = base.list(Path::new(CACHE)).ok()??;
    let mut found = names
        .iter()
        .filter(|n| n.starts_with(&start) && n.ends_with(".deb"));
    let first = found.next()?;
    // Of several versions nobody knows which one it will be.
    found.next().is_none().then(|| format!("{CACHE}/{first}"))
}

/// A line of `dpkg-deb --contents`: `-rwxr-xr-x root/root 1234 2023-01-31 12:00 ./usr/bin/x`.
fn entry(line: &str, why: &str, now: f64) -> Option<(PathBuf, Node)> {
    let (mode, rest) = line.split_once(' ')?;
    let mut rest = rest.trim_start();
    let mut fields = Vec::new();
    for _ in 0..4 {
        let (field, more) = rest.split_once(' ')?;
        fields.push(field);
        rest = more.trim_start();
    }
    let path = rest.strip_prefix('.')?;
    let (path, target) = match path.split_once(" -> ") {
        Some((path, target)) => (path, Some(target)),
        None => (path.split(" link to ").next()?, None),
    };
    let (kind, body) = match (mode.chars().next()?, target) {
        ('d', _) => (FileKind::Dir, Body::Dir),
        ('l', Some(target)) => (FileKind::Link, Body::Link(target.into())),
        ('-' | 'h', _) => (FileKind::File, Body::File(Data::Unknown(why.into()))),
        _ => return None,
    };
    let mut stat = new_stat(kind, mode_bits(mode), 0, 0, now);
    stat.size = fields[1].parse().unwrap_or(0);
    let sealed = false;
    let path = merged(Path::new(path.trim_end_matches('/')));
    Some((path, Node { stat, body, sealed }))
}

/// The permission bits of `-rwsr-xr-t`.
fn mode_bits(text: &str) -> u32 {
    text.chars()
        .skip(1)
        .take(9)
        .enumerate()
        .fold(0, |mode, (i, c)| {
            let bit = 0o400 >> i;
            let special = [0o4000, 0o2000, 0o1000][i / 3];
            mode | match c {
                '-' => 0,
                's' | 't' => special | bit,
                'S' | 'T' => special,
                _ => bit,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_read() {
        let line = "-rwsr-xr-x root/root     65648 2023-03-08 17:20 ./usr/bin/my tool";
        let (path, node) = entry(line, "", 0.0).unwrap();
        assert_eq!(path, Path::new("/usr/bin/my tool"));
        assert_eq!((node.stat.mode, node.stat.size), (0o4755, 65648));
        let line = "lrwxrwxrwx root/root 0 2023-03-08 17:20 ./bin/nc -> /etc/alternatives/nc";
        let (path, node) = entry(line, "", 0.0).unwrap();
        assert_eq!(path, Path::new("/usr/bin/nc"));
        assert!(matches!(node.body, Body::Link(t) if t == Path::new("/etc/alternatives/nc")));
        assert!(entry("drwxr-xr-x root/root", "", 0.0).is_none());
    }
}
