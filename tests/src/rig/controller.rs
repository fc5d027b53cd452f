//! A real controller on a host's network, and the operator in front of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::services::Surroundings;
use super::{Attempt, Failure, Result, cloud, ensure, options, process, rootfs};

/// Where hosts find it.
const NAME: &str = "10.77.0.1";
const ADDRESS: &str = "10.77.0.1:7443";

/// The controller and what its operator has.
pub struct Controller {
    ctl: PathBuf,
    dir: PathBuf,
}

impl Controller {
    /// Starts one that lets instances with the cloud's role in, and gives new hosts this agent.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(around: &mut Surroundings, agent: &Path) -> Result<Self> {
        Self::start_with(around, agent, &[])
    }

    /// The same, with more flags of `serve`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_with(around: &mut Surroundings, agent: &Path, more: &[&str]) -> Result<Self> {
        let controller = Self {
            ctl: options::ctl()?,
            dir: around.namespace.dir().join("operator"),
        };
        fs::create_dir_all(controller.dir.join("site"))?;
        let mut serve = controller.command(around, &["serve", "--name", NAME]);
        serve
            .args(["--listen", ADDRESS, "--allow", cloud::RULE, "--data"])
            .arg(controller.dir.join("data"))
            .arg("--agent")
            .arg(agent)
            .args(more)
            // The rig's STS has a certificate of the rig's authority.
            .env("SSL_CERT_FILE", rootfs::certificates()?.join("ca.pem"));
        around.serve("controller", &mut serve, Some(ADDRESS))?;
        let started = Instant::now();
        while !controller.connection().exists() {
            ensure(
                started.elapsed() < Duration::from_secs(60),
                "the controller does not write admin.json",
            )?;
            std::thread::sleep(Duration::from_millis(50));
        }
        controller.call(around, &["bundle", "key"])?;
        Ok(controller)
    }

    fn connection(&self) -> PathBuf {
        self.dir.join("data/admin.json")
    }

    fn command(&self, around: &Surroundings, words: &[&str]) -> Command {
        let mut command = around.namespace.command(&self.ctl.display().to_string());
        command
            .args(words)
            .env("LKS_CONTROLLER", self.connection())
            .env("LKS_SIGN_KEY", self.dir.join("sign.key"))
            .env_remove("ANSIBLE_CONFIG");
        command
    }

    /// A folder of the operator's, whose files become parts of bundles.
    #[must_use]
    pub fn site(&self) -> PathBuf {
        self.dir.join("site")
    }

    /// What `lks-ctl` prints; a non-zero end is an error.
    ///
    /// # Errors
    /// When it fails.
    pub fn call(&self, around: &Surroundings, words: &[&str]) -> Result<String> {
        process::run(&mut self.command(around, words))
    }

    fn list(&self, around: &Surroundings, words: &[&str]) -> Result<Vec<Value>> {
        let said = self.call(around, words)?;
        serde_json::from_str(&said).attempt("lks-ctl prints no JSON")
    }

    /// The names of the hosts that are in.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn hosts(&self, around: &Surroundings) -> Result<Vec<String>> {
        let hosts = self.list(around, &["hosts", "--json"])?;
        let names = hosts.iter().filter_map(|host| host["name"].as_str());
        Ok(names.map(ToOwned::to_owned).collect())
    }

    /// The audit log, as JSON.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn audit(&self, around: &Surroundings) -> Result<String> {
        let admin: Value = serde_json::from_slice(&fs::read(self.connection())?)
            .attempt("admin.json is no JSON")?;
        let token = admin["token"].as_str().unwrap_or_default();
        let mut curl = around.namespace.command("curl");
        curl.args([
            "-sSk",
            "--fail",
            "-H",
            &format!("Authorization: Bearer {token}"),
        ]);
        process::run(curl.arg(format!("https://{ADDRESS}/v1/audit")))
    }

    /// The one run that there is, with the status of its one host when that is over.
    ///
    /// # Errors
    /// When the controller does not answer, or there are more.
    pub fn run(&self, around: &Surroundings) -> Result<Option<(String, Option<i64>)>> {
        let runs = self.list(around, &["runs", "--json"])?;
        match runs.as_slice() {
            [] => Ok(None),
            [run] => {
                let name = run["run"].as_str().unwrap_or_default().to_owned();
                Ok(Some((name, run["hosts"][0][1].as_i64())))
            }
            _ => Err(Failure::new(format!("more than one run: {runs:?}"))),
        }
    }

    /// All events of a run, in the order of arrival.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn events(&self, around: &Surroundings, run: &str) -> Result<Vec<Value>> {
        let said = self.call(around, &["events", run, "--json"])?;
        said.lines()
            .map(|line| serde_json::from_str::<Value>(line).attempt("an event is no JSON"))
            .map(|event| event.map(|mut stored| stored["event"].take()))
            .collect()
    }
}
