//! What a person reads while a run goes on: Ansible's default output to the letter where scripts
//! read it, plus what is ours (`may change`, live progress).

mod diffs;
mod fleet;
mod notices;
mod progress;
mod recap;
mod results;
mod screen;

use super::custom::CustomStats;
use crate::event::{Event, EventKind, PlayInfo, Sink, TaskInfo};
use crate::value::Value;
pub(super) use results::{displayed, without_internals, written_args};

use fleet::Fleet;
use progress::Progress;
pub(super) use screen::Colour;
use screen::Screen;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// The form of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// That of `ansible-playbook`: banners, results, a recap.
    #[default]
    Default,
    /// That of `ansible`: results alone.
    Minimal,
    /// That of `ansible -o`: one line for each result.
    OneLine,
    /// A live line for each host; failures and the recap as in the default.
    Fleet,
}

/// How to show a run. What the terminal is like is for the caller to find out.
#[derive(Clone, Copy, Debug)]
pub struct HumanOptions {
    /// The form of the text.
    pub form: Form,
    /// Whether colours may be used; nothing is ever told by colour alone.
    pub colour: bool,
    /// Columns of the terminal; 80 if there is none. Banners reach to 79 at least, as Ansible's.
    pub width: usize,
    /// Lines of the terminal; 24 if there is none.
    pub height: usize,
    /// Whether standard output is a terminal, so that lines may be drawn again.
    pub tty: bool,
    /// How often `-v` was given.
    pub verbosity: u8,
    /// `--diff`.
    pub diff: bool,
    /// Say `[CHECK MODE]` in banners and `DRY RUN` around a run (`check_mode_markers`).
    pub check_markers: bool,
    /// Show hosts where nothing changed (`display_ok_hosts`).
    pub display_ok_hosts: bool,
    /// Show hosts where a task was skipped (`display_skipped_hosts`).
    pub display_skipped_hosts: bool,
    /// Show what `set_stats` gathered (`show_custom_stats`).
    pub show_custom_stats: bool,
    /// Send failures to standard error (`display_failed_stderr`).
    pub failed_stderr: bool,
    /// Show the file and line of a task that failed (`show_task_path_on_failure`).
    pub task_path_on_failure: bool,
    /// Show the arguments of tasks in their banners (`display_args_to_stdout`).
    pub display_args: bool,
    /// Show deprecation warnings (`deprecation_warnings`).
    pub deprecations: bool,
    /// Lay results out over several lines, or never (`callback_format_pretty`).
    pub pretty: Option<bool>,
    /// Say when a task starts on a host (`show_per_host_start`).
    pub per_host_start: bool,
    /// Show results as YAML (`callback_result_format = yaml`); this is how a scalar is written.
    pub yaml: Option<fn(&Value) -> String>,
}

impl Default for HumanOptions {
    fn default() -> Self {
        Self {
            form: Form::Default,
            colour: false,
            width: 80,
            height: 24,
            tty: false,
            verbosity: 0,
            diff: false,
            check_markers: false,
            display_ok_hosts: true,
            display_skipped_hosts: true,
            show_custom_stats: false,
            failed_stderr: false,
            task_path_on_failure: false,
            display_args: false,
            deprecations: true,
            pretty: None,
            per_host_start: false,
            yaml: None,
        }
    }
}

/// The view for people. Results go to `W` (standard output), warnings and the progress lines of a
/// log to `E` (standard error).
pub struct Human<W, E> {
    state: Mutex<State<W, E>>,
}

impl<W: Write + Send, E: Write + Send> Human<W, E> {
    /// A view that writes here.
    pub fn new(out: W, err: E, options: HumanOptions) -> Self {
        Self {
            state: Mutex::new(State {
                screen: Screen::new(out, err, &options),
                options,
                tasks: HashMap::new(),
                started: None,
                banner: None,
                eager: true,
                check: false,
                seen: HashSet::new(),
                custom: CustomStats::default(),
                progress: Progress::default(),
                fleet: Fleet::default(),
            }),
        }
    }

    /// Gives the writers back.
    pub fn into_inner(self) -> (W, E) {
        let state = self.state.into_inner();
        state
            .unwrap_or_else(PoisonError::into_inner)
            .screen
            .into_inner()
    }
}

impl<W: Write + Send, E: Write + Send> Sink for Human<W, E> {
    fn emit(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.take(event);
    }
}

/// What the view remembers between events.
pub(super) struct State<W, E> {
    pub(super) options: HumanOptions,
    pub(super) screen: Screen<W, E>,
    /// Tasks of the present play.
    pub(super) tasks: HashMap<u64, Arc<TaskInfo>>,
    /// The task that started last.
    started: Option<u64>,
    /// The task whose banner was printed last.
    banner: Option<u64>,
    /// Whether banners are printed when a task starts, and not only before its first result.
    eager: bool,
    check: bool,
    /// Warnings and errors that were shown: each is shown once.
    seen: HashSet<String>,
    custom: CustomStats,
    progress: Progress,
    fleet: Fleet,
}

impl<W: Write, E: Write> State<W, E> {
    fn take(&mut self, event: &Event) {
        self.progress.take(event, &self.tasks);
        match self.options.form {
            Form::Default => self.show(event),
            Form::Minimal => self.show_minimal(event),
            Form::OneLine => self.show_oneline(event),
            Form::Fleet => self.show_fleet(event),
        }
        if self.options.tty {
            let HumanOptions { width, height, .. } = self.options;
            let lines = match self.options.form {
                Form::Fleet => self.fleet.lines(&self.progress, width, height, event.at_ms),
                _ => self.progress.lines(width, self.screen.is_drawn()),
            };
            self.screen.draw(lines, event.at_ms);
        } else if let Some(line) = self.progress.log_line(event) {
            self.screen.err(Colour::Verbose, &line);
        }
        self.screen.flush();
    }

    fn show(&mut self, event: &Event) {
        let host = &*event.host;
        match &event.kind {
            EventKind::RunStarted { check, .. } => {
                self.check = *check;
                self.dry_run();
            }
            EventKind::PlaybookStarted { name } if self.options.verbosity > 1 => {
                let name = name.rsplit('/').next().unwrap_or(name);
                self.screen.banner(&format!("PLAYBOOK: {name}"));
            }
            EventKind::PlayStarted { play } => self.play(play),
            EventKind::Notice { level, text } => self.notice(*level, text),
            EventKind::NoHostsMatched => {
                self.screen.out(Colour::Skip, "skipping: no hosts matched");
            }
            EventKind::TaskStarted { task } => self.task(task),
            EventKind::HostTaskStarted { task } if self.options.verbosity > 2 => {
                if let Some(task) = self.tasks.get(task) {
                    let text = format!("<{host}> EXEC {}", task.module);
                    self.screen.out(Colour::Verbose, &text);
                }
            }
            EventKind::HostTaskStarted { task } if self.options.per_host_start => {
                let task = self.tasks.get(task).map(|t| t.name.clone());
                let text = format!(" [started TASK: {} on {host}]", task.unwrap_or_default());
                self.screen.out(Colour::Ok, &text);
            }
            EventKind::Retry { task, left, result } => self.retry(host, *task, *left, result),
            EventKind::Job {
                news,
                jid,
                started,
                finished,
                ..
            } => self.job(host, *news, jid, (*started, *finished)),
            EventKind::ItemFinished { task, item, report } => {
                self.item(host, *task, item, report);
            }
            EventKind::TaskFinished { task, report } => {
                self.custom.take(host, report);
                self.finished(host, *task, report);
            }
            EventKind::Included { file, hosts, label } => {
                self.included(file, hosts, label.as_deref());
            }
            EventKind::Notified { handler } if self.options.verbosity > 1 => {
                let text = format!("NOTIFIED HANDLER {handler} for {host}");
                self.screen.out(Colour::Verbose, &text);
            }
            EventKind::RunFinished { stats, .. } => {
                self.recap(stats);
                self.dry_run();
            }
            _ => {}
        }
    }

    /// `DRY RUN`, before and after a check run, where the user asked for markers.
    fn dry_run(&mut self) {
        if self.check && self.options.check_markers {
            self.screen.banner("DRY RUN");
        }
    }

    fn play(&mut self, play: &PlayInfo) {
        self.tasks.clear();
        self.banner = None;
        let free = matches!(
            play.strategy.rsplit('.').next(),
            Some("free" | "host_pinned")
        );
        self.eager = !free && self.options.display_ok_hosts && self.options.display_skipped_hosts;
        let mark = self.mark(play.check);
        match play.name.trim() {
            "" => self.screen.banner(&format!("PLAY{mark}")),
            name => self.screen.banner(&format!("PLAY [{name}]{mark}")),
        }
    }

    fn mark(&self, check: bool) -> &'static str {
        if check && self.options.check_markers {
            " [CHECK MODE]"
        } else {
            ""
        }
    }

    fn task(&mut self, task: &Arc<TaskInfo>) {
        self.tasks.insert(task.id, Arc::clone(task));
        self.started = Some(task.id);
        if self.eager {
            self.task_banner(task.id);
        }
    }

    /// Prints the banner of a task, unless it is the one that was printed last.
    fn task_banner(&mut self, id: u64) {
        if self.banner == Some(id) {
            return;
        }
        self.banner = Some(id);
        let Some(task) = self.tasks.get(&id).cloned() else {
            return;
        };
        let kind = if task.handler {
            "RUNNING HANDLER"
        } else {
            "TASK"
        };
        let args = match results::written_args(&task.args) {
            args if args.is_empty() || task.no_log || !self.options.display_args => String::new(),
            args => format!(" {args}"),
        };
        let mark = self.mark(task.check);
        self.screen
            .banner(&format!("{kind} [{}{args}]{mark}", task.name.trim()));
        if self.options.verbosity >= 2 {
            self.task_path(&task);
        }
    }

    fn task_path(&mut self, task: &TaskInfo) {
        if !task.path.is_empty() {
            let text = format!("task path: {}", task.path);
            self.screen.out(Colour::Debug, &text);
        }
    }

    fn included(&mut self, file: &str, hosts: &[String], label: Option<&str>) {
        if let Some(id) = self.started {
            self.task_banner(id);
        }
        let mut text = format!("included: {file} for {}", hosts.join(", "));
        if let Some(label) = label.filter(|l| !l.is_empty()) {
            text.push_str(&format!(" => (item={label})"));
        }
        self.screen.out(Colour::Included, &text);
    }
}
