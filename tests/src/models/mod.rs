//! Large files to fetch: weights that are made on the spot, and a server that counts what it sends.

mod server;

pub use server::Server;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::rig::{Attempt, Result};

/// Writes `size` bytes that no two parts of have in common (a xorshift's): not to be guessed, nor packed.
pub fn make(path: &Path, size: u64) -> Result<()> {
    let file = File::create(path).attempt(format_args!("cannot make {}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut block = [0; 8192];
    let mut left = size;
    while left > 0 {
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        let count = left.min(block.len() as u64);
        out.write_all(&block[..count as usize])?;
        left -= count;
    }
    out.flush()?;
    Ok(())
}
