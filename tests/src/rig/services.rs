//! What the virtual machine's host finds on its network: EFS, apt, github.com and a registry.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::namespace::Namespace;
use super::{Attempt, Failure, Result, data, ensure, ollama, process, rootfs};

/// The address that stands for EFS.
pub const EFS: &str = "10.77.0.20";

/// The guest hangs on tap0; every server has an address there.
const NETWORK: &str = "
ip tuntap add tap0 mode tap
ip addr add 10.77.0.1/24 dev tap0
ip addr add 10.77.0.20/32 dev tap0
ip addr add 10.77.0.30/32 dev tap0
ip link set tap0 up
";

/// A host's network with everything on it, before the host is there.
pub struct Surroundings {
    /// Its servers; they end first.
    pub services: Services,
    /// Where they live.
    pub namespace: Namespace,
}

impl Surroundings {
    /// Makes the network and starts every server.
    ///
    /// # Errors
    /// When one does not come up.
    pub fn open() -> Result<Self> {
        let namespace = Namespace::open()?;
        let services = Services::start(&namespace)?;
        Ok(Self {
            services,
            namespace,
        })
    }

    /// A network with nothing on it but its loopback.
    ///
    /// # Errors
    /// When there are no namespaces.
    pub fn bare() -> Result<Self> {
        let running = Vec::new();
        Ok(Self {
            services: Services { running },
            namespace: Namespace::open()?,
        })
    }

    /// Starts one more server, and waits until it listens, where it is to.
    ///
    /// # Errors
    /// When it ends, or does not listen within a minute.
    pub fn serve(
        &mut self,
        name: &'static str,
        command: &mut Command,
        listener: Option<&str>,
    ) -> Result<()> {
        let child = self.namespace.serve(name, command)?;
        self.services.running.push((name, child));
        match listener {
            Some(listener) => self.services.wait_for(&self.namespace, listener),
            None => Ok(()),
        }
    }
}

/// The running servers.
pub struct Services {
    running: Vec<(&'static str, Child)>,
}

impl Services {
    /// Makes the network and starts every server, and waits until they listen.
    pub fn start(namespace: &Namespace) -> Result<Self> {
        namespace
            .script(NETWORK)
            .attempt("cannot make the network")?;
        let running = vec![("efs", efs(namespace)?), ("internet", internet(namespace)?)];
        let mut services = Services { running };
        for listener in ["*:2049", "10.77.0.1:80", "10.77.0.30:443", "10.77.0.1:5000"] {
            services.wait_for(namespace, listener)?;
        }
        Ok(services)
    }

    /// `Err` once a server has ended: what a host waits for then never comes.
    ///
    /// # Errors
    /// With the end of its log.
    pub fn still_run(&mut self, namespace: &Namespace) -> Result<()> {
        for (name, child) in &mut self.running {
            if let Some(status) = child.try_wait()? {
                return Err(Failure::new(format!(
                    "the rig's server `{name}` ended with {status}:\n{}",
                    process::tail(&namespace.log(name))
                )));
            }
        }
        Ok(())
    }

    fn wait_for(&mut self, namespace: &Namespace, listener: &str) -> Result<()> {
        let start = Instant::now();
        loop {
            let listening = process::run(namespace.command("ss").args(["-Hltn"]))?;
            if listening.contains(&format!("{listener} ")) {
                return Ok(());
            }
            self.still_run(namespace)?;
            ensure(
                start.elapsed() < Duration::from_secs(60),
                format_args!("nothing listens on {listener} after a minute"),
            )?;
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// An NFSv4.1 server in user space: the machine's kernel need not know NFS.
fn efs(namespace: &Namespace) -> Result<Child> {
    let (export, state) = (
        namespace.dir().join("efs"),
        namespace.dir().join("efs-state"),
    );
    for dir in [&export, &state] {
        fs::create_dir_all(dir)?;
    }
    let config = fs::read_to_string(data("ganesha.conf"))?
        .replace("@EXPORT@", &export.display().to_string())
        .replace("@STATE@", &state.display().to_string());
    let file = namespace.dir().join("ganesha.conf");
    fs::write(&file, config)?;
    let mut server = namespace.command("ganesha.nfsd");
    server.arg("-F").args(["-L", "/dev/stderr", "-f"]).arg(file);
    server.arg("-p").arg(namespace.dir().join("ganesha.pid"));
    namespace.serve("efs", &mut server)
}

fn internet(namespace: &Namespace) -> Result<Child> {
    let tls = rootfs::certificates()?;
    let mut server = namespace.command("python3");
    server
        .arg(data("serve.py"))
        .arg(rootfs::pool()?)
        .arg(compose())
        .args([tls.join("tls.pem"), tls.join("tls.key")])
        .arg(ollama::get()?);
    namespace.serve("internet", &mut server)
}

/// The plugin at the release's address: a stand-in, or a real one that somebody has at hand.
fn compose() -> PathBuf {
    std::env::var_os("LKS_RIG_COMPOSE").map_or_else(|| data("compose.py"), PathBuf::from)
}
