//! Hosts and a controller with AWS around them, on loopback: joining by what AWS says, secrets at run
//! time, signatures that AWS's own library judges.

mod boot;
mod inventory;
mod joins;
mod models;
mod notices;
mod operator;
mod secrets;

use lks_tests::aws::Server;
use lks_tests::fleet::{Running, program};
use lks_tests::ports::free_port;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const ONE: &str = "i-0123456789abcdef0";
const TWO: &str = "i-0fedcba9876543210";
const ROLE: &str = "arn:aws:sts::123456789012:assumed-role/worker-gpu/";
const RULE: &str = "123456789012/worker-*@us-east-1";

fn skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// A folder with what a test makes, and the AWS around it.
struct Scene {
    dir: PathBuf,
    settings: Value,
    aws: Option<Server>,
    port: u16,
    server: Option<Running>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.server = None;
        self.aws = None;
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// An instance's metadata.
fn metadata(instance: &str) -> Value {
    let key = format!("ASIA{}", &instance[2..6]);
    let credentials = json!({"Code": "Success", "AccessKeyId": key, "SecretAccessKey": format!("secret-of-{key}"),
        "Token": format!("session-of-{key}"), "Expiration": "2099-01-01T00:00:00Z"});
    json!({
        "meta-data/instance-id": instance,
        "meta-data/placement/region": "us-east-1",
        "meta-data/iam/security-credentials/": "worker-gpu",
        "meta-data/iam/security-credentials/worker-gpu": credentials.to_string(),
    })
}

impl Scene {
    /// `None` where Python or its package index is not there.
    fn new(name: &str, moto: bool) -> Option<(Self, Option<Server>)> {
        if let Err(why) = lks_tests::aws::python() {
            skipped(&why.to_string());
            return None;
        }
        let dir = std::env::temp_dir().join(format!("lks-aws-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        let moto = moto.then(|| Server::moto(&dir).expect("moto"));
        let mut settings =
            json!({"metadata": metadata(ONE), "keys": {}, "tokens": {}, "callers": {}});
        for instance in [ONE, TWO] {
            let key = format!("ASIA{}", &instance[2..6]);
            settings["keys"][&key] = json!(format!("secret-of-{key}"));
            settings["tokens"][&key] = json!(format!("session-of-{key}"));
            settings["callers"][&key] = json!(format!("{ROLE}{instance}"));
        }
        let mut scene = Self {
            dir,
            settings,
            aws: None,
            port: free_port(),
            server: None,
        };
        scene.save();
        let path = scene.path("aws.json");
        let upstream = moto.as_ref().map(|m| m.url.as_str());
        scene.aws = Some(Server::stand_in(&scene.dir, &path, upstream).expect("the stand-in"));
        Some((scene, moto))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn save(&self) {
        // Whole at every moment: the stand-in reads it for each request.
        std::fs::write(self.path("aws.json.new"), self.settings.to_string()).expect("written");
        std::fs::rename(self.path("aws.json.new"), self.path("aws.json")).expect("moved");
    }

    /// From now on, hosts are this instance.
    fn be(&mut self, instance: &str) {
        self.settings["metadata"] = metadata(instance);
        self.save();
    }

    /// A program that finds this AWS around it.
    fn command(&self, name: &str) -> Command {
        let url = &self.aws.as_ref().expect("aws").url;
        let mut command = Command::new(program(name));
        command
            .env("AWS_ENDPOINT_URL", url)
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
            .env("LKS_CONTROLLER", self.path("ctl/admin.json"))
            .env("LKS_SIGN_KEY", self.path("sign.key"))
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_REGION")
            .stdin(Stdio::null());
        command
    }

    fn log(&self, name: &str) -> Stdio {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(name));
        Stdio::from(log.expect("a log"))
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn serve(&mut self, flags: &[&str]) {
        self.server = None;
        let child = self
            .command("lks-ctl")
            .args(["serve", "--name", "127.0.0.1", "--data"])
            .arg(self.path("ctl"))
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(flags)
            .stdout(self.log("server.log"))
            .stderr(self.log("server.log"))
            .spawn();
        self.server = Some(Running(child.expect("the server starts")));
        let end = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err()
            || !self.path("ctl/admin.json").exists()
        {
            assert!(Instant::now() < end, "{}", self.read("server.log"));
            std::thread::sleep(Duration::from_millis(20));
        }
        std::fs::write(self.path("keys"), self.ctl(&["bundle", "key"])).expect("written");
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command("lks-ctl")
            .args(arguments)
            .output()
            .expect("lks-ctl runs")
    }

    fn ctl(&self, arguments: &[&str]) -> String {
        let done = self.call(arguments);
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {text}{error}");
        text
    }

    fn agent(&self, state: &str, more: &[&str]) -> Command {
        let admin: Value = serde_json::from_str(&self.read("ctl/admin.json")).expect("JSON");
        let mut command = self.command("lks-agent");
        command
            .args(["daemon", "--pin", admin["pin"].as_str().expect("a pin")])
            .args(["--controller", &format!("https://127.0.0.1:{}", self.port)])
            .arg("--bundle-keys")
            .arg(self.path("keys"))
            .arg("--state")
            .arg(self.path(state))
            .args(more);
        command
    }

    /// Starts an agent that is let in.
    fn join(&self, state: &str, more: &[&str]) -> Running {
        self.started(state, more, "this host is")
    }

    /// Starts an agent, and waits until it says this.
    fn started(&self, state: &str, more: &[&str], words: &str) -> Running {
        let log = format!("{state}.log");
        let child = self
            .agent(state, more)
            .stdout(self.log(&log))
            .stderr(self.log(&log))
            .spawn();
        let mut running = Running(child.expect("the agent starts"));
        let end = Instant::now() + Duration::from_secs(30);
        while !self.read(&log).contains(words) {
            let ended = running.0.try_wait().expect("asks").is_some();
            assert!(!ended && Instant::now() < end, "{}", self.read(&log));
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    /// What an agent says that is not let in.
    fn refused(&self, state: &str, more: &[&str]) -> String {
        let done = self.agent(state, more).output().expect("the agent runs");
        assert!(!done.status.success(), "it was let in");
        String::from_utf8_lossy(&done.stderr).into_owned()
    }

    fn audit(&self) -> String {
        let admin: Value = serde_json::from_str(&self.read("ctl/admin.json")).expect("JSON");
        let mut curl = Command::new("curl");
        curl.args([
            "-sk",
            "-H",
            &format!(
                "Authorization: Bearer {}",
                admin["token"].as_str().expect("a token")
            ),
        ]);
        let told = curl
            .arg(format!("https://127.0.0.1:{}/v1/audit", self.port))
            .output();
        String::from_utf8_lossy(&told.expect("curl").stdout).into_owned()
    }

    fn host_names(&self) -> Vec<String> {
        let hosts: Vec<Value> =
            serde_json::from_str(&self.ctl(&["hosts", "--json"])).expect("JSON");
        hosts
            .iter()
            .map(|h| h["name"].as_str().expect("a name").to_owned())
            .collect()
    }
}

/// A call of `aws` by moto's own client library, so that what is there was put by somebody else.
fn put(moto: &Server, python: &str) {
    let script = format!(
        "import boto3\n\
         def client(name): return boto3.client(name, endpoint_url='{}', region_name='us-east-1', \
         aws_access_key_id='x', aws_secret_access_key='y')\n{python}",
        moto.url
    );
    let done = Command::new(lks_tests::aws::python().expect("python"))
        .args(["-c", &script])
        .output();
    let done = done.expect("python");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
