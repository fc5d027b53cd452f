//! What differs between the runtimes besides their settings.

use super::{Kind, Runtime};

impl Kind {
    /// Where the runtime's own data lies in its image.
    pub(super) const fn home(self) -> &'static str {
        match self {
            Self::Ollama => "/root/.ollama",
            Self::Vllm | Self::Sglang => "/root/.cache/huggingface",
            Self::LlamaCpp => "/root/.cache/llama.cpp",
            Self::Tgi => "/data",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Ollama => "Ollama",
            Self::Vllm => "vLLM",
            Self::LlamaCpp => "llama.cpp",
            Self::Sglang => "SGLang",
            Self::Tgi => "Text Generation Inference",
        }
    }

    pub(super) const fn pages(self) -> &'static str {
        match self {
            Self::Ollama => "https://docs.ollama.com",
            Self::Vllm => "https://docs.vllm.ai",
            Self::LlamaCpp => "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
            Self::Sglang => "https://docs.sglang.ai",
            Self::Tgi => "https://huggingface.co/docs/text-generation-inference",
        }
    }

    pub(super) const fn name_flag(self) -> Option<&'static str> {
        match self {
            Self::Vllm | Self::Sglang => Some("--served-model-name"),
            Self::LlamaCpp => Some("--alias"),
            Self::Ollama | Self::Tgi => None,
        }
    }

    /// The same in the words of `ready`.
    #[must_use]
    pub const fn runtime(self) -> Runtime {
        match self {
            Self::Ollama => Runtime::Ollama,
            Self::Vllm => Runtime::Vllm,
            Self::LlamaCpp => Runtime::LlamaCpp,
            Self::Sglang => Runtime::Sglang,
            Self::Tgi => Runtime::Tgi,
        }
    }

    /// The program of the host, and the one in the image.
    #[must_use]
    pub fn program(self, inside: bool) -> Vec<String> {
        match (self, inside) {
            (Self::Ollama, false) => words(&["ollama"]),
            (Self::Ollama, true) => words(&["/bin/ollama"]),
            (Self::Vllm, _) => words(&["vllm"]),
            (Self::LlamaCpp, false) => words(&["llama-server"]),
            (Self::LlamaCpp, true) => words(&["/app/llama-server"]),
            (Self::Sglang, _) => words(&["python3", "-m", "sglang.launch_server"]),
            // Its entry point finds the GPU's libraries, then calls the launcher.
            (Self::Tgi, true) => Vec::new(),
            (Self::Tgi, false) => words(&["text-generation-launcher"]),
        }
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|w| (*w).to_owned()).collect()
}
