//! What a host in memory does with effects that are more than files.

use super::FakeHost;
use crate::error::{Error, Result};
use crate::host::digest::digest_of;
use crate::host::tree::Data;
use crate::host::*;
use std::path::Path;
use std::time::Duration;

pub(super) fn output(rc: i32, stdout: &str, stderr: &str) -> Output {
    Output {
        rc,
        stdout: stdout.as_bytes().to_vec(),
        stderr: stderr.as_bytes().to_vec(),
        ..Output::default()
    }
}

impl FakeHost {
    pub(super) fn run(&mut self, command: &Command, then: &[Consequence]) -> Result<Output> {
        let command = self.memory.with_environment(command);
        self.script.state().ran.push(command.clone());
        let answer = self.script.answer(&command);
        let output = answer.unwrap_or_else(|| {
            let now = self.now();
            Output {
                start: now,
                end: now,
                ..Output::default()
            }
        });
        if output.success() {
            for consequence in then {
                self.memory.consequence(consequence)?;
            }
        }
        Ok(output)
    }

    pub(super) fn validate(&mut self, effect: &Effect) -> Result<()> {
        let Effect::WriteFile {
            validate: Some(line),
            ..
        } = effect
        else {
            return Ok(());
        };
        let argv = line.replace("%s", "/tmp/validated");
        let output = self.run(&Command::new(argv.split_whitespace()), &[])?;
        if output.success() {
            return Ok(());
        }
        Err(Error::host(format!(
            "failed to validate: rc:{} error:{}",
            output.rc,
            output.err()
        )))
    }

    pub(super) fn download(&mut self, download: &Download) -> Result<Outcome> {
        let mut response = self.script.respond(&download.request)?;
        let outcome = |response, replaced, backup, fetched| Outcome::Downloaded {
            response,
            replaced,
            backup,
            fetched,
            resumed: 0,
        };
        if response.status == 304 {
            return Ok(outcome(response, false, None, 0));
        }
        if response.status >= 400 {
            return Err(Error::host(format!(
                "{}: HTTP {} {}",
                download.request.url, response.status, response.reason
            )));
        }
        let body = std::mem::take(&mut response.body);
        if let Some((algorithm, want)) = &download.checksum
            && digest_of(&body, *algorithm) != want.to_lowercase()
        {
            return Err(Error::host(format!(
                "{}: the checksum does not match",
                download.request.url
            )));
        }
        let fetched = body.len() as u64;
        let same = self.read(&download.dest)?.as_deref() == Some(&body);
        let data = Data::Bytes(body.into());
        let backup = self.memory.downloaded(download, data)?;
        Ok(outcome(response, !same, backup, fetched))
    }

    pub(super) fn fetch_file(&mut self, fetch: &Fetch) -> Result<Outcome> {
        let url = &fetch.request.url;
        let response = match url.strip_prefix("file://").map(Path::new) {
            Some(path) => Response {
                status: 200,
                body: self.read(path)?.unwrap_or_default(),
                ..Response::default()
            },
            None => self.script.respond(&fetch.request)?,
        };
        if response.status >= 400 {
            let (status, reason) = (response.status, &response.reason);
            return Err(Error::host(format!("{url}: HTTP {status} {reason}")));
        }
        let sha256 = digest_of(&response.body, Digest::Sha256);
        if let Some(want) = fetch.sha256.as_ref().filter(|w| **w != sha256) {
            return Err(crate::host::weights::wrong_digest(url, &sha256, want));
        }
        crate::host::weights::check(&fetch.dest, &mut &response.body[..], fetch.size)?;
        let fetched = response.body.len() as u64;
        self.memory
            .fetched(fetch, Data::Bytes(response.body.into()))?;
        if let Some(path) = &fetch.note {
            let mtime = self.stat(&fetch.dest)?.map_or(0.0, |s| s.mtime);
            let text = super::FetchNote::of(fetch, &sha256, mtime).text();
            self.memory.remember(&Effect::WriteFile {
                path: path.clone(),
                content: Content::Bytes(text.into_bytes()),
                attrs: Attrs::default(),
                backup: false,
                validate: None,
                in_place: false,
            })?;
        }
        Ok(Outcome::Fetched(Box::new(Fetched {
            sha256,
            fetched,
            ..Fetched::default()
        })))
    }

    pub(super) fn wait(
        &mut self,
        probe: &Probe,
        delay: Duration,
        timeout: Duration,
    ) -> Result<Outcome> {
        let open = |port| self.script.state().ports.contains(port);
        let mut groups = Vec::new();
        let mut answer = None;
        let met = match probe {
            Probe::Answer {
                request, search, ..
            } => {
                let last = self.script.respond(request).map_err(|e| e.message());
                let found = crate::host::probe::answers(&last, search.as_deref())?;
                answer = Some(Box::new(last));
                found.map(|g| groups = g).is_some()
            }
            Probe::PortOpen { port, .. } => open(port),
            Probe::PortClosed { port, .. } | Probe::PortDrained { port, .. } => !open(port),
            Probe::PathPresent { path, search: None } => self.stat(path)?.is_some(),
            Probe::PathPresent {
                path,
                search: Some(regex),
            } => match self.read(path)? {
                None => false,
                Some(text) => crate::host::probe::search(regex, &text)?
                    .map(|g| groups = g)
                    .is_some(),
            },
            Probe::PathAbsent { path } => self.lstat(path)?.is_none(),
            Probe::Nothing => false,
        };
        let given_up = probe.is_hopeless(answer.as_deref());
        let waits = !met && !given_up || matches!(probe, Probe::Nothing);
        let elapsed = delay + if waits { timeout } else { Duration::ZERO };
        self.script.state().now += elapsed.as_secs_f64();
        Ok(Outcome::Awaited {
            met: met || matches!(probe, Probe::Nothing),
            elapsed: elapsed.as_secs_f64(),
            groups,
            answer,
        })
    }
}
