//! Files of weights: whether the beginning of one says that it is whole.
//!
//! GGUF: `docs/gguf.md` of ggml. Safetensors: the format section of its README (eight bytes of length, a
//! JSON header of at most 100 MB, and data that the header's offsets cover without a gap at the end).

use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// Longest header that safetensors allow.
const MAX_HEADER: u64 = 100_000_000;

/// Checks a file of weights by its name's ending; other files pass.
///
/// # Errors
/// When it is not what its name says, or not whole.
pub(super) fn check(path: &Path, content: &mut dyn Read, size: u64) -> Result<()> {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let wrong = |why: String| Error::host(format!("{} is {why}", path.display()));
    match ending.to_str() {
        Some("gguf") => gguf(content).map_err(wrong),
        Some("safetensors") => safetensors(content, size).map_err(wrong),
        _ => Ok(()),
    }
}

/// The error of a digest that is another one.
pub(super) fn wrong_digest(url: &str, is: &str, want: &str) -> Error {
    Error::host(format!("the SHA-256 of {url} is {is}, and not {want}"))
        .hint("the file changed where it comes from, or the wanted digest is of another version")
}

fn read<const N: usize>(content: &mut dyn Read) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    content
        .read_exact(&mut bytes)
        .map_err(|_| "too short for a file of weights".to_owned())?;
    Ok(bytes)
}

fn gguf(content: &mut dyn Read) -> Result<(), String> {
    let magic = read::<4>(content)?;
    if &magic != b"GGUF" {
        return Err("no GGUF file: a page that says why may have come in its place".into());
    }
    let version = u32::from_le_bytes(read::<4>(content)?);
    if !(1..=3).contains(&version) {
        return Err(format!(
            "a GGUF file of version {version}, and not of 1 to 3"
        ));
    }
    match u64::from_le_bytes(read::<8>(content)?) {
        0 if version > 1 => Err("a GGUF file without tensors".into()),
        _ => Ok(()),
    }
}

fn safetensors(content: &mut dyn Read, size: u64) -> Result<(), String> {
    let length = u64::from_le_bytes(read::<8>(content)?);
    if length > MAX_HEADER || length + 8 > size {
        return Err(format!(
            "no safetensors file: its header would have {length} bytes"
        ));
    }
    let mut header = Vec::new();
    let got = content.take(length).read_to_end(&mut header);
    if got.ok().map(|n| n as u64) != Some(length) {
        return Err("no safetensors file: its header is cut".into());
    }
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&header)
        .map_err(|_| "no safetensors file: its header is no JSON".to_owned())?;
    let end = header
        .iter()
        .filter(|(name, _)| *name != "__metadata__")
        .filter_map(|(_, tensor)| tensor["data_offsets"][1].as_u64())
        .max()
        .unwrap_or(0);
    let whole = 8 + length + end;
    match whole == size {
        true => Ok(()),
        false => Err(format!(
            "no whole safetensors file: it has {size} bytes, and its header speaks of {whole}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &str, bytes: &[u8]) -> Result<(), String> {
        check(Path::new(name), &mut &bytes[..], bytes.len() as u64).map_err(|e| e.message())
    }

    #[test]
    fn gguf_is_known_by_its_head() {
        let head = |version: u32, tensors: u64| {
            let mut bytes = b"GGUF".to_vec();
            bytes.extend(version.to_le_bytes());
            bytes.extend(tensors.to_le_bytes());
            bytes
        };
        assert_eq!(judged("m.gguf", &head(3, 7)), Ok(()));
        for (bytes, why) in [
            (head(9, 7), "version 9"),
            (head(3, 0), "without tensors"),
            (b"<!DOCTYPE html>".to_vec(), "no GGUF file"),
            (b"GG".to_vec(), "too short"),
        ] {
            let said = judged("M.GGUF", &bytes).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        assert_eq!(judged("README.md", b"x"), Ok(()));
    }

    #[test]
    fn safetensors_are_whole_if_their_offsets_say_so() {
        let file = |end: u64, data: usize| {
            let header = format!(
                r#"{{"__metadata__":{{"format":"pt"}},"a":{{"dtype":"F32","shape":[1],"data_offsets":[0,{end}]}}}}"#
            );
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
            bytes.extend(vec![0; data]);
            bytes
        };
        assert_eq!(judged("m.safetensors", &file(4, 4)), Ok(()));
        let said = judged("m.safetensors", &file(8, 4)).unwrap_err();
        assert!(said.contains("no whole safetensors"), "{said}");
        let said = judged("m.safetensors", &[255; 20]).unwrap_err();
        assert!(said.contains("header would have"), "{said}");
    }
}
