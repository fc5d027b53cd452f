//! What the modules for language models share: the runtimes, and how each of them is asked.
//!
//! Endpoints are those of the projects' own documentation: Ollama `docs/api.md`, vLLM and SGLang "OpenAI
//! compatible server", llama.cpp `tools/server/README.md`.

pub mod container;
pub mod finding;
pub mod listening;
pub mod nvidia;
pub mod quote;
pub mod share;
pub mod version;
pub mod weights;
pub mod xid;
pub mod xml;

use crate::choices;
use crate::host::Request;
use crate::secret::Secret;
use std::time::Duration;

choices! {
    /// A program that serves language models.
    pub enum Runtime {
        Ollama = "ollama",
        Vllm = "vllm",
        LlamaCpp = "llama_cpp" | "llama.cpp",
        Sglang = "sglang",
        Tgi = "tgi",
        OpenAi = "openai",
    }
}

impl Runtime {
    /// The port on which it listens when nothing else is said.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Ollama => 11434,
            Self::Vllm | Self::OpenAi => 8000,
            Self::LlamaCpp => 8080,
            Self::Sglang => 30000,
            Self::Tgi => 3000,
        }
    }

    /// The path that answers at once, whatever the server computes meanwhile.
    #[must_use]
    pub const fn liveness(self) -> &'static str {
        match self {
            Self::Ollama => "/api/version",
            Self::Vllm | Self::LlamaCpp | Self::Sglang => "/health",
            // Its `/health` computes a token, so that a busy server does not answer it.
            Self::Tgi => "/info",
            Self::OpenAi => "/v1/models",
        }
    }

    /// The path that lists models.
    #[must_use]
    pub const fn list(self) -> &'static str {
        match self {
            Self::Ollama => "/api/tags",
            _ => "/v1/models",
        }
    }

    /// Whether a server that lists a model may yet have to load it.
    #[must_use]
    pub const fn loads_late(self) -> bool {
        matches!(self, Self::Ollama)
    }

    /// Whether two names mean the same model: Ollama calls `llama3` also `llama3:latest`.
    #[must_use]
    pub fn same_model(self, one: &str, other: &str) -> bool {
        let plain = |name: &'_ str| match self {
            Self::Ollama => name.strip_suffix(":latest").unwrap_or(name).to_owned(),
            _ => name.to_owned(),
        };
        plain(one) == plain(other)
    }
}

/// A server of a runtime, and how it is reached.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its URL without a path, and without a slash at the end.
    pub url: String,
    /// What it asks for as a bearer token.
    pub api_key: Option<Secret<String>>,
    /// Whether its certificate is verified.
    pub validate_certs: bool,
}

impl Server {
    /// A request without a body.
    #[must_use]
    pub fn get(&self, path: &str, timeout: Duration) -> Request {
        let mut request = Request::new("GET", format!("{}{path}", self.url));
        request.timeout = timeout;
        request.validate_certs = self.validate_certs;
        if let Some(key) = &self.api_key {
            let value = format!("Bearer {}", key.reveal());
            request.headers.push(("Authorization".into(), value));
        }
        request
    }

    /// A request with a JSON body.
    #[must_use]
    pub fn post(&self, path: &str, body: &serde_json::Value, timeout: Duration) -> Request {
        let mut request = self.get(path, timeout);
        request.method = "POST".into();
        let kind = ("Content-Type".into(), "application/json".into());
        request.headers.push(kind);
        request.body = Some(body.to_string().into_bytes());
        request
    }

    /// Host and port of the URL.
    #[must_use]
    pub fn address(&self) -> Option<(String, u16)> {
        let (scheme, rest) = self.url.split_once("://")?;
        let place = rest.split(['/', '?', '#']).next()?;
        let place = place.rsplit_once('@').map_or(place, |(_, p)| p);
        let usual = if scheme.eq_ignore_ascii_case("https") {
            443
        } else {
            80
        };
        // An IPv6 address stands in brackets.
        let (host, port) = match place.strip_prefix('[').and_then(|p| p.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => place
                .split_once(':')
                .map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Some(usual), |p| p.parse().ok())?;
        (!host.is_empty()).then(|| (host.to_owned(), port))
    }
}

/// The names in a list of models, as each runtime writes it.
#[must_use]
pub fn listed(body: &[u8]) -> Vec<String> {
    let Ok(list) = serde_json::from_slice::<serde_json::Value>(body) else {
        return Vec::new();
    };
    let (models, key) = match (&list["data"], &list["models"]) {
        (serde_json::Value::Array(data), _) => (data.as_slice(), "id"),
        (_, serde_json::Value::Array(models)) => (models.as_slice(), "name"),
        _ => return Vec::new(),
    };
    let names = models.iter().filter_map(|m| m[key].as_str());
    names.map(str::to_owned).collect()
}

/// What an error answer says, in each runtime's form; the beginning of the body if it has none of them.
#[must_use]
pub fn complaint(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let said = [
        &json["error"]["message"],
        &json["error"],
        &json["message"],
        &json["detail"],
    ];
    let said = said.into_iter().find_map(serde_json::Value::as_str);
    let text = said.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    text.trim().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_out_of_urls() {
        let server = |url: &str| Server {
            url: url.into(),
            api_key: None,
            validate_certs: true,
        };
        for (url, want) in [
            ("http://127.0.0.1:11434", Some(("127.0.0.1", 11434))),
            ("https://llm.example.org", Some(("llm.example.org", 443))),
            ("http://[::1]:8000", Some(("::1", 8000))),
            ("http://[::1]", Some(("::1", 80))),
            ("http://u:p@h:1/x", Some(("h", 1))),
            ("http://h:port", None),
            ("h", None),
        ] {
            let want = want.map(|(h, p)| (h.to_owned(), p));
            assert_eq!(server(url).address(), want, "{url}");
        }
    }

    #[test]
    fn models_are_listed_in_both_forms() {
        let ollama = br#"{"models": [{"name": "llama3:latest", "model": "llama3:latest"}]}"#;
        assert_eq!(listed(ollama), ["llama3:latest"]);
        // llama.cpp answers with both.
        let both =
            br#"{"models": [{"name": "/srv/a.gguf"}], "object": "list", "data": [{"id": "a"}]}"#;
        assert_eq!(listed(both), ["a"]);
        assert!(listed(b"no json").is_empty());
        assert!(Runtime::Ollama.same_model("llama3", "llama3:latest"));
        assert!(!Runtime::Vllm.same_model("a", "a:latest"));
    }

    #[test]
    fn complaints_are_found_in_every_form() {
        for (body, want) in [
            (r#"{"error": "model 'x' not found"}"#, "model 'x' not found"),
            (
                r#"{"error": {"message": "Loading model", "code": 503}}"#,
                "Loading model",
            ),
            (
                r#"{"object": "error", "message": "no such model"}"#,
                "no such model",
            ),
            (r#"{"detail": "Not Found"}"#, "Not Found"),
            ("Bad Gateway\n", "Bad Gateway"),
        ] {
            assert_eq!(complaint(body.as_bytes()), want);
        }
    }
}
