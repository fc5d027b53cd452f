//! `--list-hosts`, `--list-tasks`, `--list-tags`, as `ansible-playbook` prints them.

/// What to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// `--list-hosts`.
    pub hosts: bool,
    /// `--list-tasks`.
    pub tasks: bool,
    /// `--list-tags`.
    pub tags: bool,
}

/// A playbook, as listed.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ListedPlaybook {
    /// Its path, as given.
    pub path: String,
    pub plays: Vec<ListedPlay>,
}

/// A play, as listed.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ListedPlay {
    pub name: String,
    /// `hosts:`, as a list.
    pub patterns: Vec<String>,
    /// The hosts that match, in the order of the inventory.
    pub hosts: Vec<String>,
    pub tags: Vec<String>,
    /// The tasks that `--tags` leaves (without those that Ansible adds by itself), pre-tasks, roles
    /// and blocks in the order in which they would run; no handlers.
    pub tasks: Vec<ListedTask>,
}

/// A task, as listed.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ListedTask {
    /// Its name with its role's (`role : name`), or the module as written where it has none.
    pub name: String,
    pub tags: Vec<String>,
}

impl Listing {
    /// The whole text. With nothing to list (`--syntax-check`) only the playbooks are named.
    #[must_use]
    pub fn text(self, playbooks: &[ListedPlaybook]) -> String {
        let mut out = String::new();
        for playbook in playbooks {
            out.push_str(&format!("\nplaybook: {}\n", playbook.path));
            let plays = if self == Self::default() {
                &[]
            } else {
                &playbook.plays[..]
            };
            for (n, play) in plays.iter().enumerate() {
                self.play(&mut out, n + 1, play);
            }
        }
        out
    }

    fn play(self, out: &mut String, number: usize, play: &ListedPlay) {
        let patterns = play.patterns.join(",");
        let tags = sorted(&play.tags).join(",");
        out.push_str(&format!(
            "\n  play #{number} ({patterns}): {}\tTAGS: [{tags}]\n",
            play.name
        ));
        if self.hosts {
            let quoted: Vec<String> = play.patterns.iter().map(|p| format!("'{p}'")).collect();
            let count = play.hosts.len();
            out.push_str(&format!(
                "    pattern: [{}]\n    hosts ({count}):\n",
                quoted.join(", ")
            ));
            for host in &play.hosts {
                out.push_str(&format!("      {host}\n"));
            }
        }
        if self.tasks {
            out.push_str("    tasks:\n");
            for task in &play.tasks {
                let tags = sorted(&[&play.tags[..], &task.tags[..]].concat()).join(", ");
                out.push_str(&format!("      {}\tTAGS: [{tags}]\n", task.name));
            }
        }
        if self.tags {
            let of_tasks = play.tasks.iter().flat_map(|t| t.tags.clone());
            let all: Vec<String> = play.tags.iter().cloned().chain(of_tasks).collect();
            out.push_str(&format!("      TASK TAGS: [{}]\n", sorted(&all).join(", ")));
        }
    }
}

/// Without repeats, in order.
fn sorted(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    words.sort();
    words.dedup();
    words
}
