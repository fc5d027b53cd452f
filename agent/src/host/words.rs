//! What a command names: its programs and its words, also those of a shell's script.

use super::Command;

/// The words of a command.
#[derive(Debug, Default, PartialEq)]
pub(super) struct CommandWords {
    /// Where a program's name stands.
    pub programs: Vec<String>,
    /// Everything else.
    pub words: Vec<String>,
}

/// What may stand where a program does, and is none, or none that anybody installs.
const SHELL_WORDS: [&str; 31] = [
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac",
    "in", "!", "{", "}", "[", "[[", "test", "true", "false", "echo", "printf", "cd", "exit", "set",
    "export", "read", "command", "exec", "type",
];

/// After these, another program's name follows.
const BEFORE_PROGRAM: [&str; 18] = [
    "if", "then", "else", "elif", "while", "until", "do", "!", "{", "exec", "sudo", "env", "time",
    "command", "type", "which", "hash", "nohup",
];

impl CommandWords {
    pub fn of(command: &Command) -> Self {
        let mut found = Self::default();
        let name = command.argv.first().map_or("", |p| base_name(p));
        let is_shell = matches!(name, "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh");
        let mut at_program = true;
        for (i, argument) in command.argv.iter().enumerate() {
            let before = i.checked_sub(1).map_or("", |i| command.argv[i].as_str());
            if is_shell && before.starts_with('-') && before.ends_with('c') {
                found.script(argument);
            } else {
                found.end_word(&mut argument.clone(), &mut at_program);
            }
        }
        found
    }

    /// A shell's script, as far as looking for names needs it: quotes are taken off, variables and
    /// globs stay as they are.
    fn script(&mut self, text: &str) {
        let mut word = String::new();
        let mut quote = None;
        let mut at_program = true;
        for c in text.chars().chain(['\n']) {
            match (quote, c) {
                (Some(q), c) if q == c => quote = None,
                (Some('\''), c) => word.push(c),
                (None, '\'' | '"') => quote = Some(c),
                // What a quoted substitution runs is a program, too.
                (_, '`' | '(' | ')') | (None, '|' | ';' | '&' | '\n') => {
                    self.end_word(&mut word, &mut at_program);
                    at_program = true;
                }
                (None, '<' | '>') => {
                    self.end_word(&mut word, &mut at_program);
                    at_program = false;
                }
                (None, c) if c.is_whitespace() => self.end_word(&mut word, &mut at_program),
                (_, '\\' | '$') => {}
                (_, c) => word.push(c),
            }
        }
    }

    fn end_word(&mut self, word: &mut String, at_program: &mut bool) {
        if word.is_empty() {
            return;
        }
        let word = std::mem::take(word);
        if !*at_program {
            return self.words.push(word);
        }
        // An assignment or an option before the program.
        let assigns = |(name, _): (&str, &str)| !name.contains('/');
        if word.starts_with('-') || word.split_once('=').is_some_and(assigns) {
            return self.words.push(word);
        }
        *at_program = BEFORE_PROGRAM.contains(&word.as_str());
        if !SHELL_WORDS.contains(&word.as_str()) {
            self.programs.push(word);
        }
    }
}

/// A program's name without its folder.
pub(super) fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_words_of_a_script_are_told_apart() {
        let script =
            "LANG=C mount | grep -q '10.0.0.1:/' && ! test -e \"/opt/x\" >/dev/null; id `whoami`";
        let found = CommandWords::of(&Command::new(["/bin/sh", "-c", script]));
        assert_eq!(found.programs, ["/bin/sh", "mount", "grep", "id", "whoami"]);
        for word in ["10.0.0.1:/", "/opt/x", "/dev/null"] {
            assert!(found.words.iter().any(|w| w == word), "{word}");
        }
    }

    #[test]
    fn what_is_looked_for_counts_as_a_program() {
        for argv in [
            &["which", "docker"][..],
            &["sh", "-c", "command -v docker"],
            &["env", "A=1", "docker", "ps"],
        ] {
            let found = CommandWords::of(&Command::new(argv.iter().copied()));
            assert!(found.programs.iter().any(|p| p == "docker"), "{found:?}");
        }
    }
}
