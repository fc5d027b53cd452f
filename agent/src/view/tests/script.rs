//! Events written by hand: one line each, `verb arguments`. Names are closed by `;`.
//!
//! ```text
//! options diff verbosity=1            how the terminal is
//! run check                           a run starts
//! playbook site.yml
//! play First; h1,h2; linear
//! task web : Install; debug; site.yml:3; handler no_log check; {"msg": "hi"}
//! start h1
//! ok h1 {"msg": "hi"} {"diffs": […]}  also changed, may, skipped, failed, unreachable; the second
//!                                     mapping holds fields of `Report`
//! item ok h1 "x" {…} {…}
//! retry h1 2 {…}
//! included FILE; h1,h2; label
//! notice warning TEXT                 `\n` is a line end
//! progress h1 DONE TOTAL TEXT         `-` where a number is not known
//! wait 1500                           milliseconds
//! nohosts
//! notified h1 NAME
//! end h1 ok=1 changed=2, h2 failed=1
//! ```

use crate::event::{Counters, Event, EventKind, Level, PlayInfo, Report, Status, TaskInfo};
use crate::value::Value;
use crate::view::{Form, HumanOptions};
use serde::Deserialize;
use std::sync::Arc;

pub struct Script {
    pub options: HumanOptions,
    pub events: Vec<Event>,
    now: u64,
    task: u64,
    play: u64,
    check: bool,
}

impl Script {
    pub fn read(text: &str) -> Self {
        let mut script = Self {
            options: HumanOptions::default(),
            events: Vec::new(),
            now: 1_000_000,
            task: 0,
            play: 0,
            check: false,
        };
        for line in text.lines().map(str::trim) {
            if !line.is_empty() && !line.starts_with('#') {
                let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
                script.line(verb, rest.trim());
            }
        }
        script
    }

    fn line(&mut self, verb: &str, rest: &str) {
        let task = self.task;
        match verb {
            "options" => self.options(rest),
            "wait" => self.now += rest.parse::<u64>().expect("milliseconds"),
            "item" => {
                let (status, rest) = word(rest);
                let (host, rest) = word(rest);
                let mut values = json(rest);
                let item = values.remove(0);
                let report = report(status, values);
                self.push(host, EventKind::ItemFinished { task, item, report });
            }
            "retry" => {
                let (host, rest) = word(rest);
                let (left, rest) = word(rest);
                let left = left.parse().expect("a number");
                let result = json(rest).remove(0);
                self.push(host, EventKind::Retry { task, left, result });
            }
            "start" => self.push(rest, EventKind::HostTaskStarted { task }),
            "notified" => {
                let (host, handler) = word(rest);
                let handler = handler.to_string();
                self.push(host, EventKind::Notified { handler });
            }
            "progress" => self.progress(rest),
            "ok" | "changed" | "may" | "skipped" | "failed" | "unreachable" => {
                let (host, rest) = word(rest);
                let report = report(verb, json(rest));
                self.push(host, EventKind::TaskFinished { task, report });
            }
            _ => {
                let kind = self.of_run(verb, rest);
                self.push("", kind);
            }
        }
    }

    fn of_run(&mut self, verb: &str, rest: &str) -> EventKind {
        let part = |n: usize| rest.split(';').nth(n).unwrap_or("").trim();
        let list = |n: usize| {
            part(n)
                .split(',')
                .map(str::trim)
                .map(String::from)
                .collect()
        };
        match verb {
            "run" => {
                self.check = rest.contains("check");
                EventKind::RunStarted {
                    version: 1,
                    playbooks: vec!["site.yml".into()],
                    check: self.check,
                    diff: false,
                }
            }
            "playbook" => EventKind::PlaybookStarted { name: rest.into() },
            "play" => {
                self.play += 1;
                let hosts: Vec<String> = list(1);
                EventKind::PlayStarted {
                    play: PlayInfo {
                        id: self.play,
                        name: part(0).into(),
                        hosts: hosts.iter().map(|h| Arc::from(h.as_str())).collect(),
                        strategy: if part(2).is_empty() {
                            "linear"
                        } else {
                            part(2)
                        }
                        .into(),
                        check: self.check,
                    },
                }
            }
            "task" => {
                self.task += 1;
                let args = rest.splitn(5, ';').nth(4).unwrap_or("null");
                EventKind::TaskStarted {
                    task: Arc::new(TaskInfo {
                        id: self.task,
                        name: part(0).into(),
                        module: part(1).into(),
                        path: part(2).into(),
                        handler: part(3).contains("handler"),
                        check: self.check,
                        no_log: part(3).contains("no_log"),
                        args: json(args).remove(0),
                    }),
                }
            }
            "included" => EventKind::Included {
                file: part(0).into(),
                hosts: list(1),
                label: Some(part(2).to_string()).filter(|l| !l.is_empty()),
            },
            "notice" => {
                let (level, text) = word(rest);
                EventKind::Notice {
                    level: Level::deserialize(&serde_json::Value::from(level)).expect("a level"),
                    text: text.replace("\\n", "\n"),
                }
            }
            "nohosts" => EventKind::NoHostsMatched,
            "end" => EventKind::RunFinished {
                stats: rest.split(',').map(str::trim).map(stats).collect(),
                status: 0,
            },
            other => panic!("no such verb: {other}"),
        }
    }

    fn progress(&mut self, rest: &str) {
        let (host, rest) = word(rest);
        let (done, rest) = word(rest);
        let (total, text) = word(rest);
        let kind = EventKind::Progress {
            task: self.task,
            text: text.replace("\\n", "\n"),
            done: done.parse().ok(),
            total: total.parse().ok(),
        };
        self.push(host, kind);
    }

    fn options(&mut self, text: &str) {
        let o = &mut self.options;
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, "1"));
            let number: usize = value.parse().expect("a number");
            match name {
                "colour" => o.colour = true,
                "tty" => o.tty = true,
                "fleet" => o.form = Form::Fleet,
                "diff" => o.diff = true,
                "markers" => o.check_markers = true,
                "custom" => o.show_custom_stats = true,
                "stderr" => o.failed_stderr = true,
                "yaml" => o.yaml = Some(crate::cli::yaml_scalar),
                "args" => o.display_args = true,
                "paths" => o.task_path_on_failure = true,
                "ok" => o.display_ok_hosts = number > 0,
                "skipped" => o.display_skipped_hosts = number > 0,
                "width" => o.width = number,
                "height" => o.height = number,
                "verbosity" => o.verbosity = u8::try_from(number).expect("a small number"),
                other => panic!("no such option: {other}"),
            }
        }
    }

    fn push(&mut self, host: &str, kind: EventKind) {
        let seq = self.events.iter().filter(|e| *e.host == *host).count() as u64 + 1;
        self.now += 1;
        self.events.push(Event {
            run: "r1".into(),
            host: host.into(),
            seq,
            at_ms: self.now,
            kind,
        });
    }
}

fn word(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    (first, rest.trim())
}

/// One JSON value after the other.
fn json(text: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(text)
        .into_iter::<Value>()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn report(status: &str, values: Vec<Value>) -> Report {
    let status = match status {
        "ok" => Status::Ok,
        "changed" => Status::Changed,
        "may" => Status::MayChange,
        "skipped" => Status::Skipped,
        "failed" => Status::Failed,
        "unreachable" => Status::Unreachable,
        other => panic!("no such status: {other}"),
    };
    let mut values = values.into_iter();
    let result = values
        .next()
        .unwrap_or_else(|| Value::map(Default::default()));
    let base = serde_json::to_value(Report::default()).expect("a report");
    let mut fields = base.as_object().cloned().unwrap_or_default();
    if let Some(serde_json::Value::Object(more)) = values.next().map(|v| v.to_json()) {
        fields.extend(more);
    }
    let mut report: Report = serde_json::from_value(fields.into()).expect("fields of a report");
    (report.status, report.result) = (status, result);
    report
}

fn stats(text: &str) -> (Arc<str>, Counters) {
    let (host, rest) = word(text);
    let mut counters = Counters::default();
    for pair in rest.split_whitespace() {
        let (name, count) = pair.split_once('=').expect("name=count");
        let count = count.parse().expect("a number");
        match name {
            "ok" => counters.ok = count,
            "changed" => counters.changed = count,
            "unreachable" => counters.unreachable = count,
            "failed" => counters.failed = count,
            "skipped" => counters.skipped = count,
            "rescued" => counters.rescued = count,
            "ignored" => counters.ignored = count,
            "may_change" => counters.may_change = count,
            other => panic!("no such counter: {other}"),
        }
    }
    (host.into(), counters)
}
