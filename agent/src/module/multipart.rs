//! Bodies of the type `multipart/form-data`.

use super::attrs::shown;
use crate::error::{Error, Result};
use crate::host::HostView;
use crate::value::{Map, Value};
use base64::Engine as _;
use std::path::Path;

/// A mapping of fields as a body, and its content type. A field is text, or a mapping with
/// `content` or `filename`, and perhaps `mime_type` and `multipart_encoding`.
///
/// # Errors
/// When a field is something else, or a file cannot be read.
pub fn multipart(host: &dyn HostView, body: &Value) -> Result<(String, Vec<u8>)> {
    let Value::Map(fields) = body else {
        return Err(Error::params(format!(
            "body must be mapping, cannot be type {}",
            body.type_name()
        )));
    };
    let mut names: Vec<String> = fields.keys().map(ToString::to_string).collect();
    names.sort();
    let mut parts = Vec::new();
    for name in names {
        let value = fields.get(name.as_str()).unwrap_or(&Value::Null);
        parts.push(part(host, &name, value)?);
    }
    let boundary = boundary(host, &parts);
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        out.extend(part);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((format!("multipart/form-data; boundary=\"{boundary}\""), out))
}

/// A line that is in none of the parts.
fn boundary(host: &dyn HostView, parts: &[Vec<u8>]) -> String {
    let mut number = (host.now() * 1e6) as u64;
    loop {
        let boundary = format!("==============={number:019}==");
        let bytes = boundary.as_bytes();
        if !parts
            .iter()
            .any(|part| part.windows(bytes.len()).any(|w| w == bytes))
        {
            return boundary;
        }
        number += 1;
    }
}

/// One part: its headers, an empty line, its content.
fn part(host: &dyn HostView, name: &str, value: &Value) -> Result<Vec<u8>> {
    let field = match value {
        Value::Str(text) => {
            return Ok(written(name, None, "text/plain", None, text.as_bytes()));
        }
        Value::Map(field) => field,
        other => {
            return Err(Error::params(format!(
                "value must be a string, or mapping, cannot be type {}",
                other.type_name()
            )));
        }
    };
    let text = |key: &str| -> Option<String> {
        field
            .get(key)
            .and_then(Value::as_str)
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
    };
    let filename = text("filename");
    let base = filename
        .as_deref()
        .map(|f| f.rsplit('/').next().unwrap_or(f));
    let guessed = || mime_of(filename.as_deref().unwrap_or_default()).to_owned();
    let mime = text("mime_type").unwrap_or_else(guessed);
    match (text("content"), &filename) {
        (Some(content), _) => Ok(written(name, base, &mime, None, content.as_bytes())),
        (None, Some(file)) => {
            let bytes = file_content(host, Path::new(file))?;
            let (encoding, bytes) = encoded(field, &bytes)?;
            Ok(written(name, base, &mime, Some(encoding), &bytes))
        }
        (None, None) => Err(Error::params(
            "at least one of filename or content must be provided",
        )),
    }
}

/// A file beside the playbook, or else on the host.
fn file_content(host: &dyn HostView, path: &Path) -> Result<Vec<u8>> {
    if host.asset(path)?.is_some() {
        return host.asset_read(path);
    }
    host.read(path)?
        .ok_or_else(|| Error::host(format!("cannot find {}", shown(path))))
}

fn encoded(field: &Map, bytes: &[u8]) -> Result<(&'static str, Vec<u8>)> {
    match field
        .get("multipart_encoding")
        .and_then(Value::as_str)
        .unwrap_or("base64")
    {
        "base64" => {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            // Mail's line length, which servers are used to.
            let lines: Vec<&[u8]> = text.as_bytes().chunks(76).collect();
            Ok(("base64", lines.join(&b"\r\n"[..])))
        }
        "7or8bit" if bytes.is_ascii() => Ok(("7bit", bytes.to_vec())),
        "7or8bit" => Ok(("8bit", bytes.to_vec())),
        other => Err(Error::params(format!(
            "multipart_encoding must be one of base64, 7or8bit, not {other}"
        ))),
    }
}

fn written(
    name: &str,
    filename: Option<&str>,
    mime: &str,
    encoding: Option<&str>,
    content: &[u8],
) -> Vec<u8> {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut head = format!("Content-Type: {mime}\r\n");
    if let Some(encoding) = encoding {
        head.push_str(&format!("Content-Transfer-Encoding: {encoding}\r\n"));
    }
    head.push_str(&format!(
        "Content-Disposition: form-data; name=\"{}\"",
        quoted(name)
    ));
    if let Some(filename) = filename {
        head.push_str(&format!("; filename=\"{}\"", quoted(filename)));
    }
    head.push_str("\r\n\r\n");
    let mut out = head.into_bytes();
    out.extend_from_slice(content);
    out
}

/// The type of a file by its name.
fn mime_of(name: &str) -> &'static str {
    match name
        .rsplit_once('.')
        .map(|(_, ext)| ext.to_ascii_lowercase())
        .as_deref()
    {
        Some("txt" | "log" | "conf") => "text/plain",
        Some("htm" | "html") => "text/html",
        Some("css") => "text/css",
        Some("csv") => "text/csv",
        Some("js") => "text/javascript",
        Some("json") => "application/json",
        Some("xml") => "text/xml",
        Some("pdf") => "application/pdf",
        Some("zip") => "application/zip",
        Some("tar") => "application/x-tar",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
