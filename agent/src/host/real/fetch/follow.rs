//! The digest of a file that is still coming: a thread reads behind the parts that are there, out of the
//! page cache, so that hashing costs no time of its own once the last part has come.

use super::super::*;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Condvar, Mutex};
use std::thread::JoinHandle;

/// How far the file is there without a gap, and whether more will come.
#[derive(Default)]
struct State {
    there: u64,
    over: bool,
}

/// The hashing thread.
pub(super) struct Follower {
    shared: Arc<(Mutex<State>, Condvar)>,
    thread: Option<JoinHandle<std::io::Result<String>>>,
}

impl Follower {
    /// Follows this file.
    pub(super) fn new(file: File) -> Self {
        let shared = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || follow(&file, &theirs));
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// The file is there up to this byte.
    pub(super) fn is_there(&self, end: u64) {
        self.update(|state| state.there = state.there.max(end));
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let (state, changed) = &*self.shared;
        change(&mut state.lock().unwrap_or_else(|e| e.into_inner()));
        changed.notify_one();
    }

    /// The digest, once all of the file is hashed.
    pub(super) fn finish(mut self) -> Result<String> {
        self.update(|state| state.over = true);
        let thread = self.thread.take();
        let done = thread.and_then(|t| t.join().ok());
        match done {
            Some(Ok(hex)) => Ok(hex),
            Some(Err(e)) => Err(Error::host("cannot read what was fetched").caused_by(e)),
            None => Err(Error::host("hashing what was fetched failed")),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.update(|state| state.over = true);
    }
}

fn follow(file: &File, shared: &(Mutex<State>, Condvar)) -> std::io::Result<String> {
    let mut hasher = Hasher::new(Digest::Sha256);
    // What was copied must still lie in the core's own cache when it is hashed.
    let mut buffer = vec![0; 128 << 10];
    let mut at = 0;
    loop {
        let there = {
            let (state, changed) = shared;
            let mut state = state.lock().unwrap_or_else(|e| e.into_inner());
            while state.there <= at && !state.over {
                state = changed.wait(state).unwrap_or_else(|e| e.into_inner());
            }
            if state.there <= at {
                return Ok(hasher.hex());
            }
            state.there
        };
        while at < there {
            let want = (there - at).min(buffer.len() as u64) as usize;
            file.read_exact_at(&mut buffer[..want], at)?;
            hasher.update(&buffer[..want]);
            at += want as u64;
        }
    }
}
