use super::*;
use crate::bundle::{Entry, FORMAT, Index};
use crate::cli::prepare_bundle;

/// A playbook whose commands leave a line each, so that what ran twice is seen.
const PLAYBOOK: &str = r#"
- hosts: all
  gather_facts: false
  handlers:
    - name: told
      shell: echo handler >> {{ out }}/lines
  tasks:
    - name: one
      shell: echo one >> {{ out }}/lines; echo first
      register: r
      notify: told
    - name: kept
      set_fact: {kept: "{{ r.stdout }}-fact"}
    - include_tasks: more.yml
      vars: {given: "{{ kept }}"}
    - block:
        - name: falls
          shell: echo falls >> {{ out }}/lines; false
      rescue:
        - name: rescued
          shell: echo rescued {{ ansible_failed_task.name }} >> {{ out }}/lines
    - name: looped
      shell: echo loop {{ item }} >> {{ out }}/lines
      loop: [a, b]
      register: l
    - name: last
      shell: echo last {{ kept }} {{ l.results | length }} >> {{ out }}/lines
"#;
const MORE: &str = "- name: more\n  shell: echo more {{ given }} >> {{ out }}/lines\n";
const LINES: &str =
    "one\nmore first-fact\nfalls\nrescued falls\nloop a\nloop b\nlast first-fact 2\nhandler\n";

fn folder() -> std::path::PathBuf {
    let dir = here::private_folder().expect("a folder");
    here::write(&dir.join("site/site.yml"), PLAYBOOK.as_bytes(), 0o600).expect("writes");
    here::write(&dir.join("site/more.yml"), MORE.as_bytes(), 0o600).expect("writes");
    dir
}

/// Runs the playbook with a log, as the daemon does.
fn run(dir: &Path, policy: OnInterrupt) -> (i32, Arc<RunLog>) {
    let log = RunLog::open(&dir.join("log"), Arc::default(), BOUND, policy).expect("opens");
    let log = Arc::new(log);
    let index = Index {
        format: FORMAT,
        entry: Entry {
            playbooks: vec!["site.yml".into()],
            flags: vec![format!("--extra-vars=out={}", dir.display())],
            ..Entry::default()
        },
        files: Vec::new(),
    };
    let job = prepare_bundle(&index, &dir.join("site"), "web1").expect("a job");
    let (run, _) = job
        .prepare("r1", Arc::clone(&log) as Arc<dyn Sink>)
        .unwrap_or_else(|f| panic!("{:?}", f.errors));
    run.cx.emit.go_on_after(log.numbers());
    assert!(
        run.cx
            .journal
            .set(Arc::clone(&log) as Arc<dyn Journal>)
            .is_ok()
    );
    (run.execute(), log)
}

fn lines(dir: &Path) -> String {
    here::read_text(&dir.join("lines"))
        .expect("reads")
        .unwrap_or_default()
}

/// Hosts, each with a number.
type Counted = Vec<(String, u64)>;

/// Each host's numbers, and how often each task ended.
fn told(log: &RunLog) -> (Counted, Counted) {
    let mut numbers = Vec::new();
    let mut ended = Vec::new();
    let mut at = 0;
    loop {
        let (events, end) = log.undelivered(at).expect("reads");
        for event in events {
            let text = |k: &str| event[k].as_str().unwrap_or_default().to_string();
            numbers.push((text("host"), event["seq"].as_u64().unwrap_or(0)));
            if event["type"] == "task_finished" {
                ended.push((text("host"), event["task"].as_u64().unwrap_or(0)));
            }
        }
        if end == at {
            return (numbers, ended);
        }
        at = end;
    }
}

fn without_gaps(mut numbers: Vec<(String, u64)>) {
    numbers.sort();
    for pair in numbers.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        let follows = if a.0 == b.0 { b.1 == a.1 + 1 } else { b.1 == 1 };
        assert!(follows, "{a:?} is followed by {b:?}");
    }
}

#[test]
fn a_run_that_is_cut_off_anywhere_goes_on_where_it_was() {
    let dir = folder();
    let (status, log) = run(&dir, OnInterrupt::Stop);
    assert_eq!((status, lines(&dir).as_str()), (0, LINES));
    let (_, whole) = told(&log);
    drop(log);
    let bytes = here::read(&dir.join("log"))
        .expect("reads")
        .expect("is there");
    let ends: Vec<u64> = {
        let (log, _) = FrameLog::open(&dir.join("log")).expect("opens");
        log.read_from(0, u64::MAX)
            .expect("reads")
            .iter()
            .map(|(_, end)| *end)
            .collect()
    };
    for end in std::iter::once(0).chain(ends.iter().copied()) {
        let kept = &bytes[..end as usize];
        here::write(&dir.join("log"), kept, 0o600).expect("writes");
        // What had run by then. A command that began and did not end is run again, as the policy says.
        let frames: Vec<serde_json::Value> = FrameLog::open(&dir.join("log"))
            .expect("opens")
            .1
            .frames
            .iter()
            .map(|f| serde_json::from_slice(f).expect("JSON"))
            .collect();
        let began = frames.iter().filter(|f| f.get("b").is_some()).count();
        let of_tasks = |f: &&serde_json::Value| f.get("b").is_some() || f.get("j").is_some();
        let in_flight = frames
            .iter()
            .rfind(of_tasks)
            .is_some_and(|f| f.get("b").is_some());
        let ran = began - usize::from(in_flight);
        // The loop leaves two lines and is one command.
        let before: Vec<&str> = LINES.split_inclusive('\n').collect();
        let count = ran + usize::from(ran >= 5);
        here::write(
            &dir.join("lines"),
            before[..count].concat().as_bytes(),
            0o600,
        )
        .expect("writes");
        let (status, log) = run(&dir, OnInterrupt::Rerun);
        assert_eq!(status, 0, "cut at {end}");
        assert_eq!(lines(&dir), LINES, "cut at {end} of {}", bytes.len());
        let (numbers, ended) = told(&log);
        without_gaps(numbers);
        assert_eq!(ended, whole, "cut at {end}");
        assert!(log.finished());
    }
    here::remove_folder(&dir);
}

#[test]
fn a_command_in_flight_stops_the_run_unless_told_otherwise() {
    for (policy, status, what) in [
        (OnInterrupt::Stop, 2, ""),
        (OnInterrupt::Rerun, 0, "x"),
        (OnInterrupt::Skip, 0, ""),
    ] {
        let dir = folder();
        let site = format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: echo x >> {}/lines\n",
            dir.display()
        );
        here::write(&dir.join("site/site.yml"), site.as_bytes(), 0o600).expect("writes");
        run(&dir, policy);
        let (log, _) = FrameLog::open(&dir.join("log")).expect("opens");
        let records = log.read_from(0, u64::MAX).expect("reads");
        let begun = records
            .iter()
            .find(|(f, _)| f.starts_with(b"{\"b\""))
            .expect("it began")
            .1;
        let bytes = here::read(&dir.join("log"))
            .expect("reads")
            .expect("is there");
        here::write(&dir.join("log"), &bytes[..begun as usize], 0o600).expect("writes");
        here::write(&dir.join("lines"), b"", 0o600).expect("writes");
        let (ended, log) = run(&dir, policy);
        assert_eq!((ended, lines(&dir).trim()), (status, what), "{policy:?}");
        let (events, _) = log.undelivered(0).expect("reads");
        let text = serde_json::to_string(&events).expect("JSON");
        assert_eq!(
            text.contains("whether it took effect is not known"),
            policy == OnInterrupt::Stop
        );
        here::remove_folder(&dir);
    }
}

#[test]
fn progress_is_left_out_when_the_log_is_long_and_that_is_told() {
    let dir = here::private_folder().expect("a folder");
    let log =
        RunLog::open(&dir.join("log"), Arc::default(), 2000, OnInterrupt::Stop).expect("opens");
    let log = Arc::new(log);
    let emit = crate::engine::Emitter::new("r", Arc::clone(&log) as Arc<dyn Sink>);
    let host: Arc<str> = Arc::from("web1");
    let progress = |n: u64| EventKind::Progress {
        task: 1,
        text: format!("{n}"),
        done: None,
        total: None,
    };
    for n in 0..100 {
        emit.host(&host, progress(n));
    }
    let finished = EventKind::TaskFinished {
        task: 1,
        report: crate::event::Report::default(),
    };
    emit.host(&host, finished);
    let (events, _) = log.undelivered(0).expect("reads");
    let kept = events.iter().filter(|e| e["type"] == "progress").count();
    assert!(kept > 5 && kept < 50, "{kept} lines were kept");
    let notice = &events[kept];
    let want = format!("{} lines of progress were left out", 100 - kept);
    assert!(
        notice["text"]
            .as_str()
            .is_some_and(|t| t.starts_with(&want)),
        "{notice}"
    );
    assert_eq!(events[kept + 1]["type"], "task_finished");
    let numbers: Vec<u64> = events.iter().filter_map(|e| e["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=kept as u64 + 2).collect::<Vec<_>>());
    here::remove_folder(&dir);
}

#[test]
fn an_event_too_large_to_be_sent_says_so() {
    let dir = here::private_folder().expect("a folder");
    let log =
        RunLog::open(&dir.join("log"), Arc::default(), BOUND, OnInterrupt::Stop).expect("opens");
    let log = Arc::new(log);
    let emit = crate::engine::Emitter::new("r", Arc::clone(&log) as Arc<dyn Sink>);
    let mut result = crate::value::Map::new();
    result.insert("rc".into(), crate::value::Value::Int(3));
    result.insert(
        "stdout".into(),
        crate::value::Value::from("x".repeat(MAX_EVENT)),
    );
    let report = crate::event::Report {
        result: crate::value::Value::map(result),
        ..crate::event::Report::default()
    };
    emit.run(EventKind::TaskFinished { task: 1, report });
    let (events, _) = log.undelivered(0).expect("reads");
    let result = &events[0]["report"]["result"];
    assert_eq!(result["rc"], 3);
    assert!(
        result["msg"]
            .as_str()
            .is_some_and(|m| m.starts_with("left out")),
        "{result}"
    );
    here::remove_folder(&dir);
}
