//! How many requests a server is answering: by its own counters where it has some, else by the connections
//! to its port.
//!
//! Counters are those of the projects' documentation: vLLM "Production metrics", SGLang "Production
//! metrics", llama.cpp `tools/server/README.md` (`/slots`). Ollama has none.

use super::Target;
use crate::host::{HostView, Probe};
use crate::module::llm::{Runtime, Server};
use std::time::Duration;

/// A server answers what it counts without computing.
const GLANCE: Duration = Duration::from_secs(5);

/// What is watched until nothing is in flight.
pub struct Flight {
    pub probe: Probe,
    /// What it is, for people.
    pub what: String,
}

impl Flight {
    pub fn of(target: &Target, host: &dyn HostView, port: Option<u16>) -> Option<Self> {
        let counted = target.runtime.and_then(|r| counters(target, host, r, port));
        counted.or_else(|| {
            let port = port?;
            Some(Self {
                probe: Probe::PortDrained {
                    host: "0.0.0.0".into(),
                    port,
                    except: target.exclude_hosts.clone().unwrap_or_default(),
                    states: ["ESTABLISHED", "SYN_RECV"].map(String::from).to_vec(),
                },
                what: format!("connections to port {port}"),
            })
        })
    }
}

fn counters(
    target: &Target,
    host: &dyn HostView,
    runtime: Runtime,
    port: Option<u16>,
) -> Option<Flight> {
    // Where, what says that nothing is in flight, and by which word the counters are known.
    let (path, pattern, word) = match runtime {
        Runtime::Vllm => (
            "/metrics",
            none_above_zero("vllm:num_requests_(?:running|waiting)"),
            "vllm:num_",
        ),
        Runtime::Sglang => (
            "/metrics",
            none_above_zero("sglang:num_(?:running|queue)_reqs"),
            "sglang:num_",
        ),
        Runtime::Tgi => (
            "/metrics",
            none_above_zero("tgi_(?:queue_size|batch_current_size)"),
            "tgi_queue_size",
        ),
        Runtime::LlamaCpp => (
            "/slots",
            r#"\A(?![\s\S]*"is_processing"\s*:\s*true)[\s\S]*"is_processing""#.to_owned(),
            "is_processing",
        ),
        Runtime::Ollama | Runtime::OpenAi => return None,
    };
    let usual = || format!("http://127.0.0.1:{}", port.unwrap_or(runtime.port()));
    let url = target.url.clone().unwrap_or_else(usual);
    let server = Server {
        url: url.trim_end_matches('/').to_owned(),
        api_key: target.api_key.clone(),
        validate_certs: true,
    };
    let request = server.get(path, GLANCE);
    // Servers may have their counters off: then there are none to wait for.
    let answer = host.fetch(&request).ok().filter(|a| a.status == 200)?;
    String::from_utf8_lossy(&answer.body)
        .contains(word)
        .then(|| Flight {
            probe: Probe::Answer {
                request: Box::new(request),
                search: Some(pattern),
                hopeless: Vec::new(),
            },
            what: format!("requests by {}{path}", server.url),
        })
}

/// A page of Prometheus' that has the counter, and nowhere above zero.
fn none_above_zero(counter: &str) -> String {
    let value = r"(?:\{[^}]*\})?[ \t]+";
    format!(
        r"\A(?![\s\S]*^{counter}{value}(?!0(?:\.0*)?(?:e[+-]?\d+)?\s*$))[\s\S]*^{counter}{value}0"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(counter: &str, page: &str) -> bool {
        let pattern = format!("(?m){}", none_above_zero(counter));
        fancy_regex::Regex::new(&pattern)
            .unwrap()
            .is_match(page)
            .unwrap()
    }

    #[test]
    fn a_page_of_counters_tells_when_nothing_is_in_flight() {
        let counter = "vllm:num_requests_(?:running|waiting)";
        let page = |running: &str, waiting: &str| {
            format!(
                "# HELP vllm:num_requests_running Number of requests\n\
                 vllm:num_requests_running{{engine=\"0\",model_name=\"m\"}} {running}\n\
                 vllm:num_requests_waiting{{engine=\"0\",model_name=\"m\"}} {waiting}\n\
                 vllm:other 7.0\n"
            )
        };
        assert!(matches(counter, &page("0.0", "0.0")));
        assert!(!matches(counter, &page("1.0", "0.0")));
        assert!(!matches(counter, &page("0.0", "12.0")));
        assert!(!matches(counter, "vllm:other 0.0\n"));
        let two = format!(
            "{}vllm:num_requests_running{{engine=\"1\"}} 2.0\n",
            page("0.0", "0.0")
        );
        assert!(!matches(counter, &two), "a second engine is busy");
    }
}
