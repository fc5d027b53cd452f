//! AWS on loopback: moto for its services, and a stand-in of ours (`tests/rig/aws.py`) for the metadata
//! service and for the signatures, which moto does not look at.

use crate::rig::{self, Failure, Result, cache, data, process};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What is installed from PyPI; moto brings botocore along.
const PACKAGES: &[&str] = &["moto[server]==5.2.5"];

/// The Python of an environment with moto and botocore, which is made first if need be.
///
/// # Errors
/// When it cannot be made: there is no Python with `venv`, or no package index.
pub fn python() -> Result<PathBuf> {
    let dir = cache::Kept::new("aws", PACKAGES).get(|partial| {
        rig::stage::say(format_args!("installing {} from PyPI", PACKAGES.join(" ")));
        process::run(Command::new("python3").args(["-m", "venv"]).arg(partial))?;
        let mut pip = Command::new(partial.join("bin/python"));
        process::run(pip.args(["-m", "pip", "install", "--quiet"]).args(PACKAGES)).map(drop)
    })?;
    Ok(dir.join("bin/python"))
}

/// A server on loopback that ends with this value.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// What it prints.
    pub log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// moto. Its state is its own and empty.
    ///
    /// # Errors
    /// When it does not come up within a minute.
    pub fn moto(dir: &Path) -> Result<Self> {
        let mut command = Command::new(python()?);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p"]);
        start(command, |c, port| c.arg(port), dir.join("moto.log"))
    }

    /// The stand-in with these settings (see `aws.py`), which hands on to `upstream` what it does not
    /// answer itself.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn stand_in(dir: &Path, settings: &Path, upstream: Option<&str>) -> Result<Self> {
        let mut command = Command::new(python()?);
        command.arg(data("aws.py"));
        let add = |c: &mut Command, port: String| {
            c.arg(port).arg(settings).args(upstream);
        };
        start(
            command,
            |c, port| {
                add(c, port);
                c
            },
            dir.join("aws.log"),
        )
    }

    /// What it printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn start(
    mut command: Command,
    with_port: impl Fn(&mut Command, String) -> &mut Command,
    log: PathBuf,
) -> Result<Server> {
    let port = crate::ports::free_port();
    let file = std::fs::File::create(&log)?;
    with_port(&mut command, port.to_string())
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file);
    let mut server = Server {
        child: command.spawn()?,
        url: format!("http://127.0.0.1:{port}"),
        log,
    };
    let end = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > end || server.child.try_wait()?.is_some() {
            return Err(Failure::new(format!("no server: {}", server.printed())));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(server)
}

/// A made-up region that signs identity documents.
pub struct Signer {
    dir: PathBuf,
}

impl Signer {
    /// Makes its key and certificate in a folder of its own, which need not be there yet.
    ///
    /// # Errors
    /// When there is no openssl.
    pub fn make(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let signer = Self { dir: dir.into() };
        let words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj";
        let mut openssl = signer.openssl(words);
        process::run(openssl.arg("/O=Amazon Web Services LLC"))?;
        Ok(signer)
    }

    fn openssl(&self, words: &str) -> Command {
        let mut openssl = Command::new("openssl");
        openssl
            .args(words.split_whitespace())
            .current_dir(&self.dir);
        openssl
    }

    /// Its certificate (PEM), for `lks-ctl serve --identity-certificates`.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    /// A document as the metadata service gives it at `instance-identity/rsa2048`: PKCS#7 without its
    /// first and last line ("Instance identity documents" in EC2's user guide).
    ///
    /// # Errors
    /// When openssl fails.
    pub fn sign(&self, document: &str) -> Result<String> {
        std::fs::write(self.dir.join("document"), document)?;
        let words = "cms -sign -binary -nodetach -md sha256 -signer cert.pem -inkey key.pem -in document -outform PEM";
        let pem = process::run(&mut self.openssl(words))?;
        let lines = pem.lines().filter(|l| !l.starts_with("-----"));
        Ok(lines.map(|l| format!("{l}\n")).collect())
    }
}

/// Now, as documents of AWS write it.
///
/// # Errors
/// When there is no `date`.
pub fn now() -> Result<String> {
    let said = process::run(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]))?;
    Ok(said.trim().to_owned())
}
