//! Three hosts on one NFS export want one large model: one fetches it, another takes over when the first is
//! killed in the middle, goes on where it was when it is killed itself and started again, and all three
//! verify what is there.
//!
//! The hosts live in one virtual machine, since only its kernel is an NFS client. Each has a network with an
//! address of its own on the rig's, its own mount of the export (a kernel has a client for each network, and
//! the server sees three), a name, and an identity of its start, by which the lease tells hosts apart.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::console::Output;
use super::options::Options;
use super::playbook_run::{AGENT, LIMIT};
use super::report::Report;
use super::services::EFS;
use super::stage::{say, stage};
use super::vm::Vm;
use super::{Attempt, Failure, Result, data, disk, ensure, process};
use crate::models::{self, Server};

/// MiB of the model, where nothing else is said.
pub const MIB: u64 = 2048;
/// How many hosts there are.
const HOSTS: usize = 3;
const CONNECTIONS: u64 = 4;
const PART_MIB: u64 = 16;
/// What a kill may cost: the parts that were under way.
const IN_FLIGHT: u64 = CONNECTIONS * (PART_MIB << 20);
/// How often a holder is killed.
const KILLS: u64 = 2;
/// Seconds of silence after which a holder is taken for dead.
const LEASE: u64 = 30;
/// Seconds of that which are over at the soonest when it is killed: it beats six times in them.
const SILENCE: f64 = (LEASE - LEASE / 6) as f64 - 1.0;
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(300);
/// Between two looks that cost something.
const NOW_AND_THEN: Duration = Duration::from_secs(15);
const DEST: &str = "llm/big.safetensors";
const SERVER: &str = "10.77.0.1:8002";

/// The hosts' networks, on a bridge with the machine's own card. What the machine wants from the rig's
/// network itself it has fetched before.
const NETWORK: &str = "
ip link add br0 type bridge
ip addr flush dev eth0
ip link set eth0 master br0
ip link set br0 up
mkdir -p /run/hosts /models
for n in 1 2 3; do
    ip netns add host$n
    ip link add port$n type veth peer name eth0 netns host$n
    ip link set port$n master br0 up
    ip -n host$n addr add 10.77.0.1$n/24 dev eth0
    ip -n host$n link set lo up
    ip -n host$n link set eth0 up
    printf '00000000-0000-4000-8000-00000000000%s\\n' $n >/run/hosts/boot$n
done
";

/// What a host is: a process that holds its namespaces. `NUMBER` is the host's, `OPTIONS` are AWS's for EFS.
const HOST: &str = "
nsenter --net=/run/netns/hostNUMBER unshare --mount --uts sh -euc '
    hostname hostNUMBER
    mount --bind /run/hosts/bootNUMBER /proc/sys/kernel/random/boot_id
    mount -t nfs4 -o OPTIONS SERVER:/ /models
    echo $$ >/run/hosts/pidNUMBER
    exec sleep infinity
' >/run/hosts/logNUMBER 2>&1 </dev/null &
for i in $(seq 600); do
    test -s /run/hosts/pidNUMBER && exit 0
    kill -0 $! || break
    sleep 0.1
done
cat /run/hosts/logNUMBER
exit 1
";

/// "Recommended NFS mount options" in EFS's user guide.
const OPTIONS: &str = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport";

/// Runs every stage; the first failure ends it.
///
/// # Errors
/// When a claim does not hold.
pub fn run(options: &Options, mib: u64) -> Result<()> {
    stage("images", disk::get)?;
    let mut vm = stage("boot", Vm::boot)?;
    stage("the agent and an NFS client onto the machine", || {
        vm.copy_in(&options.agent, AGENT)?;
        vm.copy_in(&data("shared-model.yml"), "/root/shared-model.yml")?;
        let quiet = "DEBIAN_FRONTEND=noninteractive apt-get -q -y";
        let install = format!("{quiet} update && {quiet} install nfs-common");
        vm.run(&install, LIMIT, |_| {})?.good().map(drop)
    })?;
    let mut share = stage(&format!("a model of {mib} MiB and its server"), || {
        Share::new(vm, mib << 20)
    })?;
    stage("three hosts mount the export", || share.mount())?;
    let (holder, killed) = stage("all three want it, one fetches half of it", || {
        share.half_way()
    })?;
    let (next, process) = stage("its holder is killed, and another takes over", || {
        share.taken_over(holder, killed)
    })?;
    stage("that is killed, started, and has its lease again", || {
        share.taken_back(next, process)
    })?;
    let results = stage("the first starts again, and all three have it", || {
        share.start(holder)?;
        share.ended(&[1, 2, 3])
    })?;
    stage(
        "one of them fetched, two waited, nothing came twice",
        || share.judge(&results),
    )?;
    stage("one whole file lies on the export", || share.published())?;
    stage("its digest, through each of the three mounts", || {
        share.digests()
    })?;
    stage("a second run on all three changes nothing", || {
        share.again()
    })
}

/// The machine with its three hosts, and the model that they want.
struct Share {
    server: Server,
    size: u64,
    sha256: String,
    vm: Vm,
}

impl Share {
    fn new(mut vm: Vm, size: u64) -> Result<Self> {
        let source = vm.around().namespace.dir().join("big.safetensors");
        models::make_safetensors(&source, size)?;
        let said = process::run(std::process::Command::new("sha256sum").arg(&source))?;
        let sha256 = said.split(' ').next().unwrap_or_default().to_owned();
        let listener = vm.around().namespace.listen(SERVER)?;
        let server = Server::over(listener, &source)?;
        Ok(Self {
            server,
            size,
            sha256,
            vm,
        })
    }

    fn mount(&mut self) -> Result<()> {
        self.vm.exec(NETWORK)?;
        fs::create_dir_all(self.export().join("llm"))?;
        let variables = json!({
            "url": format!("http://{SERVER}/big.safetensors"),
            "sha256": self.sha256,
            "connections": CONNECTIONS,
            "part_mib": PART_MIB,
            "lease": LEASE,
        });
        let file = self.vm.around().namespace.dir().join("variables.json");
        fs::write(&file, variables.to_string())?;
        self.vm.copy_in(&file, "/run/hosts/variables.json")?;
        for number in 1..=HOSTS {
            let script = HOST
                .replace("NUMBER", &number.to_string())
                .replace("OPTIONS", OPTIONS)
                .replace("SERVER", EFS);
            self.vm
                .exec(&script)
                .attempt(format_args!("host {number}"))?;
            let mount = self.on(number, "findmnt -n -o FSTYPE,SOURCE,OPTIONS /models")?;
            say(format_args!("     host{number}: {}", mount.trim()));
            let own = format!("clientaddr=10.77.0.1{number}");
            ensure(
                mount.starts_with("nfs4") && mount.contains("vers=4.1") && mount.contains(&own),
                format_args!("host {number} has {mount}"),
            )?;
        }
        Ok(())
    }

    /// A command as one of the hosts.
    fn as_host(number: usize, command: &str) -> String {
        format!(
            "nsenter --net --mount --uts --target $(cat /run/hosts/pid{number}) sh -c '{command}'"
        )
    }

    fn on(&mut self, number: usize, command: &str) -> Result<String> {
        self.vm.exec(&Self::as_host(number, command))
    }

    /// Starts the agent on a host, and does not wait for it.
    fn start(&mut self, number: usize) -> Result<()> {
        let run = format!(
            "{AGENT} run --output json -e @/run/hosts/variables.json /root/shared-model.yml \
             >/run/hosts/out{number} 2>/run/hosts/err{number}; echo $? >/run/hosts/code{number}"
        );
        let command = Self::as_host(number, &run);
        self.vm
            .exec(&format!(
                "rm -f /run/hosts/code{number}; setsid {command} </dev/null >/dev/null 2>&1 &"
            ))
            .map(drop)
    }

    /// All start at once; ends when half of it was sent. The host that holds the lease, and its process.
    fn half_way(&mut self) -> Result<(usize, u64)> {
        for number in 1..=HOSTS {
            self.start(number)?;
        }
        self.wait("half of it", |share| {
            Ok((share.server.sent() >= share.size / 2).then_some(()))
        })?;
        let (holder, process) = self.holder()?;
        say(format_args!(
            "     host{holder} fetches, process {process}: {} MiB sent",
            self.server.sent() >> 20
        ));
        Ok((holder, process))
    }

    /// Kills the holder. While its lease lasts nobody fetches; then another does.
    fn taken_over(&mut self, holder: usize, process: u64) -> Result<(usize, u64)> {
        self.kill(process)?;
        let (killed, before) = (Instant::now(), self.server.sent());
        let successor = self.wait("another holder", |share| {
            let now = share.holder().ok();
            Ok(now.filter(|(number, _)| *number != holder))
        })?;
        let silent = killed.elapsed().as_secs_f64();
        let sent = self.server.sent() - before;
        say(format_args!(
            "     host{} took over {silent:.1} s after the kill",
            successor.0
        ));
        ensure(
            silent > SILENCE,
            format_args!("the lease of {LEASE} s was over after {silent:.1} s"),
        )?;
        ensure(
            sent <= IN_FLIGHT,
            format_args!("{sent} bytes were sent while the lease lasted"),
        )?;
        Ok(successor)
    }

    /// Kills the holder and starts it again at once: that the lock on its own lease is free tells it that
    /// nobody is to be waited for.
    fn taken_back(&mut self, holder: usize, process: u64) -> Result<()> {
        let killed = Instant::now();
        self.kill(process)?;
        self.start(holder)?;
        self.wait("the holder's return", |share| {
            let now = share.holder().ok().filter(|(_, other)| *other != process);
            Ok(now.map(|(number, _)| number))
        })
        .and_then(|number| {
            let seconds = killed.elapsed().as_secs_f64();
            say(format_args!(
                "     host{number} has it {seconds:.1} s after the kill"
            ));
            ensure(
                number == holder && seconds < SILENCE,
                format_args!(
                    "host{holder} was to have it again, and before others take it for dead"
                ),
            )
        })
    }

    /// Kills a process, and sees it gone: one that waits for the NFS server dies late.
    fn kill(&mut self, process: u64) -> Result<()> {
        let gone = format!("kill -9 {process}; while kill -0 {process} 2>&-; do sleep 0.1; done");
        self.vm.exec(&gone).map(drop)
    }

    /// Who holds the lease, as the NFS server sees it: the host's number and its process.
    fn holder(&self) -> Result<(usize, u64)> {
        let lease = self.export().join("llm/.big.safetensors.lks-lease");
        let text = fs::read_to_string(lease).attempt("no lease")?;
        let mut words = text.split_whitespace();
        let host = words.next().and_then(|w| w.strip_prefix("host"));
        let number = host.and_then(|n| n.parse().ok());
        let process = words.next().and_then(|w| w.parse().ok());
        number
            .zip(process)
            .ok_or_else(|| Failure::new(format!("the lease says {text:?}")))
    }

    /// The results of these hosts, once they have ended.
    fn ended(&mut self, hosts: &[usize]) -> Result<Vec<(Report, Value)>> {
        let names: Vec<String> = hosts
            .iter()
            .map(|n| format!("/run/hosts/code{n}"))
            .collect();
        let all = format!(
            "for f in {}; do test -s $f || exit 1; done",
            names.join(" ")
        );
        self.wait("the end", |share| {
            Ok((share.vm.try_exec(&all)?.code == 0).then_some(()))
        })?;
        hosts.iter().map(|number| self.result(*number)).collect()
    }

    fn result(&mut self, number: usize) -> Result<(Report, Value)> {
        let show = format!(
            "cat /run/hosts/out{number}; cat /run/hosts/err{number} >&2; exit $(cat /run/hosts/code{number})"
        );
        let Output {
            code,
            stdout,
            stderr,
        } = self.vm.try_exec(&show)?;
        ensure(
            code == 0,
            format_args!(
                "host {number} ended with {code}:\n{}\n{}",
                process::tail(&stdout),
                process::tail(&stderr)
            ),
        )?;
        let report = Report::parse(&stdout)?;
        let document: Value = serde_json::from_str(&stdout[stdout.find('{').unwrap_or(0)..])
            .attempt("the report is no JSON")?;
        let hosts = document["plays"][0]["tasks"][0]["hosts"].as_object();
        let result = hosts.and_then(|h| h.values().next()).cloned();
        Ok((report, result.unwrap_or_default()))
    }

    /// Who fetched and who waited, and what that cost.
    fn judge(&self, results: &[(Report, Value)]) -> Result<()> {
        let mut fetchers = 0;
        for (number, (report, result)) in results.iter().enumerate() {
            let file = &result["files"][0];
            say(format_args!(
                "     host{}: by_another={}, fetched {} MiB, resumed {} MiB, {} s",
                number + 1,
                file["by_another"],
                file["fetched"].as_u64().unwrap_or_default() >> 20,
                file["resumed"].as_u64().unwrap_or_default() >> 20,
                file["seconds"],
            ));
            ensure(
                file["sha256"] == self.sha256.as_str() && report.changed() == ["Fetch it"],
                format_args!("host {} says {result}", number + 1),
            )?;
            if file["by_another"] == false {
                fetchers += 1;
                let resumed = file["resumed"].as_u64().unwrap_or_default();
                ensure(
                    resumed + KILLS * IN_FLIGHT >= self.size / 2,
                    format_args!("only {resumed} bytes of the killed ones were taken over"),
                )?;
            }
        }
        ensure(
            fetchers == 1,
            format_args!("{fetchers} hosts say that they fetched it"),
        )?;
        let sent = self.server.sent();
        say(format_args!(
            "     {sent} bytes sent for a model of {}, {} twice (each of {KILLS} kills may cost {IN_FLIGHT})",
            self.size,
            sent.saturating_sub(self.size)
        ));
        ensure(
            sent <= self.size + KILLS * IN_FLIGHT,
            format_args!("{sent} bytes were sent"),
        )
    }

    /// The model under its name, what is known of it, and nothing else.
    fn published(&self) -> Result<()> {
        let mut names: Vec<String> = fs::read_dir(self.export().join("llm"))?
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        ensure(
            names == [".big.safetensors.lks-model", "big.safetensors"],
            format_args!("the export has {names:?}"),
        )?;
        let size = fs::metadata(self.export().join(DEST))?.len();
        ensure(size == self.size, format_args!("it has {size} bytes"))
    }

    /// What a program that is not ours reads there, from the server and not from the machine's memory.
    fn digests(&mut self) -> Result<()> {
        let mut all = "echo 3 >/proc/sys/vm/drop_caches; ".to_owned();
        for number in 1..=HOSTS {
            let read = Self::as_host(number, &format!("sha256sum /models/{DEST}"));
            all.push_str(&format!("{read} >/run/hosts/sum{number} & "));
        }
        all.push_str("wait; cat /run/hosts/sum*");
        let said = self.vm.run(&all, LIMIT, |_| {})?.good()?;
        let right = format!("{}  /models/{DEST}", self.sha256);
        ensure(
            said.lines().count() == HOSTS && said.lines().all(|line| line == right),
            format_args!("the hosts read:\n{said}"),
        )
    }

    fn again(&mut self) -> Result<()> {
        let before = self.server.sent();
        for number in 1..=HOSTS {
            self.start(number)?;
        }
        for (report, result) in self.ended(&[1, 2, 3])? {
            ensure(
                report.changed().is_empty(),
                format_args!("it changed {result}"),
            )?;
        }
        ensure(self.server.sent() == before, "something was fetched again")
    }

    fn export(&self) -> PathBuf {
        self.vm.efs()
    }

    fn wait<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let begun = Instant::now();
        let mut asked = begun;
        loop {
            if let Some(found) = look(self)? {
                return Ok(found);
            }
            self.vm.still_runs()?;
            if asked.elapsed() > NOW_AND_THEN {
                asked = Instant::now();
                self.nobody_failed()?;
            }
            ensure(
                begun.elapsed() < LIMIT,
                format_args!(
                    "waited for {what} for {LIMIT:?}, and {} bytes were sent",
                    self.server.sent()
                ),
            )?;
            std::thread::sleep(GLANCE);
        }
    }

    /// `Err` with what was said by a host that ended otherwise than well, or by our kill.
    fn nobody_failed(&mut self) -> Result<()> {
        let failed = "grep -L -x -e 0 -e 137 -s /run/hosts/code*";
        let show =
            format!("for f in $({failed}); do tail -n 40 $f /run/hosts/out${{f##*code}}; done");
        let said = self.vm.try_exec(&show)?.stdout;
        ensure(said.is_empty(), process::tail(&said))
    }
}
