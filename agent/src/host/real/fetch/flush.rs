//! Bytes go to the disk while others still come: the kernel alone would begin when a tenth of the memory
//! is full of them, and the sync in the end would then wait for nearly all.

use std::fs::File;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Bytes after which the disk is asked to take them.
const STEP: u64 = 64 << 20;

/// The thread that syncs.
pub(super) struct Flusher {
    written: std::cell::Cell<u64>,
    /// Gone when it is to end.
    ask: Option<SyncSender<()>>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Flusher {
    /// Syncs this file from time to time.
    pub(super) fn new(file: File) -> Self {
        // One round may wait while another is under way; a third would find nothing to do.
        let (ask, asked) = sync_channel(1);
        Self {
            written: std::cell::Cell::new(0),
            ask: Some(ask),
            thread: Some(std::thread::spawn(move || flush(&file, &asked))),
        }
    }

    /// So many bytes were written.
    pub(super) fn has_written(&self, count: u64) {
        let all = self.written.get() + count;
        self.written.set(all % STEP);
        if all >= STEP
            && let Some(ask) = &self.ask
        {
            let _ = ask.try_send(());
        }
    }

    /// Ends it. The kernel tells once that bytes did not reach the disk: if it was told here, that is the
    /// error.
    pub(super) fn finish(mut self) -> std::io::Result<()> {
        self.ask = None;
        let thread = self.thread.take();
        thread.and_then(|t| t.join().ok()).unwrap_or(Ok(()))
    }
}

fn flush(file: &File, asked: &Receiver<()>) -> std::io::Result<()> {
    while asked.recv().is_ok() {
        file.sync_data()?;
    }
    Ok(())
}
