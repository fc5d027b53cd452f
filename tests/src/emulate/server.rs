//! The controller under load: started, asked, and looked at from outside.

use super::Options;
use super::http::Result;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A controller in a folder of its own.
pub(crate) struct Server {
    process: Child,
    /// The folder.
    pub dir: PathBuf,
    /// Where it listens.
    pub port: u16,
    /// The admin's token.
    pub token: String,
    /// The certificate of its authority.
    pub authority: Vec<u8>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Server {
    /// Starts one, and waits until it answers.
    pub fn start(options: &Options) -> Result<Self> {
        let text = |e: std::io::Error| e.to_string();
        let port = lks_tests::ports::free_port();
        let dir = std::env::temp_dir().join(format!("lks-emulate-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(text)?;
        let mut command = Command::new(&options.program);
        command.args([
            "serve",
            "--name",
            "127.0.0.1",
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--data",
        ]);
        command.arg(&dir);
        if let Some(store) = &options.store {
            command.args(["--store", store]);
        }
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| format!("{}: {e}", options.program))?;
        let mut server = Self {
            process,
            dir,
            port,
            token: String::new(),
            authority: Vec::new(),
        };
        let end = Instant::now() + Duration::from_secs(30);
        let admin = server.dir.join("admin.json");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() || !admin.exists() {
            if Instant::now() > end {
                return Err("the controller does not start".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let admin = std::fs::read_to_string(admin).map_err(text)?;
        let admin: Value = serde_json::from_str(&admin).map_err(|e| e.to_string())?;
        server.token = admin["token"].as_str().unwrap_or_default().to_string();
        server.authority = std::fs::read(server.dir.join("ca.der")).map_err(text)?;
        Ok(server)
    }

    /// A signed bundle, made as an operator would.
    pub fn bundle(&self, program: &str) -> Result<Vec<u8>> {
        let site = self.dir.join("site");
        std::fs::create_dir_all(&site).map_err(|e| e.to_string())?;
        std::fs::write(site.join("site.yml"), "- hosts: all\n  tasks: []\n")
            .map_err(|e| e.to_string())?;
        let out = self.dir.join("site.lksb");
        let call = |arguments: &[&str]| -> Result<()> {
            let done = Command::new(program)
                .args(arguments)
                .env("LKS_SIGN_KEY", self.dir.join("sign.key"))
                .stdout(Stdio::null())
                .status();
            match done {
                Ok(status) if status.success() => Ok(()),
                other => Err(format!("{arguments:?}: {other:?}")),
            }
        };
        let (site, file) = (
            site.join("site.yml").display().to_string(),
            out.display().to_string(),
        );
        call(&["bundle", "key"])?;
        call(&["bundle", "make", &site, "-o", &file])?;
        call(&["bundle", "sign", &file])?;
        std::fs::read(out).map_err(|e| e.to_string())
    }

    /// KiB that its memory takes now, and took at most (proc_pid_status(5)).
    pub fn memory(&self) -> (u64, u64) {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(Path::new(&path)).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(name));
            line.and_then(|l| l.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Seconds of processor time that it used (proc_pid_stat(5); a hundred ticks a second on Linux).
    pub fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))
            .unwrap_or_default();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |n: usize| {
            fields
                .get(n)
                .and_then(|f| f.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        (ticks(11) + ticks(12)) / 100.0
    }
}
