//! `ansible.builtin.async_status`.

use crate::choices;
use crate::error::{Error, Result};
use crate::host::Effect;
use crate::module::{HostPath, Module, Plan, PlanCx, Returns};
use crate::params;
use crate::value::{Map, Value};

choices! {
    /// What is asked.
    pub enum Mode { Status = "status", Cleanup = "cleanup" }
}

params! {
    /// Asks how a task is getting on that was started with `async`, or removes its job file.
    ///
    /// A job goes on when lks ends, so it can also be asked about by a later run.
    ///
    /// ```yaml
    /// - name: Fetch a model, and go on meanwhile
    ///   command: ollama pull llama3.1:70b
    ///   async: 7200
    ///   poll: 0
    ///   register: pull
    ///
    /// - name: Wait for it
    ///   async_status:
    ///     jid: "{{ pull.ansible_job_id }}"
    ///   register: job
    ///   until: job is finished
    ///   retries: 240
    ///   delay: 30
    /// ```
    pub struct AsyncStatus {
        /// The job's id, which the task with `async` returned.
        required jid: String,
        /// `status` asks, `cleanup` removes the job's file.
        default(Mode::Status) mode: Mode,
        /// The folder of job files (set by the engine from `ansible_async_dir`).
        default(HostPath("~/.ansible_async".to_string())) _async_dir: HostPath,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("ansible_job_id", "the job's id"),
    ("started", "whether the job was started"),
    ("finished", "whether it is over"),
    ("results_file", "the job's file"),
    ("erased", "the job's file, which was removed"),
];

impl Module for AsyncStatus {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        if self.jid.is_empty() || self.jid.contains('/') {
            return Err(Error::params(format!("`{}` is no job's id", self.jid)));
        }
        let path = self._async_dir.expand(cx.host)?.join(&self.jid);
        let shown = path.display().to_string();
        let mut returns = Returns::default();
        returns
            .set("ansible_job_id", self.jid.as_str())
            .set("started", self.mode == Mode::Status)
            .set("finished", false)
            .set("stdout", "")
            .set("stderr", "");
        let Some(bytes) = cx.host.read(&path)? else {
            returns
                .set("started", true)
                .set("finished", true)
                .fail("could not find job");
            return Ok(Plan::returning(returns));
        };
        if self.mode == Mode::Cleanup {
            returns.set("erased", shown);
            let mut plan = Plan::returning(returns);
            plan.act(Effect::Remove { path });
            return Ok(plan);
        }
        returns.set("results_file", shown);
        let text = String::from_utf8_lossy(&bytes);
        match serde_json::from_str::<Value>(&text) {
            Ok(Value::Map(job)) => take(&job, &mut returns),
            // Whoever writes the file may not have got so far.
            _ if text.trim().is_empty() => {}
            _ => {
                returns
                    .set("finished", true)
                    .fail(format!("Could not parse job output: {text}"));
            }
        }
        Ok(Plan::returning(returns))
    }

    fn only_reads(&self) -> bool {
        self.mode == Mode::Status
    }
}

/// Takes what a job left: its module's result, unless it still works.
fn take(job: &Map, returns: &mut Returns) {
    let flag = |name: &str| job.get(name).is_some_and(Value::is_truthy);
    if !job.contains_key("started") {
        returns.set("finished", true);
        returns.changed = Some(flag("changed"));
        returns.failed = flag("failed");
        returns.skipped = flag("skipped");
    }
    for (key, value) in job {
        match (key.as_str().unwrap_or_default(), value) {
            ("changed" | "failed" | "skipped", _) => {}
            ("started" | "finished", value) => {
                returns.set(&key.to_string(), value.is_truthy());
            }
            ("ansible_facts", Value::Map(facts)) => returns.facts = (**facts).clone(),
            ("warnings", Value::List(warnings)) => {
                let texts = warnings.iter().filter_map(Value::as_str);
                returns.warnings.extend(texts.map(String::from));
            }
            (name, value) => {
                returns.set(name, value.clone());
            }
        }
    }
}
