//! The settings of each runtime, from its own documentation: Ollama `envconfig/config.go`, vLLM "Engine
//! arguments" and "vllm serve", llama.cpp `tools/server/README.md`, SGLang "Server arguments",
//! Text Generation Inference "Launcher arguments". To add one: a row here; its name on the module's page.

use super::setting::Form::{Env, Flag, Off, Switch};
use super::setting::Kind::{Bool, Float, Int, List, OneOf, Text, Time};
use super::setting::{Setting, row};

const MAX: i64 = i64::MAX;
const DTYPES: &[&str] = &["auto", "half", "float16", "bfloat16", "float", "float32"];

/// Ollama: all are variables of the environment.
pub const OLLAMA: &[Setting] = &[
    row("origins", List, Env("OLLAMA_ORIGINS")),
    row("keep_alive", Time, Env("OLLAMA_KEEP_ALIVE")),
    row("load_timeout", Time, Env("OLLAMA_LOAD_TIMEOUT")),
    row("num_parallel", Int(1, 1024), Env("OLLAMA_NUM_PARALLEL")),
    row(
        "max_loaded_models",
        Int(0, 1024),
        Env("OLLAMA_MAX_LOADED_MODELS"),
    ),
    row("max_queue", Int(1, MAX), Env("OLLAMA_MAX_QUEUE")),
    row("context_length", Int(1, MAX), Env("OLLAMA_CONTEXT_LENGTH")),
    row("flash_attention", Bool, Env("OLLAMA_FLASH_ATTENTION")),
    row(
        "kv_cache_type",
        OneOf(&["f16", "q8_0", "q4_0"]),
        Env("OLLAMA_KV_CACHE_TYPE"),
    ),
    row("noprune", Bool, Env("OLLAMA_NOPRUNE")),
    row("sched_spread", Bool, Env("OLLAMA_SCHED_SPREAD")),
    row("gpu_overhead", Int(0, MAX), Env("OLLAMA_GPU_OVERHEAD")),
    row(
        "max_transfer_streams",
        Int(1, 64),
        Env("OLLAMA_MAX_TRANSFER_STREAMS"),
    ),
    row("llm_library", Text, Env("OLLAMA_LLM_LIBRARY")),
    row("debug", Bool, Env("OLLAMA_DEBUG")),
];

/// vLLM.
pub const VLLM: &[Setting] = &[
    row(
        "tensor_parallel_size",
        Int(1, 1024),
        Flag("--tensor-parallel-size"),
    ),
    row(
        "pipeline_parallel_size",
        Int(1, 1024),
        Flag("--pipeline-parallel-size"),
    ),
    row(
        "data_parallel_size",
        Int(1, 1024),
        Flag("--data-parallel-size"),
    ),
    row(
        "gpu_memory_utilization",
        Float(0.05, 1.0),
        Flag("--gpu-memory-utilization"),
    ),
    row("max_model_len", Int(1, MAX), Flag("--max-model-len")),
    row("max_num_seqs", Int(1, MAX), Flag("--max-num-seqs")),
    row(
        "max_num_batched_tokens",
        Int(1, MAX),
        Flag("--max-num-batched-tokens"),
    ),
    row("dtype", OneOf(DTYPES), Flag("--dtype")),
    row("quantization", Text, Flag("--quantization")),
    row("kv_cache_dtype", Text, Flag("--kv-cache-dtype")),
    row(
        "cpu_offload_gb",
        Float(0.0, 65536.0),
        Flag("--cpu-offload-gb"),
    ),
    row("load_format", Text, Flag("--load-format")),
    row(
        "safetensors_load_strategy",
        Text,
        Flag("--safetensors-load-strategy"),
    ),
    row("shutdown_timeout", Int(0, 3600), Flag("--shutdown-timeout")),
    row(
        "prefix_caching",
        Bool,
        Switch(
            "--enable-prefix-caching",
            Some("--no-enable-prefix-caching"),
        ),
    ),
    row(
        "chunked_prefill",
        Bool,
        Switch(
            "--enable-chunked-prefill",
            Some("--no-enable-chunked-prefill"),
        ),
    ),
    row("enforce_eager", Bool, Switch("--enforce-eager", None)),
    row(
        "trust_remote_code",
        Bool,
        Switch("--trust-remote-code", None),
    ),
    row(
        "auto_tool_choice",
        Bool,
        Switch("--enable-auto-tool-choice", None),
    ),
    row("tool_call_parser", Text, Flag("--tool-call-parser")),
    row("reasoning_parser", Text, Flag("--reasoning-parser")),
    row("chat_template", Text, Flag("--chat-template")),
    row("tokenizer", Text, Flag("--tokenizer")),
    row("revision", Text, Flag("--revision")),
    row("download_dir", Text, Flag("--download-dir")),
    row(
        "runner",
        OneOf(&["auto", "generate", "pooling", "draft"]),
        Flag("--runner"),
    ),
    row("seed", Int(0, MAX), Flag("--seed")),
];

/// llama.cpp's server.
pub const LLAMA_CPP: &[Setting] = &[
    row("ctx_size", Int(0, MAX), Flag("--ctx-size")),
    row("parallel", Int(1, 1024), Flag("--parallel")),
    row("gpu_layers", Int(-1, 10_000), Flag("--n-gpu-layers")),
    row("threads", Int(1, 4096), Flag("--threads")),
    row("threads_batch", Int(1, 4096), Flag("--threads-batch")),
    row("batch_size", Int(1, MAX), Flag("--batch-size")),
    row("ubatch_size", Int(1, MAX), Flag("--ubatch-size")),
    row("metrics", Bool, Switch("--metrics", None)),
    row("slots", Bool, Switch("--slots", Some("--no-slots"))),
    row("mmap", Bool, Off("--no-mmap")),
    row("mlock", Bool, Switch("--mlock", None)),
    row(
        "flash_attn",
        OneOf(&["on", "off", "auto"]),
        Flag("--flash-attn"),
    ),
    row("cache_type_k", Text, Flag("--cache-type-k")),
    row("cache_type_v", Text, Flag("--cache-type-v")),
    row("warmup", Bool, Off("--no-warmup")),
    row(
        "sse_ping_interval",
        Int(-1, 3600),
        Flag("--sse-ping-interval"),
    ),
    row("timeout", Int(1, 86_400), Flag("--timeout")),
    row("embeddings", Bool, Switch("--embeddings", None)),
    row("reranking", Bool, Switch("--reranking", None)),
    row(
        "pooling",
        OneOf(&["none", "mean", "cls", "last", "rank"]),
        Flag("--pooling"),
    ),
    row("jinja", Bool, Switch("--jinja", Some("--no-jinja"))),
    row("chat_template", Text, Flag("--chat-template")),
    row(
        "split_mode",
        OneOf(&["none", "layer", "row"]),
        Flag("--split-mode"),
    ),
    row("main_gpu", Int(0, 1024), Flag("--main-gpu")),
    row("tensor_split", Text, Flag("--tensor-split")),
    row("mmproj", Text, Flag("--mmproj")),
    row("lora", Text, Flag("--lora")),
];

/// SGLang.
pub const SGLANG: &[Setting] = &[
    row("tp_size", Int(1, 1024), Flag("--tp-size")),
    row("dp_size", Int(1, 1024), Flag("--dp-size")),
    row(
        "mem_fraction_static",
        Float(0.05, 1.0),
        Flag("--mem-fraction-static"),
    ),
    row("context_length", Int(1, MAX), Flag("--context-length")),
    row(
        "max_running_requests",
        Int(1, MAX),
        Flag("--max-running-requests"),
    ),
    row(
        "chunked_prefill_size",
        Int(-1, MAX),
        Flag("--chunked-prefill-size"),
    ),
    row("dtype", OneOf(DTYPES), Flag("--dtype")),
    row("quantization", Text, Flag("--quantization")),
    row("kv_cache_dtype", Text, Flag("--kv-cache-dtype")),
    row("load_format", Text, Flag("--load-format")),
    row("schedule_policy", Text, Flag("--schedule-policy")),
    row("attention_backend", Text, Flag("--attention-backend")),
    row("metrics", Bool, Switch("--enable-metrics", None)),
    row(
        "trust_remote_code",
        Bool,
        Switch("--trust-remote-code", None),
    ),
    row("radix_cache", Bool, Off("--disable-radix-cache")),
    row("cuda_graph", Bool, Off("--disable-cuda-graph")),
    row("embedding", Bool, Switch("--is-embedding", None)),
    row("tool_call_parser", Text, Flag("--tool-call-parser")),
    row("reasoning_parser", Text, Flag("--reasoning-parser")),
    row("chat_template", Text, Flag("--chat-template")),
    row("tokenizer_path", Text, Flag("--tokenizer-path")),
    row("revision", Text, Flag("--revision")),
    row(
        "watchdog_timeout",
        Int(1, 86_400),
        Flag("--watchdog-timeout"),
    ),
    row("log_level", Text, Flag("--log-level")),
];

/// Text Generation Inference.
pub const TGI: &[Setting] = &[
    row("num_shard", Int(1, 1024), Flag("--num-shard")),
    row("max_input_tokens", Int(1, MAX), Flag("--max-input-tokens")),
    row("max_total_tokens", Int(1, MAX), Flag("--max-total-tokens")),
    row(
        "max_batch_prefill_tokens",
        Int(1, MAX),
        Flag("--max-batch-prefill-tokens"),
    ),
    row(
        "max_batch_total_tokens",
        Int(1, MAX),
        Flag("--max-batch-total-tokens"),
    ),
    row(
        "max_concurrent_requests",
        Int(1, MAX),
        Flag("--max-concurrent-requests"),
    ),
    row(
        "cuda_memory_fraction",
        Float(0.05, 1.0),
        Flag("--cuda-memory-fraction"),
    ),
    row("dtype", OneOf(&["float16", "bfloat16"]), Flag("--dtype")),
    row("quantize", Text, Flag("--quantize")),
    row(
        "trust_remote_code",
        Bool,
        Switch("--trust-remote-code", None),
    ),
    row("revision", Text, Flag("--revision")),
];
