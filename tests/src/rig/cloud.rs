//! AWS around a host of the rig: DHCP and the metadata service on its network, and the endpoints of a
//! region under their own names, with certificates that the host's image trusts. Nothing on the host is
//! told of any of it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::services::Surroundings;
use super::{Attempt, Result, data, disk, ensure, process, rootfs};
use crate::aws::{self, Signer};

/// The account and role that instances have, as `lks-ctl serve --allow` is told them.
pub const RULE: &str = "123456789012/worker-*@us-east-1";
const ROLE: &str = "worker-gpu";
const ACCOUNT: &str = "123456789012";
const KEY: &str = "ASIARIGRIGRIGRIGRIGR";
const ADDRESS: &str = "10.77.0.10";
const MAC: &str = "52:54:00:12:34:56";

/// Where the metadata service has the identity document.
const DOCUMENT: &str = "dynamic/instance-identity/document";

/// What moto listens at, inside.
const MOTO: &str = "http://127.0.0.1:5555";

/// Addresses of the network that EC2's has; names that the controller asks are AWS's here, too.
const NETWORK: &str = "
ip addr add 169.254.169.254/32 dev $2
ip addr add 10.77.0.40/32 dev $2
printf '%s\\n' '127.0.0.1 localhost' '10.77.0.40 sts.us-east-1.amazonaws.com' >$1/hosts
mount --bind $1/hosts /etc/hosts
";

/// What tells a guest that it is an instance of EC2 ("Identify EC2 instances" in its user guide).
pub const SMBIOS: &[&str] = &[
    "-smbios",
    "type=1,manufacturer=Amazon EC2,uuid=ec2e1916-9099-7caf-fd21-012345abcdef,serial=ec2e1916-9099-7caf-fd21-012345abcdef",
];

/// The region with one instance in it.
pub struct Cloud {
    file: PathBuf,
    settings: Value,
    /// The instance's id.
    pub instance: String,
}

impl Cloud {
    /// Starts everything around a virtual machine; the instance's user-data come later. `port` is that of
    /// the target groups (`tests/rig/world.py`).
    ///
    /// # Errors
    /// When a server does not come up.
    pub fn start(around: &mut Surroundings, port: u16) -> Result<Self> {
        network(around, "tap0")?;
        let mut dhcp = around.namespace.command("dnsmasq");
        dhcp.args(["--keep-in-foreground", "--conf-file=/dev/null", "--port=0"])
            .args(["--interface=tap0", "--bind-interfaces", "--user=root"])
            .args(["--dhcp-authoritative", "--no-ping", "--leasefile-ro"])
            .args(["--dhcp-option=3,10.77.0.1", "--log-facility=-"])
            .arg(format!("--dhcp-range={ADDRESS},{ADDRESS},1h"));
        around.serve("dhcp", &mut dhcp, None)?;
        serve_moto(around)?;
        let made = world(around, &["make", &port.to_string()])?;
        let (_, instance) = made.trim().split_once(' ').unwrap_or_default();
        Self::region(around, instance)
    }

    /// What a container needs, which shares the loopback of its network: metadata and STS, no more.
    ///
    /// # Errors
    /// When a server does not come up.
    pub fn on_loopback(around: &mut Surroundings) -> Result<Self> {
        network(around, "lo")?;
        around
            .namespace
            .script("ip addr add 10.77.0.1/32 dev lo")
            .attempt("cannot make the controller's address")?;
        Self::region(around, "i-0123456789abcdef0")
    }

    fn region(around: &mut Surroundings, instance: &str) -> Result<Self> {
        let cloud = Self {
            file: around.namespace.dir().join("aws.json"),
            settings: settings(instance)?,
            instance: instance.to_owned(),
        };
        cloud.save()?;
        cloud.stand_in(around, "imds", "169.254.169.254:80", &[])?;
        let tls = rootfs::certificates()?;
        let words = [
            MOTO.to_owned(),
            tls.join("tls.pem").display().to_string(),
            tls.join("tls.key").display().to_string(),
        ];
        cloud.stand_in(around, "aws", "10.77.0.40:443", &words)?;
        Ok(cloud)
    }

    fn stand_in(
        &self,
        around: &mut Surroundings,
        name: &'static str,
        address: &str,
        more: &[String],
    ) -> Result<()> {
        let python = aws::python()?.display().to_string();
        let mut server = around.namespace.command(&python);
        server.arg(data("aws.py")).arg(address).arg(&self.file);
        around.serve(name, server.args(more), Some(address))
    }

    fn save(&self) -> Result<()> {
        // Whole at every moment: it is read for each request.
        let new = self.file.with_extension("new");
        fs::write(&new, self.settings.to_string())?;
        fs::rename(new, &self.file).attempt("cannot tell the metadata service")
    }

    /// What the instance is launched with.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn launch_with(&mut self, user_data: &str) -> Result<()> {
        self.settings["metadata"]["user-data"] = json!(user_data);
        self.save()
    }

    /// Puts a file into S3, in a bucket of its own. For a region without other services.
    ///
    /// # Errors
    /// When S3 does not come up, or takes it not.
    pub fn keep(
        &self,
        around: &mut Surroundings,
        bucket: &str,
        key: &str,
        file: &Path,
    ) -> Result<()> {
        serve_moto(around)?;
        world(around, &["keep", bucket, key, &file.display().to_string()]).map(drop)
    }

    /// From now on, this region's key has signed the instance's identity document.
    ///
    /// # Errors
    /// When there is no openssl.
    pub fn sign_identity(&mut self, signer: &Signer) -> Result<()> {
        let metadata = &mut self.settings["metadata"];
        let document = metadata[DOCUMENT].as_str().unwrap_or_default();
        metadata["dynamic/instance-identity/rsa2048"] = json!(signer.sign(document)?);
        self.save()
    }

    /// How the load balancer calls the instance in a target group: `healthy`, `unused` …
    ///
    /// # Errors
    /// When moto does not answer.
    pub fn health(&self, around: &Surroundings, group: &str) -> Result<String> {
        let said = world(around, &["health", group, &self.instance])?;
        Ok(said.trim().to_owned())
    }
}

fn serve_moto(around: &mut Surroundings) -> Result<()> {
    let python = aws::python()?.display().to_string();
    let mut moto = around.namespace.command(&python);
    moto.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "5555"]);
    around.serve("moto", &mut moto, Some("127.0.0.1:5555"))
}

fn network(around: &Surroundings, device: &str) -> Result<()> {
    let mut script = around.namespace.command("sh");
    script
        .args(["-euc", NETWORK, "sh"])
        .arg(around.namespace.dir());
    process::run(script.arg(device))
        .attempt("cannot make EC2's network")
        .map(drop)
}

/// Makes a container's files those of an image for EC2. In a container cloud-init looks at no DMI, since
/// that is the machine's; here it is told to look, and at that of an instance.
///
/// # Errors
/// When the disk refuses.
pub fn container_image(root: &Path) -> Result<()> {
    fs::remove_file(root.join(rootfs::NO_CLOUD_INIT))?;
    let settings = format!("{}datasource_list: [Ec2]\n", disk::CLOUD_INIT);
    rootfs::write(root, "etc/cloud/cloud.cfg.d/90_rig.cfg", &settings)?;
    rootfs::write(root, "etc/cloud/ds-identify.cfg", "policy: enabled\n")?;
    let names = "127.0.0.1 localhost\n127.0.1.1 host\n10.77.0.40 s3.us-east-1.amazonaws.com\n";
    rootfs::write(root, "etc/hosts", names)?;
    let id = "ec2e1916-9099-7caf-fd21-012345abcdef";
    for (name, text) in [
        ("product_uuid", id),
        ("product_serial", id),
        ("sys_vendor", "Amazon EC2"),
        ("chassis_asset_tag", "Amazon EC2"),
    ] {
        rootfs::write(root, &format!("var/lib/rig-dmi/{name}"), text)?;
    }
    let path = "usr/lib/python3/dist-packages/cloudinit/dmi.py";
    let code = fs::read_to_string(root.join(path))?
        .replace("    if is_container():", "    if False:")
        .replace("\"/sys/class/dmi/id\"", "\"/var/lib/rig-dmi\"");
    ensure(
        code.contains("if False:") && code.contains("rig-dmi"),
        "cloud-init reads DMI in another way than it did",
    )?;
    rootfs::write(root, path, &code)
}

/// What is in the account, by AWS's own library and not by ours.
fn world(around: &Surroundings, words: &[&str]) -> Result<String> {
    let python = aws::python()?.display().to_string();
    let mut command = around.namespace.command(&python);
    command.arg(data("world.py")).arg(MOTO).args(words);
    process::run(&mut command)
}

fn settings(instance: &str) -> Result<Value> {
    Ok(json!({
        "metadata": metadata(instance)?,
        "keys": {KEY: "secret-of-the-rig"},
        "tokens": {KEY: "session-of-the-rig"},
        "callers": {KEY: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/{instance}")},
    }))
}

/// The categories that cloud-init and the agent read ("Instance metadata categories" in EC2's user guide).
fn metadata(instance: &str) -> Result<Value> {
    let credentials = json!({"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": "2026-01-01T00:00:00Z",
        "AccessKeyId": KEY, "SecretAccessKey": "secret-of-the-rig", "Token": "session-of-the-rig",
        "Expiration": "2099-01-01T00:00:00Z"});
    let profile = format!("arn:aws:iam::{ACCOUNT}:instance-profile/{ROLE}");
    let info = json!({"Code": "Success", "InstanceProfileArn": profile, "InstanceProfileId": "AIPAEXAMPLE"});
    let document = json!({"accountId": ACCOUNT, "instanceId": instance, "region": "us-east-1",
        "availabilityZone": "us-east-1a", "privateIp": ADDRESS, "imageId": "ami-0e2e0000000000001",
        "instanceType": "m7i.large", "architecture": "x86_64", "version": "2017-09-30",
        "pendingTime": aws::now()?});
    let rows = [
        ("ami-id", "ami-0e2e0000000000001"),
        ("ami-launch-index", "0"),
        ("hostname", "ip-10-77-0-10.ec2.internal"),
        ("instance-id", instance),
        ("instance-life-cycle", "on-demand"),
        ("instance-type", "m7i.large"),
        ("local-hostname", "ip-10-77-0-10.ec2.internal"),
        ("local-ipv4", ADDRESS),
        ("mac", MAC),
        ("placement/availability-zone", "us-east-1a"),
        ("placement/region", "us-east-1"),
        ("profile", "default-hvm"),
        ("reservation-id", "r-0e2e0000000000001"),
        ("security-groups", "workers"),
        ("services/domain", "amazonaws.com"),
        ("services/partition", "aws"),
        ("tags/instance/Name", "worker"),
        ("tags/instance/Role", "llm"),
        ("iam/info", &info.to_string()),
        (
            &format!("iam/security-credentials/{ROLE}"),
            &credentials.to_string(),
        ),
        (&format!("network/interfaces/macs/{MAC}/device-number"), "0"),
        (
            &format!("network/interfaces/macs/{MAC}/local-ipv4s"),
            ADDRESS,
        ),
    ]
    .map(|(path, text)| (format!("meta-data/{path}"), json!(text)));
    let mut all = Map::from_iter(rows);
    all.insert(DOCUMENT.into(), json!(document.to_string()));
    Ok(Value::Object(all))
}
