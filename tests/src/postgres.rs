//! A private PostgreSQL server for tests: started as a user without rights, in a folder of its own, gone
//! when the test's process ends, however that ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A server that listens at a socket in its folder, and at a port of loopback with TLS.
pub struct Postgres {
    dir: PathBuf,
    address: String,
    port: u16,
    user: String,
    process: Child,
}

/// Ends with its standard input, so that no server outlives a test that was killed.
const SCRIPT: &str = r#"
set -e
cd "$1"
"$2/initdb" -D data -U lks -A trust --no-sync --locale=C -E UTF8 >log 2>&1
openssl req -new -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=localhost \
    -addext subjectAltName="DNS:localhost,IP:127.0.0.1,DNS:$5" -addext basicConstraints=critical,CA:FALSE -keyout data/server.key -out root.crt 2>>log
chmod 600 data/server.key && cp root.crt data/server.crt
"$2/postgres" -D data -k "$1" -c listen_addresses="$4" -p "$3" -c ssl=on -c fsync=off \
    -c max_connections=100 </dev/null >>log 2>&1 &
cat >/dev/null
kill -INT $!
wait
cd / && rm -rf "$1"
"#;

impl Postgres {
    /// Starts one; `Err` says why this machine cannot.
    ///
    /// # Errors
    /// When PostgreSQL is not there, or does not start.
    pub fn start() -> Result<Self, String> {
        let here = |program: &str| Command::new(program);
        Self::start_at("127.0.0.1", crate::ports::free_port(), "localhost", here)
    }

    /// Starts one at this address, with this name in its certificate, too; `enter` makes the command of a
    /// program where that address is.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn start_at(
        address: &str,
        port: u16,
        name: &str,
        enter: impl Fn(&str) -> Command,
    ) -> Result<Self, String> {
        let programs = programs().ok_or("PostgreSQL is not installed")?;
        // A short path: a socket's may have 107 bytes.
        let dir = PathBuf::from(format!("/tmp/lks-pg-{}-{port}", std::process::id()));
        std::fs::create_dir(&dir).map_err(|e| e.to_string())?;
        let mut command = if is_root() {
            // It refuses to run as root.
            std::os::unix::fs::chown(&dir, Some(65534), Some(65534)).map_err(|e| e.to_string())?;
            let mut command = enter("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh"]);
            command
        } else {
            enter("sh")
        };
        command.args(["-c", SCRIPT, "sh"]).arg(&dir).arg(&programs);
        command
            .args([&port.to_string(), address, name])
            .env("PGTZ", "UTC")
            .env("HOME", &dir);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().map_err(|e| format!("no shell: {e}"))?;
        let server = Self {
            dir,
            address: address.into(),
            port,
            user: "lks".into(),
            process,
        };
        let end = Instant::now() + Duration::from_secs(60);
        while server.psql("SELECT 1").is_err() {
            if Instant::now() > end {
                let log = std::fs::read_to_string(server.dir.join("log")).unwrap_or_default();
                return Err(format!("PostgreSQL does not start: {log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// The address of a new and empty database.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("lks{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.psql(&format!("CREATE DATABASE {name}"))
            .expect("a database");
        format!(
            "postgres://{}@{}:{}/{name}",
            self.user, self.address, self.port
        )
    }

    /// From now on, it wants this password from whom comes over the network, and TLS.
    ///
    /// # Errors
    /// When the server or the disk refuses.
    pub fn wants_password(&self, password: &str) -> Result<(), String> {
        self.psql(&format!("ALTER ROLE {} PASSWORD '{password}'", self.user))?;
        let rules = "local all all trust\nhostssl all all all scram-sha-256\n";
        std::fs::write(self.dir.join("data/pg_hba.conf"), rules).map_err(|e| e.to_string())?;
        self.psql("SELECT pg_reload_conf()").map(drop)
    }

    /// The certificate that the server has, as its own authority.
    pub fn root(&self) -> PathBuf {
        self.dir.join("root.crt")
    }

    /// What a statement prints.
    ///
    /// # Errors
    /// With what `psql` said.
    pub fn psql(&self, sql: &str) -> Result<String, String> {
        self.psql_in("postgres", sql)
    }

    /// What a statement in this database prints.
    ///
    /// # Errors
    /// With what `psql` said.
    pub fn psql_in(&self, database: &str, sql: &str) -> Result<String, String> {
        let done = Command::new("psql")
            .args(["-X", "-A", "-t", "-h"])
            .arg(&self.dir)
            .args([
                "-p",
                &self.port.to_string(),
                "-U",
                &self.user,
                "-d",
                database,
                "-c",
                sql,
            ])
            .output()
            .map_err(|e| e.to_string())?;
        if done.status.success() {
            Ok(String::from_utf8_lossy(&done.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&done.stderr).into_owned())
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Whether this machine has it.
#[must_use]
pub fn is_installed() -> bool {
    programs().is_some()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

/// Where Debian's packages put the programs: a folder for each version.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|e| Some(e.ok()?.path().join("bin")))
        .filter(|p| Path::new(&p.join("initdb")).exists())
        .collect();
    found.sort();
    found.pop()
}
