//! Against what ansible-core 2.19.14's inventory manager was recorded to answer, and against files
//! in memory.

use super::*;
use crate::playbook::vault::VaultKeys;
use crate::secret::Secret;
use crate::value::Map;
use serde_json::{Value as Json, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

/// Files in memory. Scripts are files whose text starts with `#!`; the lines below are
/// `ARGUMENTS => ANSWER`.
#[derive(Default)]
struct Memory {
    files: BTreeMap<PathBuf, String>,
    runs: RefCell<Vec<String>>,
}

impl Memory {
    fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(p, t)| (PathBuf::from(p), (*t).to_owned()));
        Self {
            files: files.collect(),
            runs: RefCell::default(),
        }
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> Result<Option<String>> {
        Ok(self.files.get(path).cloned())
    }

    fn list(&self, dir: &Path) -> Result<Option<Vec<String>>> {
        let below = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(dir).ok());
        let names: IndexSet<String> = below
            .filter_map(|path| Some(path.iter().next()?.to_str()?.to_owned()))
            .collect();
        Ok((!names.is_empty()).then(|| names.into_iter().rev().collect()))
    }

    fn is_executable(&self, path: &Path) -> bool {
        self.files
            .get(path)
            .is_some_and(|text| text.starts_with("#!"))
    }

    fn run(&self, script: &Path, arguments: &[&str]) -> Result<ScriptOutput> {
        let arguments = arguments.join(" ");
        self.runs.borrow_mut().push(arguments.clone());
        let answer = self.files[script]
            .lines()
            .find_map(|line| line.strip_prefix(&arguments)?.strip_prefix(" => "));
        Ok(ScriptOutput {
            status: Some(i32::from(answer.is_none())),
            stdout: answer.unwrap_or_default().into(),
            stderr: "some noise".to_owned(),
        })
    }
}

fn load_one(name: &str, text: &str) -> Result<Inventory> {
    let files = Memory::of(&[(name, text)]);
    load(&[name.to_owned()], &files, &VaultKeys::none())
}

/// Loads strictly: what cannot be understood is an error.
fn load(sources: &[String], files: &Memory, vault: &VaultKeys) -> Result<Inventory> {
    let config = Config {
        any_unparsed_is_failed: true,
        ..Config::default()
    };
    load_by(sources, files, vault, &config)
}

fn load_by(
    sources: &[String],
    files: &Memory,
    vault: &VaultKeys,
    config: &Config,
) -> Result<Inventory> {
    super::load(
        sources,
        &Tools {
            files,
            vault,
            config,
            templates: &NoTemplates,
        },
    )
}

/// As the recorder wrote values: mappings and lists apart from JSON's own.
fn shown(value: &Value) -> Json {
    match value {
        Value::Float(f) => json!({"float": crate::playbook::yaml::python_float(*f)}),
        Value::List(items) => json!({"seq": items.iter().map(shown).collect::<Vec<_>>()}),
        Value::Map(map) => {
            let entry = |(k, v): (&Key, &Value)| json!([shown(&k.to_value()), shown(v)]);
            json!({"map": map.iter().map(entry).collect::<Vec<_>>()})
        }
        scalar => scalar.to_json(),
    }
}

fn shown_vars(map: &Map) -> Json {
    let own = map
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), Some("inventory_file" | "inventory_dir")));
    own.map(|(key, value)| (key.to_string(), shown(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn names(hosts: &[HostName]) -> Json {
    hosts.iter().map(|host| host.to_string()).collect()
}

#[test]
fn inventories_mean_what_ansible_says() {
    for line in include_str!("tests/cases.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        let files = match case["text"].as_str() {
            Some(text) => Memory::of(&[(name, text)]),
            None => Memory::default(),
        };
        let inventory = load(&[name.to_owned()], &files, &VaultKeys::none()).unwrap();
        let order: Json = inventory.hosts().map(|h| h.name.to_string()).collect();
        assert_eq!(order, case["hosts_order"], "{name}");
        let groups: Json = inventory.groups().map(|g| g.name.to_string()).collect();
        let want: Json = case["groups"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        assert_eq!(groups, want, "{name}");
        for (group, want) in case["groups"].as_object().unwrap() {
            let found = inventory.group(group).unwrap();
            assert_eq!(
                names(&inventory.hosts_of(group)),
                want["hosts"],
                "{name} {group}"
            );
            assert_eq!(
                shown_vars(found.vars.values()),
                want["vars"],
                "{name} {group}"
            );
            assert_eq!(json!(found.depth), want["depth"], "{name} {group}");
            assert_eq!(json!(found.priority), want["priority"], "{name} {group}");
        }
        for (host, want) in case["hosts"].as_object().unwrap() {
            let vars = &inventory.host(host).unwrap().vars;
            assert_eq!(shown_vars(vars.values()), want["vars"], "{name} {host}");
            let groups = inventory.groups_of(host).into_iter();
            let groups: Json = groups.map(|g| g.name.to_string()).collect();
            assert_eq!(groups, want["groups"], "{name} {host}");
        }
        check_patterns(name, &case, &inventory, &files);
    }
}

fn check_patterns(name: &str, case: &Json, inventory: &Inventory, files: &Memory) {
    for (pattern, want) in case["patterns"].as_object().unwrap() {
        match inventory.matching(pattern) {
            Ok(hosts) => assert_eq!(&names(&hosts), want, "{name} {pattern}"),
            Err(error) => assert!(want.is_string(), "{name} {pattern}: {error}"),
        }
    }
    for case in case["limited"].as_array().unwrap() {
        let text = |at: usize| case[at].as_str().unwrap();
        let limit = Limit::parse(text(1), files).unwrap();
        let hosts = inventory.select(&[text(0)], Some(&limit)).unwrap().hosts;
        assert_eq!(names(&hosts), case[2], "{name} {case}");
    }
}

#[test]
fn a_limit_file_holds_a_pattern_per_line() {
    let files = Memory::of(&[("hosts", "a\nb\nc\nd\n"), ("retry", "b\n\n d \n")]);
    let inventory = load(&["hosts".to_owned()], &files, &VaultKeys::none()).unwrap();
    let limit = Limit::parse("@retry,nope", &files).unwrap();
    let selection = inventory.select(&["all"], Some(&limit)).unwrap();
    assert_eq!(names(&selection.hosts), json!(["b", "d"]));
    assert_eq!(selection.unmatched, ["nope"]);
    let error = Limit::parse("@gone", &files).unwrap_err();
    assert!(error.to_string().contains("no limit file `gone`"));
}

#[test]
fn a_list_of_patterns_is_one_pattern() {
    let inventory = load_one("hosts", "[web]\na\nb\nc\n[prod]\nb\n[db]\nd\n").unwrap();
    let selection = inventory.select(&["web:!prod", "db"], None).unwrap();
    assert_eq!(names(&selection.hosts), json!(["a", "c", "d"]));
}

#[test]
fn an_odd_group_name_is_warned_about() {
    for (name, text) in [
        ("hosts", "[my-web]\na\n"),
        ("h.yml", "my-web: {hosts: {a: }}\n"),
    ] {
        let warnings = load_one(name, text).unwrap().warnings;
        assert!(
            warnings[0].message.contains("not replaced: `my-web`"),
            "{warnings:?}"
        );
    }
}

#[test]
fn localhost_is_there_without_being_written() {
    let inventory = Inventory::new();
    assert_eq!(
        names(&inventory.matching("localhost").unwrap()),
        json!(["localhost"])
    );
    assert!(inventory.matching("all").unwrap().is_empty());
    let host = inventory.localhost("localhost").unwrap();
    assert!(host.implicit);
    let layers = inventory.host_vars("localhost", &[]);
    assert_eq!(layers.len(), 1);
    assert_eq!(
        layers[0].vars.get("ansible_connection"),
        Some(&Value::from("local"))
    );
}

#[test]
fn a_directory_is_read_in_order_and_without_what_is_none() {
    let files = Memory::of(&[
        ("inv/10-base", "[web]\nw1 a=1\n"),
        ("inv/20-more.yml", "web: {hosts: {w1: {a: 2}, w2: }}"),
        ("inv/README.md", "no inventory"),
        ("inv/.hidden", "no: ["),
        ("inv/sub/x.ini", "sub1"),
        ("inv/group_vars/web.yml", "g: 1"),
    ]);
    let inventory = load(&["inv".to_owned()], &files, &VaultKeys::none()).unwrap();
    assert_eq!(
        names(&inventory.matching("all").unwrap()),
        json!(["sub1", "w1", "w2"])
    );
    let vars = &inventory.host("w1").unwrap().vars;
    assert_eq!(vars.get("a"), Some(&Value::Int(2)));
    assert_eq!(vars.place("a").unwrap().to_string(), "inv/20-more.yml:1:20");
    assert_eq!(
        vars.get("inventory_file"),
        Some(&Value::from("inv/10-base"))
    );
    assert_eq!(inventory.dirs, [PathBuf::from("inv")]);
}

#[test]
fn a_script_answers_for_all_hosts_or_for_each() {
    let with_meta = r#"#!/x
--list => {"_meta": {"hostvars": {"a": {"v": 1, "t": "{{ x }}", "u": {"__ansible_unsafe": "{{ x }}"}}}}, "g": {"hosts": ["a", "b"], "vars": {"k": [1]}, "children": ["c"]}, "c": ["d"], "lone": {"z": 1}}"#;
    let without_meta = "#!/x\n--list => {\"g\": {\"hosts\": [\"a\"]}}\n--host a => {\"v\": 2}";
    let files = Memory::of(&[
        ("meta.sh", with_meta),
        ("old", without_meta),
        ("bad", "#!/x"),
    ]);
    let read = |name: &str| load(&[name.to_owned()], &files, &VaultKeys::none());
    let inventory = read("meta.sh").unwrap();
    assert_eq!(*files.runs.borrow(), ["--list"]);
    assert_eq!(names(&inventory.hosts_of("g")), json!(["a", "b", "d"]));
    assert_eq!(names(&inventory.hosts_of("lone")), json!(["lone"]));
    let vars = &inventory.host("a").unwrap().vars;
    assert!(matches!(vars.get("t"), Some(Value::Template(_))));
    assert_eq!(vars.get("u"), Some(&Value::from("{{ x }}")));
    let inventory = read("old").unwrap();
    assert_eq!(
        inventory.host("a").unwrap().vars.get("v"),
        Some(&Value::Int(2))
    );
    let error = read("bad").unwrap_err().to_string();
    assert!(
        error.contains("`bad --list`: Inventory script returned non-zero exit code 1.\nhint: it said: some noise"),
        "{error}"
    );
}

#[test]
fn layers_come_in_ansibles_order_and_say_whence() {
    let files = Memory::of(&[
        (
            "inv/hosts",
            "[web]\nw1 x=host\n[prod:children]\nweb\n[prod:vars]\nx=prod\n[all:vars]\nx=all\n",
        ),
        ("inv/group_vars/all.yml", "x: inv all"),
        ("inv/group_vars/web/b.yml", "x: inv web b"),
        ("inv/group_vars/web/a.yml", "x: inv web a"),
        ("inv/group_vars/web.yml", "x: not read"),
        ("inv/group_vars/other.yml", "broken: ["),
        ("inv/host_vars/w1.json", "{\"x\": \"inv w1\"}"),
        ("play/group_vars/all", "x: play all"),
        ("play/group_vars/prod.yaml", "x: play prod"),
        ("play/host_vars/w1.yml", "x: play w1"),
        ("play/host_vars/w2.yml", "broken: ["),
    ]);
    let keys = VaultKeys::none();
    let inventory = load(&["inv/hosts".to_owned()], &files, &keys).unwrap();
    let hosts = [HostName::from("w1")];
    let read = |side, dir: &Path| NearVars::read(side, dir, &inventory, &hosts, &files, &keys);
    let near = [
        read(Side::Playbook, Path::new("play")).unwrap(),
        read(Side::Inventory, &inventory.dirs[0]).unwrap(),
    ];
    let layers = inventory.host_vars("w1", &near);
    let values: Vec<_> = layers
        .iter()
        .map(|layer| layer.vars.get("x").and_then(Value::as_str).unwrap())
        .collect();
    assert_eq!(
        values,
        [
            "all",
            "prod",
            "inv all",
            "play all",
            "inv web a",
            "inv web b",
            "play prod",
            "host",
            "inv w1",
            "play w1"
        ]
    );
    assert_eq!(layers[1].origin, Origin::Group("prod".into()));
    assert_eq!(
        layers[9].origin,
        Origin::HostFile(Side::Playbook, "play/host_vars/w1.yml".into())
    );
}

#[test]
fn a_file_that_cannot_be_read_stops_only_the_hosts_that_it_tells_something() {
    let files = Memory::of(&[
        ("inv/hosts", "[web]\nw1\n[dev]\nd1\n[site:children]\nweb\n"),
        ("inv/group_vars/site.yml", "broken: ["),
        ("inv/group_vars/dev.yml", "x: dev"),
        ("inv/host_vars/w1.yml", "also: ["),
    ]);
    let keys = VaultKeys::none();
    let inventory = load(&["inv/hosts".to_owned()], &files, &keys).unwrap();
    let hosts = ["w1", "d1"].map(HostName::from);
    let dir = Path::new("inv");
    let mut near = NearVars::read(Side::Inventory, dir, &inventory, &hosts, &files, &keys).unwrap();
    let told = |near: &mut NearVars, host: &str| near.problems(&inventory, &[host.into()]).len();
    assert_eq!(told(&mut near, "d1"), 0);
    assert_eq!(told(&mut near, "w1"), 2);
    assert_eq!(told(&mut near, "w1"), 0, "each is told once");
}

#[test]
fn a_vaulted_file_is_opened_and_never_shown() {
    let mut keys = VaultKeys::none();
    keys.add("default", Secret::new("pw".to_owned()));
    let seal = |text: &str| keys.encrypt(text.as_bytes(), None).unwrap();
    let (good, bad) = (seal("password: '{{ hunter }}'\n"), seal("hunter2: [\n"));
    let files = Memory::of(&[("v.yml", &good), ("bad.yml", &bad)]);
    let vars = read_vars_file(Path::new("v.yml"), &files, &keys)
        .unwrap()
        .unwrap()
        .vars;
    let Some(Value::Template(template)) = vars.get("password") else {
        panic!("{vars:?}")
    };
    assert_eq!(template.span.as_ref().unwrap().file.text, "");
    let error = read_vars_file(Path::new("bad.yml"), &files, &keys).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let error = read_vars_file(Path::new("v.yml"), &files, &VaultKeys::none()).unwrap_err();
    assert!(
        error.to_string().contains("no vault password was given"),
        "{error}"
    );
    assert!(
        read_vars_file(Path::new("no.yml"), &files, &keys)
            .unwrap()
            .is_none()
    );
}

#[test]
fn mistakes_are_shown_with_their_place() {
    for case in include_str!("tests/mistakes.txt").split("=====\n") {
        let (input, want) = case.split_once("-----\n").unwrap();
        let (name, text) = input.split_once('\n').unwrap();
        let error = load_one(name, text).unwrap_err();
        assert_eq!(error.to_string(), want.trim_end(), "\n{input}");
    }
}

#[test]
fn what_nobody_understands_is_a_warning_or_an_error_as_the_settings_have_it() {
    let files = Memory::of(&[("good", "a\n"), ("bad.yml", "- a\n")]);
    let vault = VaultKeys::none();
    let read = |sources: &[&str], config: &Config| {
        let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
        load_by(&sources, &files, &vault, config)
    };
    let lax = Config::default();
    let said = |inventory: &Inventory| {
        let all = inventory.warnings.iter().map(|w| w.message.clone());
        all.collect::<Vec<_>>().join("\n")
    };
    let inventory = read(&["gone", "good", "bad.yml"], &lax).unwrap();
    assert_eq!(inventory.hosts().count(), 1);
    let text = said(&inventory);
    for want in [
        "Unable to parse gone as an inventory source",
        "Failed to parse inventory with 'yaml' plugin: an inventory must be a mapping",
        "Unable to parse bad.yml as an inventory source",
    ] {
        assert!(text.contains(want), "{text}");
    }
    assert!(said(&read(&["gone"], &lax).unwrap()).contains("No inventory was parsed"));
    let none = Config {
        unparsed_is_failed: true,
        ..Config::default()
    };
    assert!(read(&["gone", "good"], &none).is_ok());
    let error = read(&["gone"], &none).unwrap_err().to_string();
    assert!(
        error.contains("No inventory was parsed, please check"),
        "{error}"
    );
    let any = Config {
        any_unparsed_is_failed: true,
        ..Config::default()
    };
    let error = read(&["gone", "good"], &any).unwrap_err().to_string();
    assert!(error.contains("there is no inventory `gone`"), "{error}");
}

#[test]
fn only_readers_that_are_enabled_read() {
    let files = Memory::of(&[("hosts", "a\n")]);
    let only = |names: &[&str]| Config {
        enabled: names.iter().map(ToString::to_string).collect(),
        ..Config::default()
    };
    let vault = VaultKeys::none();
    let read = |source: &str, config: &Config| load_by(&[source.into()], &files, &vault, config);
    let hosts = |inventory: Inventory| {
        let names = inventory.hosts().map(|h| h.name.to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    let advanced = only(&["advanced_host_list"]);
    assert_eq!(hosts(read("n[1:3],m", &advanced).unwrap()), "n1 n2 n3 m");
    assert_eq!(hosts(read("n[1:],", &advanced).unwrap()), "n[1:]");
    assert_eq!(hosts(read("n[1:j],", &advanced).unwrap()), "");
    assert_eq!(hosts(read("hosts", &only(&["yaml"])).unwrap()), "");
    assert_eq!(hosts(read("hosts", &only(&["nope", "ini"])).unwrap()), "a");
    assert!(read("hosts", &only(&["nope"])).is_err());
}

#[test]
fn odd_group_names_are_changed_where_the_settings_ask_for_it() {
    let text = "[my-web]\na\n[top:children]\nmy-web\n[my-web:vars]\nx=1\n";
    let files = Memory::of(&[("hosts", text)]);
    let config = Config {
        group_chars: GroupChars::Always,
        ..Config::default()
    };
    let inventory = load_by(&["hosts".into()], &files, &VaultKeys::none(), &config).unwrap();
    assert_eq!(names(&inventory.matching("my_web").unwrap()), json!(["a"]));
    assert_eq!(names(&inventory.matching("top").unwrap()), json!(["a"]));
    assert_eq!(
        inventory.group("my_web").unwrap().vars.get("x"),
        Some(&Value::Int(1))
    );
    assert!(inventory.group("my-web").is_none());
    assert!(
        inventory.warnings[0]
            .message
            .contains("automatically replaced")
    );
}

#[test]
fn mappings_of_several_sources_add_up_where_the_settings_ask_for_it() {
    let one = "all:\n  hosts:\n    a: {h: {x: 1, deep: {p: 1}}}\n  vars: {g: {x: 1}}\n";
    let two = "all:\n  hosts:\n    a: {h: {y: 2, deep: {q: 2}}}\n  vars: {g: {y: 2}}\n";
    let files = Memory::of(&[("one.yml", one), ("two.yml", two)]);
    let read = |merge_hashes| {
        let config = Config {
            merge_hashes,
            ..Config::default()
        };
        let sources = ["one.yml".into(), "two.yml".into()];
        let inventory = load_by(&sources, &files, &VaultKeys::none(), &config).unwrap();
        let of = |vars: &Vars, name: &str| vars.get(name).unwrap().to_json().to_string();
        (
            of(&inventory.host("a").unwrap().vars, "h"),
            of(&inventory.group(ALL).unwrap().vars, "g"),
        )
    };
    assert_eq!(
        read(true),
        (
            r#"{"x":1,"deep":{"p":1,"q":2},"y":2}"#.into(),
            r#"{"x":1,"y":2}"#.into()
        )
    );
    assert_eq!(
        read(false),
        (r#"{"y":2,"deep":{"q":2}}"#.into(), r#"{"y":2}"#.into())
    );
}

#[test]
fn hosts_and_groups_can_be_added_later() {
    let mut inventory = load_one("hosts", "[web]\nw1\n").unwrap();
    inventory.add_host("w2", "web");
    inventory.add_host("late", "dynamic");
    inventory.reconcile();
    assert_eq!(
        names(&inventory.matching("web").unwrap()),
        json!(["w1", "w2"])
    );
    assert_eq!(
        names(&inventory.matching("all").unwrap()),
        json!(["w1", "w2", "late"])
    );
    assert_eq!(inventory.group_names("late"), ["dynamic".into()]);
}

/// Lines of recorded inventories are cut and mixed; whatever comes, nothing panics.
#[test]
fn no_inventory_is_a_panic() {
    let mut texts: Vec<String> = Vec::new();
    for line in include_str!("tests/cases.jsonl").lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        texts.extend(case["text"].as_str().map(str::to_owned));
    }
    texts.extend(
        include_str!("tests/mistakes.txt")
            .split("=====")
            .map(str::to_owned),
    );
    for (at, text) in texts.iter().enumerate() {
        let other: Vec<char> = texts[(at * 7 + 3) % texts.len()].chars().collect();
        for (cut, _) in text.char_indices().step_by(5) {
            let tail: String = other[cut % other.len()..].iter().collect();
            for name in ["hosts", "hosts.ini", "hosts.yml"] {
                if let Ok(inventory) = load_one(name, &format!("{}{tail}", &text[..cut])) {
                    inventory.matching(&text[..cut]).ok();
                }
            }
        }
    }
}
