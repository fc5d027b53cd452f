//! Models to fetch: weights that are made on the spot, a server that counts what it sends, and a registry.

pub mod registry;
mod server;

pub use server::Server;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::rig::{Attempt, Failure, Result};

/// Writes `size` bytes that no two parts of have in common (a xorshift's): not to be guessed, nor packed.
pub fn make(path: &Path, size: u64) -> Result<()> {
    write(path, &[], size)
}

/// Writes a sound file of safetensors with one tensor, `size` bytes in all (its README's format section).
pub fn make_safetensors(path: &Path, size: u64) -> Result<()> {
    // The header may be padded: so its length does not depend on the digits of the tensor's.
    const HEADER: u64 = 256;
    let weights = size
        .checked_sub(8 + HEADER)
        .ok_or_else(|| Failure::new("too small for a header"))?;
    let tensor = serde_json::json!({
        "weights": {"dtype": "U8", "shape": [weights], "data_offsets": [0, weights]},
    });
    let mut head = HEADER.to_le_bytes().to_vec();
    head.extend(tensor.to_string().bytes());
    head.resize(8 + HEADER as usize, b' ');
    write(path, &head, size)
}

/// Writes `head`, and then made-up bytes up to `size`.
fn write(path: &Path, head: &[u8], size: u64) -> Result<()> {
    let file = File::create(path).attempt(format_args!("cannot make {}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(head)?;
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut block = [0; 8192];
    let mut left = size - head.len() as u64;
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
