//! The lines of a crontab.

use crate::error::{Error, Result};

/// What stands before a job's name in the comment above it.
const MARK: &str = "#Ansible: ";

/// A crontab: jobs below comments with their names, variables, and whatever else is there.
pub(super) struct Table {
    lines: Vec<String>,
}

impl Table {
    pub fn new(text: &str) -> Self {
        Self {
            lines: text.lines().map(String::from).collect(),
        }
    }

    pub fn text(&self) -> String {
        let text = self.lines.join("\n");
        match text.trim_end_matches(['\r', '\n']) {
            "" => String::new(),
            text => format!("{text}\n"),
        }
    }

    /// Whether nothing but blanks is left.
    pub fn is_empty(&self) -> bool {
        self.lines.iter().all(|line| line.trim().is_empty())
    }

    pub fn jobs(&self) -> Vec<String> {
        let names = self.lines.iter().filter_map(|l| l.strip_prefix(MARK));
        names.map(String::from).collect()
    }

    pub fn variables(&self) -> Vec<String> {
        let names = self.lines.iter().filter_map(|line| {
            let (name, _) = line.split_once('=')?;
            (!name.is_empty() && !name.contains(char::is_whitespace)).then_some(name)
        });
        names.map(String::from).collect()
    }

    /// Where the comment with this name stands.
    fn place(&self, name: &str) -> Option<usize> {
        // The line below a mark is a job, whatever it looks like.
        let mut at = 0;
        while at + 1 < self.lines.len() {
            match self.lines[at].strip_prefix(MARK) {
                Some(found) if found == name => return Some(at),
                Some(_) => at += 2,
                None => at += 1,
            }
        }
        None
    }

    /// Puts the job there once; says whether that changed anything.
    pub fn set_job(&mut self, name: &str, job: &str) -> bool {
        if let Some(at) = self.place(name) {
            let same = self.lines[at + 1] == job;
            self.lines[at + 1] = job.into();
            return !same;
        }
        let mark = format!("{MARK}{name}");
        match self.lines.iter().position(|line| line == job) {
            // Somebody wrote the same job: it gets its name.
            Some(at) if at == 0 || !self.lines[at - 1].starts_with(MARK) => {
                self.lines.insert(at, mark);
            }
            _ => self.lines.extend([mark, job.to_string()]),
        }
        true
    }

    /// Takes the job out; says whether it was there.
    pub fn remove_job(&mut self, name: &str) -> bool {
        let mut found = false;
        while let Some(at) = self.place(name) {
            self.lines.drain(at..at + 2);
            found = true;
        }
        found
    }

    fn variable(&self, name: &str) -> Option<usize> {
        let is = |line: &String| line.strip_prefix(name).is_some_and(|r| r.starts_with('='));
        self.lines.iter().position(is)
    }

    /// Sets the variable; a new one stands first, or beside another.
    pub fn set_variable(
        &mut self,
        name: &str,
        value: &str,
        after: Option<&str>,
        before: Option<&str>,
    ) -> Result<bool> {
        let line = format!("{name}=\"{value}\"");
        if let Some(at) = self.variable(name) {
            let same = self.lines[at] == line;
            self.lines[at] = line;
            return Ok(!same);
        }
        let at = match (after, before) {
            (Some(other), _) => self.other(other)? + 1,
            (None, Some(other)) => self.other(other)?,
            (None, None) => 0,
        };
        self.lines.insert(at, line);
        Ok(true)
    }

    fn other(&self, name: &str) -> Result<usize> {
        self.variable(name)
            .ok_or_else(|| Error::host(format!("Variable named '{name}' not found.")))
    }

    /// Takes the variable out; says whether it was there.
    pub fn remove_variable(&mut self, name: &str) -> bool {
        let found = self.variable(name);
        if let Some(at) = found {
            self.lines.remove(at);
        }
        found.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_stands_below_its_name_once() {
        let mut table = Table::new("A=\"1\"\n0 1 * * * old\n");
        assert!(table.set_job("x", "0 2 * * * new"));
        assert!(!table.set_job("x", "0 2 * * * new"));
        assert!(table.set_job("y", "0 1 * * * old"), "it gets a name");
        assert_eq!(
            table.text(),
            "A=\"1\"\n#Ansible: y\n0 1 * * * old\n#Ansible: x\n0 2 * * * new\n"
        );
        assert_eq!(table.jobs(), ["y", "x"]);
        assert_eq!(table.variables(), ["A"]);
        assert!(table.remove_job("x") && table.remove_job("y"));
        assert_eq!(table.text(), "A=\"1\"\n");
    }

    #[test]
    fn a_variable_stands_where_it_is_wanted() {
        let mut table = Table::new("A=\"1\"\nB=\"2\"\n");
        assert!(table.set_variable("C", "3", Some("A"), None).is_ok());
        assert!(table.set_variable("D", "4", None, Some("A")).is_ok());
        assert!(table.set_variable("E", "5", None, Some("Z")).is_err());
        assert_eq!(table.variables(), ["D", "A", "C", "B"]);
    }
}
