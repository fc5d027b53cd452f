//! The real host, under a folder of its own and against a server of its own.

mod downloads;
mod fetches;
mod files;
mod patience;
mod processes;
mod server;
mod system;
mod tls;

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("lks-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(std::fs::canonicalize(path).unwrap())
    }
    fn host(&self) -> RealHost {
        RealHost::under(&self.0)
    }
    fn path(&self, below: &str) -> PathBuf {
        self.0.join(below)
    }
    fn write(&self, below: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
    fn text(&self, below: &str) -> String {
        std::fs::read_to_string(self.path(below)).unwrap()
    }
    fn names(&self, below: &str) -> Vec<String> {
        super::files::list(&self.path(below)).unwrap().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn apply(host: &mut RealHost, effect: Effect) -> Result<Outcome> {
    host.apply(&effect, &|_| {})
}

fn write(path: impl Into<PathBuf>, content: &[u8]) -> Effect {
    Effect::WriteFile {
        path: path.into(),
        content: Content::Bytes(content.to_vec()),
        attrs: Attrs::default(),
        backup: false,
        validate: None,
        in_place: false,
    }
}
