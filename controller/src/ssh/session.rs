//! One SSH connection: reaching a host (through others, if need be), knowing it, logging in.

use super::auth::{self, Keyring};
use super::exec::{Done, Exec};
use super::hostkeys::{self, Known, Strict, Verdict};
use super::target::Target;
use lks_agent::error::{Error, Result};
use russh::client::{self, Handle, Handler};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Preferred, client::Config};
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime;

/// A host that says nothing for four times this long is gone.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// A connection on which one is logged in.
pub struct Session {
    handle: Handle<Client>,
    /// Connections that this one goes through; they end with it.
    _way: Vec<Handle<Client>>,
    runtime: runtime::Handle,
}

impl Session {
    /// Reaches a host and logs in.
    ///
    /// # Errors
    /// Of kind `Unreachable`, each way to fail with its own words and advice.
    pub fn open(target: &Target, keys: &Keyring, runtime: &runtime::Handle) -> Result<Self> {
        let (handle, way) = runtime.block_on(reach(target, keys))?;
        Ok(Self {
            handle,
            _way: way,
            runtime: runtime.clone(),
        })
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Starts a command.
    ///
    /// # Errors
    /// When the host starts none.
    pub fn exec(self: &Arc<Self>, command: &str) -> Result<Exec, russh::Error> {
        let channel = self.runtime.block_on(async {
            let channel = self.handle.channel_open_session().await?;
            channel.exec(true, command).await?;
            Ok::<_, russh::Error>(channel)
        })?;
        Ok(Exec::new(channel, self.runtime.clone(), Arc::clone(self)))
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn run(self: &Arc<Self>, command: &str, input: &[u8]) -> Result<Done, russh::Error> {
        self.exec(command)?.finish(input)
    }
}

type Reached = (Handle<Client>, Vec<Handle<Client>>);

/// The hosts of the way are reached one after the other, each through the one before.
async fn reach(target: &Target, keys: &Keyring) -> Result<Reached> {
    let mut hops = vec![target];
    while let Some(before) = hops.last().and_then(|t| t.jump.as_deref()) {
        hops.push(before);
    }
    let mut way: Vec<Handle<Client>> = Vec::new();
    for hop in hops.into_iter().rev() {
        let next = reach_one(hop, way.last(), keys).await;
        way.push(next.map_err(|e| through(e, hop, target))?);
    }
    let Some(handle) = way.pop() else {
        return Err(target.unreachable("there is no way"));
    };
    Ok((handle, way))
}

fn through(error: Error, hop: &Target, target: &Target) -> Error {
    if std::ptr::eq(hop, target) {
        return error;
    }
    error.context(format!("on the way to {}", target.name))
}

async fn reach_one(
    target: &Target,
    before: Option<&Handle<Client>>,
    keys: &Keyring,
) -> Result<Handle<Client>> {
    let name = target
        .alias
        .clone()
        .unwrap_or_else(|| hostkeys::known_name(&target.address, target.port));
    let mut files = target.known_hosts.clone();
    files.push(PathBuf::from("/etc/ssh/ssh_known_hosts"));
    let known = Known::read(&files, &name)?;
    let config = Arc::new(config(&known));
    let refusal = Arc::new(Mutex::new(None));
    let client = Client {
        known,
        name,
        target: target.clone(),
        refusal: Arc::clone(&refusal),
    };
    let limit = Duration::from_secs(target.timeout.max(1));
    let opening = open(target, before, config, client);
    let mut handle = match tokio::time::timeout(limit, opening).await {
        Ok(Ok(handle)) => handle,
        Ok(Err(error)) => {
            let refusal = refusal
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            return Err(refusal.unwrap_or(error));
        }
        Err(_) => return Err(too_slow(target)),
    };
    auth::log_in(&mut handle, target, keys).await?;
    Ok(handle)
}

fn config(known: &Known) -> Config {
    let key = known.prefer(&Preferred::DEFAULT.key);
    Config {
        keepalive_interval: Some(KEEPALIVE),
        // Calls are small and wait for their answers.
        nodelay: true,
        preferred: Preferred {
            key: key.into(),
            ..Preferred::DEFAULT
        },
        ..Config::default()
    }
}

async fn open(
    target: &Target,
    before: Option<&Handle<Client>>,
    config: Arc<Config>,
    client: Client,
) -> Result<Handle<Client>> {
    let Some(before) = before else {
        let socket = dial(target).await?;
        // Without it, only speed is lost.
        let _ = socket.set_nodelay(true);
        return client::connect_stream(config, socket, client)
            .await
            .map_err(|e| no_ssh(target, e));
    };
    let (address, port) = (target.address.clone(), u32::from(target.port));
    let channel = before
        .channel_open_direct_tcpip(address, port, "127.0.0.1", 0)
        .await;
    let channel = channel.map_err(|e| {
        target
            .unreachable("the host before it opens no way there")
            .caused_by(e)
            .hint("is AllowTcpForwarding on there, and does it know this address?")
    })?;
    client::connect_stream(config, channel.into_stream(), client)
        .await
        .map_err(|e| no_ssh(target, e))
}

/// Connects to the first of the host's addresses that answers.
async fn dial(target: &Target) -> Result<TcpStream> {
    let place = (target.address.as_str(), target.port);
    let addresses = tokio::net::lookup_host(place).await.map_err(|e| {
        target
            .unreachable("the name is not known")
            .caused_by(e)
            .hint("ansible_host gives a host's address, ~/.ssh/config its HostName")
    })?;
    let mut last = None;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    let last = last.unwrap_or_else(|| Io::AddrNotAvailable.into());
    Err(not_connected(target, last))
}

fn not_connected(target: &Target, error: std::io::Error) -> Error {
    let port = target.port;
    match error.kind() {
        Io::ConnectionRefused => target
            .unreachable(format!("nothing listens on port {port}"))
            .hint("is sshd running there? ansible_port gives another port"),
        Io::TimedOut => too_slow(target),
        Io::HostUnreachable | Io::NetworkUnreachable => target
            .unreachable("there is no route to it")
            .caused_by(error)
            .hint("is the host up, and this machine in its network (VPN, ProxyJump)?"),
        _ => target.unreachable("cannot connect").caused_by(error),
    }
}

fn too_slow(target: &Target) -> Error {
    let (port, seconds) = (target.port, target.timeout.max(1));
    target
        .unreachable(format!("no answer on port {port} within {seconds} s"))
        .hint("is the host up, and does its firewall (security group) let this machine in?")
        .hint("--timeout gives it more seconds")
}

fn no_ssh(target: &Target, error: russh::Error) -> Error {
    target
        .unreachable("what listens there does not speak SSH as it should")
        .caused_by(error)
        .hint(format!(
            "`ssh -v -p {} {}` shows how far it gets",
            target.port, target.address
        ))
}

/// Judges the key that a host shows.
pub struct Client {
    known: Known,
    name: String,
    target: Target,
    refusal: Arc<Mutex<Option<Error>>>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        match self.judge(&key.public_key()) {
            Ok(()) => Ok(true),
            Err(error) => {
                *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Ok(false)
            }
        }
    }
}

/// `known_hosts` is read and written as a whole.
static LEARNING: Mutex<()> = Mutex::new(());

impl Client {
    fn judge(&self, key: &PublicKey) -> Result<()> {
        let Target { address, port, .. } = &self.target;
        let seen = format!("{} {}", key.algorithm(), hostkeys::fingerprint(key));
        match (self.known.judge(key), self.target.strict) {
            (Verdict::Known, _) => Ok(()),
            (Verdict::Revoked(place), _) => {
                let text = format!("its key ({seen}) is revoked: {place}");
                Err(self.target.unreachable(text))
            }
            (_, Strict::No) => Ok(()),
            (Verdict::Unknown, Strict::AcceptNew) => {
                let _one = LEARNING.lock().unwrap_or_else(PoisonError::into_inner);
                match self.target.known_hosts.first() {
                    Some(file) if file != Path::new("/dev/null") => {
                        hostkeys::learn(file, &self.name, key)
                    }
                    _ => Ok(()),
                }
            }
            (Verdict::Unknown, Strict::Yes) => Err(self
                .target
                .unreachable(format!("its key is not known ({seen})"))
                .hint(format!(
                    "compare the fingerprint with the host's own, then: \
                     ssh-keyscan -p {port} {address} >> ~/.ssh/known_hosts"
                ))
                .hint(
                    "-o StrictHostKeyChecking=accept-new in ssh_common_args trusts hosts at first \
                     sight; host_key_checking=False trusts all",
                )),
            (Verdict::Changed(place), _) => Err(self
                .target
                .unreachable(format!(
                    "its key has CHANGED: it shows {seen}, another one is known ({place})"
                ))
                .hint("somebody may be listening in; or the host was made anew")
                .hint(format!("if it was: ssh-keygen -R '{}'", self.name))),
        }
    }
}
