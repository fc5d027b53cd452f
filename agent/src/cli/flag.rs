//! One flag: a row of a table, and the source of its parsing, help and completion.

/// A flag of a command.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Long names without dashes; the first is the one that is asked for.
    pub names: &'static [&'static str],
    /// The short name.
    pub short: Option<char>,
    /// Its value.
    pub takes: Takes,
    /// What it does; one or two sentences.
    pub doc: &'static str,
    /// Heading in the help text; plain options if empty.
    pub group: &'static str,
    /// What its value can be completed to.
    pub complete: Complete,
    /// Names of flags that cannot stand beside it.
    pub conflicts: &'static [&'static str],
}

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is there or not.
    Nothing,
    /// Nothing, and how often it is given counts.
    Count,
    /// A value of this name; the last one given counts.
    One(&'static str),
    /// A value of this name, and all that are given count.
    Many(&'static str),
}

/// What completes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complete {
    /// Nothing.
    Nothing,
    /// Paths of files.
    File,
    /// Paths of directories.
    Directory,
    /// Users of this machine.
    User,
    /// Names of modules.
    Module,
    /// One of these words.
    Words(&'static [&'static str]),
}

impl Flag {
    /// A flag that is there or not.
    #[must_use]
    pub const fn switch(names: &'static [&'static str], doc: &'static str) -> Self {
        Self {
            names,
            short: None,
            takes: Takes::Nothing,
            doc,
            group: "",
            complete: Complete::Nothing,
            conflicts: &[],
        }
    }

    /// A flag whose number counts.
    #[must_use]
    pub const fn count(names: &'static [&'static str], doc: &'static str) -> Self {
        let mut flag = Self::switch(names, doc);
        flag.takes = Takes::Count;
        flag
    }

    /// A flag with a value.
    #[must_use]
    pub const fn one(
        names: &'static [&'static str],
        value: &'static str,
        doc: &'static str,
    ) -> Self {
        let mut flag = Self::switch(names, doc);
        flag.takes = Takes::One(value);
        flag
    }

    /// A flag with a value that may be given several times.
    #[must_use]
    pub const fn many(
        names: &'static [&'static str],
        value: &'static str,
        doc: &'static str,
    ) -> Self {
        let mut flag = Self::switch(names, doc);
        flag.takes = Takes::Many(value);
        flag
    }

    /// Gives it a short name.
    #[must_use]
    pub const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    /// Puts it under a heading.
    #[must_use]
    pub const fn group(mut self, heading: &'static str) -> Self {
        self.group = heading;
        self
    }

    /// Says what its value can be.
    #[must_use]
    pub const fn complete(mut self, complete: Complete) -> Self {
        self.complete = complete;
        self
    }

    /// Only one of these words may be its value.
    #[must_use]
    pub const fn words(self, words: &'static [&'static str]) -> Self {
        self.complete(Complete::Words(words))
    }

    /// Names flags that cannot stand beside it.
    #[must_use]
    pub const fn not_with(mut self, names: &'static [&'static str]) -> Self {
        self.conflicts = names;
        self
    }

    /// The name that stands for it in the program.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or("")
    }

    /// The name of its value, if it takes one.
    #[must_use]
    pub fn value(&self) -> Option<&'static str> {
        match self.takes {
            Takes::One(value) | Takes::Many(value) => Some(value),
            Takes::Nothing | Takes::Count => None,
        }
    }

    /// All spellings, short first: `-i/--inventory/--inventory-file`.
    #[must_use]
    pub fn spellings(&self) -> Vec<String> {
        let short = self.short.map(|c| format!("-{c}"));
        let long = self.names.iter().map(|n| format!("--{n}"));
        short.into_iter().chain(long).collect()
    }
}

/// The rows of these names, for a command that shares them.
///
/// # Panics
/// When there is none: in the compiler, since tables are constants.
#[must_use]
pub const fn pick<const N: usize>(rows: &[Flag], names: [&str; N]) -> [Flag; N] {
    let mut out = [Flag::switch(&[""], ""); N];
    let mut i = 0;
    while i < N {
        let mut row = 0;
        while !same(rows[row].names[0], names[i]) {
            row += 1;
            assert!(row < rows.len(), "no flag of this name");
        }
        out[i] = rows[row];
        i += 1;
    }
    out
}

/// Two tables as one.
#[must_use]
pub const fn join<const A: usize, const B: usize, const N: usize>(
    first: [Flag; A],
    second: [Flag; B],
) -> [Flag; N] {
    assert!(A + B == N, "the length of the whole is that of its parts");
    let mut out = [Flag::switch(&[""], ""); N];
    let mut i = 0;
    while i < N {
        out[i] = if i < A { first[i] } else { second[i - A] };
        i += 1;
    }
    out
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// `-h`, which every command has.
pub static HELP: Flag = Flag::switch(&["help"], "Show this text.").short('h');
