//! Golden texts of every runtime's unit, and the traps with their advice.

use super::work::running_stamp;
use super::*;
use crate::engine::{Mode, perform};
use crate::host::{FakeHost, Host};
use crate::module::{Args, Params};
use crate::playbook::yaml;
use std::path::Path;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn server(text: &str) -> Server {
    let text = text.replace("DIGEST", DIGEST);
    let value: Value = yaml::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
    Server::read(&Args::new(value.as_map().unwrap())).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Name of the golden file, and arguments. The host has a GPU where the name says so.
const GOLDEN: &[(&str, &str)] = &[
    (
        "ollama-program",
        "{runtime: ollama, user: llm, models: /srv/models/ollama, settings: {keep_alive: '-1', num_parallel: 2}}",
    ),
    (
        "ollama-docker",
        "{runtime: ollama, image: 'ollama/ollama:0.13.0@DIGEST', host: 0.0.0.0, models: /share/llm/models,
          settings: {keep_alive: 30m, origins: ['*'], load_timeout: 30m}}",
    ),
    (
        "ollama-podman-gpu",
        "{runtime: ollama, image: 'docker.io/ollama/ollama:0.13.0@DIGEST', engine: podman, settings: {context_length: 8192}}",
    ),
    (
        "vllm-program-gpu",
        "{runtime: vllm, program: [/opt/vllm/bin/vllm], user: llm, model: /srv/models/qwen, served_name: qwen,
          gpus: '0,1', api_key: s3cret, environment: {HF_TOKEN: 'hf_x y'},
          settings: {tensor_parallel_size: 2, max_model_len: 32768, gpu_memory_utilization: 0.92, shutdown_timeout: 120}}",
    ),
    (
        "vllm-docker-gpu",
        "{runtime: vllm, image: 'vllm/vllm-openai:v0.11.0@DIGEST', model: Qwen/Qwen2.5-7B-Instruct, host: 0.0.0.0,
          port: 8001, api_key: s3cret, settings: {enforce_eager: true, shutdown_timeout: 60}}",
    ),
    (
        "llama_cpp-program",
        "{runtime: llama_cpp, program: [/opt/llama.cpp/llama-server], model: /srv/models/tiny.gguf, served_name: tiny,
          settings: {ctx_size: 4096, parallel: 2, threads: 4, metrics: true, mmap: false, slots: false}}",
    ),
    (
        "llama_cpp-docker-gpu",
        "{runtime: llama_cpp, image: 'ghcr.io/ggml-org/llama.cpp:server-cuda-b7123@DIGEST', model: /srv/models/big-00001-of-00003.gguf,
          name: chat, settings: {gpu_layers: 99, flash_attn: on}}",
    ),
    (
        "sglang-program-gpu",
        "{runtime: sglang, program: [/opt/sglang/bin/python3, -m, sglang.launch_server], model: /srv/models/qwen,
          api_key: s3cret, settings: {tp_size: 4, mem_fraction_static: 0.85, metrics: true}, extra_args: [--nnodes, '1']}",
    ),
    (
        "sglang-docker-gpu",
        "{runtime: sglang, image: 'lmsysorg/sglang:v0.5.5@DIGEST', model: /share/models/qwen, served_name: qwen, gpus: '0'}",
    ),
    (
        "tgi-docker-gpu",
        "{runtime: tgi, image: 'ghcr.io/huggingface/text-generation-inference:3.3.6@DIGEST', model: mistralai/Mistral-7B-v0.1,
          settings: {max_total_tokens: 8192}}",
    ),
    (
        "quoting",
        r#"{runtime: llama_cpp, name: odd.name_1, program: ['/opt/my server/run'], model: '/srv/a 100%/$m.gguf', host: '::1',
          settings: {chat_template: 'say "hi"\ to {{ x }}'}}"#,
    ),
];

fn host(name: &str) -> FakeHost {
    let host = FakeHost::new()
        .with_program("ollama")
        .with_program("docker")
        .with_mount("10.0.0.5:/", "/share", "nfs4", "rw,hard");
    match name.ends_with("-gpu") {
        false => host,
        true => host
            .with_file("/sys/bus/pci/devices/0000:00:1e.0/vendor", "0x10de\n")
            .with_file("/sys/bus/pci/devices/0000:00:1e.0/class", "0x030200\n"),
    }
}

// The test's own files, and not a host's.
#[allow(clippy::disallowed_methods)]
#[test]
fn every_definition_is_the_golden_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/modules/llm/runtime/golden");
    // `LKS_BLESS=1 cargo test …` writes them anew; the difference is then looked at in git.
    let bless = std::env::var_os("LKS_BLESS").is_some();
    for (name, args) in GOLDEN {
        let parts = server(args)
            .parts(&host(name))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let definition = parts.definition();
        let text = definition.unit;
        let file = folder.join(format!("{name}.service"));
        if bless {
            std::fs::write(&file, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            text == golden,
            "{name} differs from {}:\n{text}",
            file.display()
        );
        assert!(
            !text.contains("s3cret") && !text.contains("hf_x"),
            "{name} shows a secret"
        );
        for line in text.lines() {
            assert!(
                line.is_ascii() && line.trim_end() == line,
                "{name}: `{line}`"
            );
        }
    }
}

/// Defaults of ports differ between versions and images of llama.cpp, and units have no HOME.
#[test]
fn every_definition_says_its_port_and_its_home() {
    for (name, args) in GOLDEN {
        let parts = server(args).parts(&host(name)).unwrap();
        let (unit, port) = (parts.definition().unit, parts.port);
        let says = match parts.kind {
            Kind::Ollama => {
                unit.contains(&format!("OLLAMA_HOST=127.0.0.1:{port}"))
                    || unit.contains(&format!("OLLAMA_HOST=0.0.0.0:{port}"))
            }
            _ => unit.contains(&format!("--port {port} ")),
        };
        assert!(says, "{name} does not say its port:\n{unit}");
        assert!(unit.contains("\nEnvironment=HOME=/"), "{name} has no HOME");
    }
}

#[test]
fn secrets_are_in_the_file_that_only_root_reads_and_change_the_definition() {
    let of = |key: &str| {
        let text = format!(
            "{{runtime: vllm, model: m, api_key: '{key}', environment: {{A: 'b \"c\" $d'}}}}"
        );
        server(&text).parts(&FakeHost::new()).unwrap().definition()
    };
    let (one, other) = (of("k1"), of("k2"));
    assert_eq!(one.unit, other.unit);
    assert_ne!(one.stamp, other.stamp);
    let want = format!(
        "LKS_DEFINITION={}\nVLLM_API_KEY=k1\nA=\"b \\\"c\\\" $d\"\n",
        one.stamp
    );
    assert_eq!(one.environment, want);
}

#[test]
fn the_page_names_every_setting() {
    let page = Server::DOC;
    for table in [
        table::OLLAMA,
        table::VLLM,
        table::LLAMA_CPP,
        table::SGLANG,
        table::TGI,
    ] {
        for setting in table {
            let name = format!("`{}`", setting.name);
            assert!(page.contains(&name), "{name} is not on the page");
        }
    }
}

/// Carries it out: the findings' texts with their levels, and why it failed.
fn found(host: &mut dyn Host, text: &str) -> (String, Option<String>) {
    let done = perform(&server(text), host, Mode::default(), &|_| {})
        .unwrap_or_else(|e| panic!("{text}: {e}"));
    let warnings = done.returns.warnings.join("\n");
    let failed = done.returns.failed.then(|| {
        let message = done.returns.values.get("msg").and_then(Value::as_str);
        message.unwrap_or_default().to_owned()
    });
    (warnings, failed)
}

const GPU: &str = "<nvidia_smi_log>\n<driver_version>570.172.08</driver_version>\n<cuda_version>12.8</cuda_version>\n\
    <gpu id=\"00000000:00:1E.0\"><fb_memory_usage><total>15360 MiB</total></fb_memory_usage></gpu>\n</nvidia_smi_log>";

fn with_gpu(module: &str) -> FakeHost {
    host("-gpu")
        .with_file(
            "/proc/driver/nvidia/version",
            format!("NVRM version: NVIDIA UNIX x86_64 Kernel Module  {module}  Tue Jul  8 18:32:05 UTC 2025\n"),
        )
        .answering(&["nvidia-smi", "-q", "-x"], GPU)
}

fn docker(host: FakeHost, min_api: &str) -> FakeHost {
    let version = format!("29.1.3 {min_api}\n");
    host.answering_prefix(&["docker"], 0, "", "")
        .answering_prefix(&["docker", "version"], 0, &version, "")
        .answering_prefix(
            &["docker", "compose"],
            1,
            "",
            "docker: 'compose' is not a docker command.\n",
        )
        .answering_prefix(&["docker", "image", "inspect"], 0, "sha256:aa\n", "")
}

const OLLAMA_IMAGE: &str = "{runtime: ollama, image: 'ollama/ollama:0.13.0@DIGEST'}";

#[test]
fn a_compose_plugin_that_is_too_old_is_told_with_three_ways_out() {
    // Docker 29.1.3's answer to Compose v2.3.3, as bitwarden/server's issue 6732 has it; Debian's 28.5.2 with
    // DOCKER_MIN_API_VERSION=1.44 said the same to Compose 2.26.1 with DOCKER_API_VERSION=1.42.
    let refused = "Error response from daemon: client version 1.42 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version\n";
    let mut host = docker(FakeHost::new(), "1.44")
        .answering_prefix(&["docker", "compose", "version"], 0, "2.3.3\n", "")
        .answering_prefix(&["docker", "compose", "ls"], 1, "", refused);
    let (warnings, failed) = found(&mut host, OLLAMA_IMAGE);
    assert_eq!(failed, None);
    for part in [
        "compose plugin 2.3.3 is too old",
        "docker-compose-v2",
        "DOCKER_API_VERSION=1.44",
        "min-api-version",
    ] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
    let mut new = docker(FakeHost::new(), "1.44")
        .answering_prefix(&["docker", "compose", "version"], 0, "2.40.0\n", "")
        .answering_prefix(&["docker", "compose", "ls"], 0, "", "");
    assert_eq!(found(&mut new, OLLAMA_IMAGE).0, "");
}

#[test]
fn an_engine_that_does_not_work_is_told_before_anything_is_changed() {
    let down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\n";
    let mut host =
        docker(FakeHost::new(), "1.44").answering_prefix(&["docker", "version"], 1, "", down);
    let (_, failed) = found(&mut host, OLLAMA_IMAGE);
    let failed = failed.expect("it fails");
    assert!(
        failed.contains("Cannot connect")
            && failed.contains("systemctl start docker")
            && failed.contains("[engine]"),
        "{failed}"
    );
    assert!(
        host.ran().is_empty()
            && host
                .text("/etc/systemd/system/lks-ollama.service")
                .is_empty()
    );
    let (_, failed) = found(&mut FakeHost::new(), OLLAMA_IMAGE);
    assert!(
        failed
            .is_some_and(|f| f.contains("there is no program `docker`") && f.contains("docker.io"))
    );
}

#[test]
fn a_driver_whose_halves_differ_is_told_with_what_to_do() {
    let args = "{runtime: vllm, program: [/opt/vllm], model: m, settings: {shutdown_timeout: 60}}";
    let host = || with_gpu("550.54.15").with_program("/opt/vllm");
    let (_, failed) = found(&mut host(), args);
    let failed = failed.expect("it fails");
    for part in [
        "kernel module is 550.54.15",
        "libraries are 570.172.08",
        "reboot",
        "hold",
        "[driver]",
    ] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    let ignoring = args.replace("model: m", "model: m, ignore: [driver]");
    let (warnings, failed) = found(&mut host(), &ignoring);
    assert!(
        failed.is_none() && warnings.contains("550.54.15"),
        "{warnings}"
    );
    let mut broken = host().answering_with(
        &["nvidia-smi", "-q", "-x"],
        18,
        "Failed to initialize NVML: Driver/library version mismatch\n",
        "",
    );
    let (_, failed) = found(&mut broken, args);
    assert!(failed.is_some_and(|f| f.contains("upgraded under a loaded module: reboot")));
}

#[test]
fn a_model_that_is_larger_than_the_memory_is_refused_with_figures() {
    let meminfo = "MemTotal:        8000000 kB\nMemAvailable:    5 kB\n";
    let host = || {
        FakeHost::new()
            .with_program("/opt/llama-server")
            .with_file("/srv/m.gguf", vec![0; 9000])
    };
    let args = "{runtime: llama_cpp, program: [/opt/llama-server], model: /srv/m.gguf}";
    let (warnings, failed) = found(&mut host().with_file("/proc/meminfo", meminfo), args);
    assert!(
        failed.is_none() && warnings.contains("0.0 GiB of memory available"),
        "{warnings}"
    );
    let (_, failed) = found(
        &mut host().with_file("/proc/meminfo", "MemTotal: 8 kB\n"),
        args,
    );
    let failed = failed.expect("it fails");
    assert!(
        failed.contains("take a quantised or smaller model") && failed.contains("[memory]"),
        "{failed}"
    );

    let small = GPU.replace("15360 MiB", "0 MiB");
    let mut gpu = with_gpu("570.172.08")
        .answering(&["nvidia-smi", "-q", "-x"], &small)
        .with_program("/opt/vllm")
        .with_file("/srv/qwen/model.safetensors", vec![0; 5]);
    let (_, failed) = found(
        &mut gpu,
        "{runtime: vllm, program: [/opt/vllm], model: /srv/qwen}",
    );
    assert!(failed.is_some_and(|f| f.contains("1 GPU of this host gives 0.0 GiB")));
    let (_, failed) = found(&mut host(), &args.replace("/srv/m.gguf", "/srv/none.gguf"));
    assert!(failed.is_some_and(|f| f.contains("fetch it first (lks.llm.model)")));
}

const LISTENS: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
    \x20  0: 0100007F:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n";

#[test]
fn a_port_that_another_process_has_is_told_with_its_name() {
    let host = |unit: &str| {
        FakeHost::new()
            .with_program("ollama")
            .with_file("/proc/net/tcp", LISTENS)
            .with_file("/proc/42/cmdline", "/usr/local/bin/ollama\0serve\0")
            .with_file("/proc/42/cgroup", format!("0::/system.slice/{unit}\n"))
            .with_link("/proc/42/fd/3", "socket:[4711]")
    };
    let (_, failed) = found(&mut host("ollama.service"), "{runtime: ollama}");
    let failed = failed.expect("it fails");
    for part in [
        "port 11434 is taken by `/usr/local/bin/ollama serve` (process 42, unit ollama.service)",
        "systemctl disable --now ollama.service",
        "`name: ollama`",
        "[port]",
    ] {
        assert!(failed.contains(part), "{part}: {failed}");
    }
    assert_eq!(
        found(&mut host("lks-ollama.service"), "{runtime: ollama}").1,
        None
    );
    assert_eq!(
        found(
            &mut host("ollama.service"),
            "{runtime: ollama, port: 11435}"
        )
        .1,
        None
    );
}

#[test]
fn variables_that_do_nothing_are_told() {
    let with = |variable: &str| {
        let text = format!("{{runtime: ollama, environment: {{{variable}}}}}");
        found(&mut FakeHost::new().with_program("ollama"), &text)
    };
    let (_, failed) = with("OLLAMA_CONFIG: /etc/ollama.json");
    assert!(
        failed.is_some_and(|f| f.contains("reads no OLLAMA_CONFIG") && f.contains("`settings`"))
    );
    let (_, failed) = with("HOME: /home/x");
    assert!(failed.is_some_and(|f| f.contains("`HOME` is set by this module") && f.contains("`data_dir`")));
    let (warnings, _) = with("OLLAMA_KEEPALIVE: 5m");
    assert!(
        warnings.contains("did you mean `OLLAMA_KEEP_ALIVE`?"),
        "{warnings}"
    );
    let (warnings, _) = with("OLLAMA_KEEP_ALIVE: 5m");
    assert!(
        warnings.contains("say it as a setting: `keep_alive`"),
        "{warnings}"
    );
}

#[test]
fn a_store_on_a_share_is_not_pruned() {
    let host = host("").with_file("/etc/hosts", "");
    let unit = |text: &str| server(text).parts(&host).unwrap().definition().unit;
    let shared = "{runtime: ollama, models: /share/llm/models}";
    assert!(unit(shared).contains("Environment=OLLAMA_NOPRUNE=1\n"));
    assert!(!unit("{runtime: ollama, models: /srv/models}").contains("NOPRUNE"));
    let told = "{runtime: ollama, models: /share/llm/models, settings: {noprune: false}}";
    let mut host = host;
    let (warnings, failed) = found(&mut host, told);
    assert!(
        failed.is_none() && warnings.contains("lies on a share (10.0.0.5:/)"),
        "{warnings}"
    );
    assert!(
        warnings.contains("what other hosts are fetching"),
        "{warnings}"
    );
}

#[test]
fn containers_that_lose_their_gpus_by_a_reload_are_named() {
    let line = "/vllm [{\"Driver\":\"\",\"Count\":-1,\"DeviceIDs\":null,\"Capabilities\":[[\"gpu\"]],\"Options\":{}}] runc\n/web null runc\n/safe [{\"Driver\":\"cdi\",\"Capabilities\":[[\"gpu\"]]}] runc\n";
    let mut host = docker(with_gpu("570.172.08"), "1.44")
        .with_program("nvidia-container-runtime")
        .answering_prefix(&["docker", "ps"], 0, "a\nb\nc\n", "")
        .answering_prefix(&["docker", "inspect"], 0, line, "");
    let (warnings, failed) = found(&mut host, OLLAMA_IMAGE);
    assert_eq!(failed, None);
    assert!(
        warnings.contains("containers that have GPUs lose them: vllm:"),
        "{warnings}"
    );
    assert!(warnings.contains("by CDI"), "{warnings}");
    let (warnings, _) = found(&mut host, OLLAMA_IMAGE);
    assert_eq!(warnings, "", "nothing is read anew when nothing is written");
}

#[test]
fn a_container_cannot_have_gpus_without_the_toolkit() {
    let mut host = docker(with_gpu("570.172.08"), "1.44");
    let (_, failed) = found(&mut host, OLLAMA_IMAGE);
    let failed = failed.expect("it fails");
    assert!(
        failed.contains("container toolkit is missing") && failed.contains("lks.llm.gpu"),
        "{failed}"
    );
    let (_, failed) = found(
        &mut host,
        "{runtime: ollama, image: 'ollama/ollama:0.13.0@DIGEST', gpus: none}",
    );
    assert_eq!(failed, None);
}

#[test]
fn what_is_not_pinned_what_is_old_and_what_cuts_answers_is_told() {
    let (warnings, _) = found(
        &mut docker(FakeHost::new(), "1.44"),
        "{runtime: ollama, image: ollama/ollama}",
    );
    assert!(warnings.contains("moves with every release"), "{warnings}");
    let (warnings, _) = found(
        &mut docker(FakeHost::new(), "1.44"),
        "{runtime: ollama, image: 'localhost:5000/o/ollama:0.13.0'}",
    );
    assert!(
        warnings.contains("is not pinned: a tag can be moved"),
        "{warnings}"
    );

    let tgi = "{runtime: tgi, image: 'x/tgi:3@DIGEST', model: m}";
    let (warnings, _) = found(&mut docker(FakeHost::new(), "1.44"), tgi);
    assert!(
        warnings.contains("in maintenance") && warnings.contains("vllm or sglang"),
        "{warnings}"
    );

    let vllm = "{runtime: vllm, program: [/opt/vllm], model: m, version: 1.0}";
    let (warnings, _) = found(&mut FakeHost::new().with_program("/opt/vllm"), vllm);
    assert!(
        warnings.contains("cuts the answers") && warnings.contains("shutdown_timeout: 120"),
        "{warnings}"
    );
    let short = "{runtime: vllm, program: [/opt/vllm], model: m, stop_timeout: 60, settings: {shutdown_timeout: 60}}";
    let (warnings, _) = found(&mut FakeHost::new().with_program("/opt/vllm"), short);
    assert!(
        warnings.contains("`stop_timeout` is not longer"),
        "{warnings}"
    );
}

#[test]
fn another_version_than_the_one_wanted_is_refused() {
    let host = || {
        FakeHost::new().with_program("ollama").answering(
            &["/usr/bin/ollama", "--version"],
            "ollama version is 0.12.0\n",
        )
    };
    let (_, failed) = found(&mut host(), "{runtime: ollama, version: 0.13.0}");
    assert!(
        failed.is_some_and(
            |f| f.contains("is 0.12.0, and 0.13.0 is wanted") && f.contains("[version]")
        )
    );
    assert_eq!(
        found(&mut host(), "{runtime: ollama, version: 0.12.0}"),
        (String::new(), None)
    );
}

#[test]
fn a_server_that_runs_with_another_definition_is_started_again() {
    let mut host = FakeHost::new().with_program("ollama");
    found(&mut host, "{runtime: ollama}");
    assert_eq!(running_stamp(&host, "").unwrap(), None);
    let host = host.with_file("/proc/7/environ", "A=b\0LKS_DEFINITION=0123\0C=d");
    assert_eq!(running_stamp(&host, "7").unwrap().as_deref(), Some("0123"));
    assert_eq!(running_stamp(&host, "8").unwrap(), None);
}
