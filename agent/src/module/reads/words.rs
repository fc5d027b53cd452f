//! Splits shell text into words and separators. Whatever it does not fully understand makes it give up.

/// A word after the shell's quote removal.
#[derive(Clone, Debug)]
pub struct Word {
    /// Its text; expansions stand in it as written.
    pub text: String,
    /// Whether expansion may make something else of it: other words, or an option.
    pub dynamic: bool,
    /// Whether it is not all literal, so that its text says less than it means.
    pub expands: bool,
}

impl Word {
    /// A word that means what it says.
    pub fn literal(text: &str) -> Self {
        Self {
            text: text.into(),
            dynamic: false,
            expands: false,
        }
    }
}

/// A part of a script.
#[derive(Clone, Debug)]
pub enum Piece {
    /// A word.
    Word(Word),
    /// `|`, `&&`, `||`, `;` or the end of a line.
    Separator,
}

/// Splits a script; nothing if it holds anything that this does not understand, such as a
/// redirection into a file, a compound command, or a substitution that may change something.
pub fn read(text: &str) -> Option<Vec<Piece>> {
    let mut scan = Scan {
        chars: text.chars().collect(),
        at: 0,
    };
    let mut pieces = Vec::new();
    while let Some(c) = scan.peek() {
        match c {
            ' ' | '\t' => scan.at += 1,
            '\\' if scan.ahead(1) == Some('\n') => scan.at += 2,
            '\n' | ';' => {
                scan.at += 1;
                // `;;` belongs to `case`.
                if c == ';' && scan.peek() == Some(';') {
                    return None;
                }
                pieces.push(Piece::Separator);
            }
            '|' => {
                scan.at += if scan.ahead(1) == Some('|') { 2 } else { 1 };
                if scan.peek() == Some('&') {
                    return None;
                }
                pieces.push(Piece::Separator);
            }
            '&' => match scan.ahead(1)? {
                '&' => {
                    scan.at += 2;
                    pieces.push(Piece::Separator);
                }
                '>' => scan.redirection()?,
                _ => return None,
            },
            '>' | '<' => scan.redirection()?,
            '0'..='9' if scan.number_before_redirection() => {
                scan.at += 1;
                scan.redirection()?;
            }
            '#' => {
                while scan.peek().is_some_and(|c| c != '\n') {
                    scan.at += 1;
                }
            }
            '(' | ')' => return None,
            _ => pieces.push(Piece::Word(scan.word()?)),
        }
    }
    Some(pieces)
}

struct Scan {
    chars: Vec<char>,
    at: usize,
}

impl Scan {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn ahead(&self, by: usize) -> Option<char> {
        self.chars.get(self.at + by).copied()
    }

    fn number_before_redirection(&self) -> bool {
        matches!(self.ahead(1), Some('>' | '<'))
    }

    /// `> /dev/null`, `>&2`, `&>/dev/null` and `< file`: nothing else.
    fn redirection(&mut self) -> Option<()> {
        if self.peek() == Some('&') {
            self.at += 1;
        }
        let reads = self.peek() == Some('<');
        self.at += 1;
        match self.peek()? {
            '&' if !reads => {
                self.at += 1;
                let target = self.peek()?;
                self.at += 1;
                let ends = self.peek().is_none_or(|c| " \t\n;|&)".contains(c));
                return (matches!(target, '0'..='9' | '-') && ends).then_some(());
            }
            '<' | '>' | '|' | '&' | '(' => return None,
            _ => {}
        }
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
        let target = self.word()?;
        (!target.expands && (reads || target.text == "/dev/null")).then_some(())
    }

    fn word(&mut self) -> Option<Word> {
        let mut word = Word::literal("");
        let start = self.at;
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>' => break,
                '(' | ')' | '`' => return None,
                '\'' => self.single(&mut word)?,
                '"' => self.double(&mut word)?,
                '\\' => {
                    let escaped = self.ahead(1)?;
                    self.at += 2;
                    if escaped != '\n' {
                        word.text.push(escaped);
                    }
                }
                '$' => {
                    word.dynamic |= self.expansion(&mut word)?;
                }
                '{' | '}' => {
                    word.dynamic = true;
                    word.expands = true;
                    word.text.push(c);
                    self.at += 1;
                }
                '*' | '?' | '[' if self.at == start && self.closes_word_or_test() => {
                    word.text.push(c);
                    self.at += 1;
                }
                '*' | '?' | '[' => {
                    word.expands = true;
                    word.dynamic |= word.text.is_empty() && c != '[';
                    word.text.push(c);
                    self.at += 1;
                }
                _ => {
                    word.text.push(c);
                    self.at += 1;
                }
            }
        }
        (self.at > start).then_some(word)
    }

    /// Whether the bracket at the place stands alone: the program `[` or `[[`.
    fn closes_word_or_test(&self) -> bool {
        let after = if self.ahead(1) == Some('[') { 2 } else { 1 };
        self.peek() == Some('[') && self.ahead(after).is_none_or(char::is_whitespace)
    }

    fn single(&mut self, word: &mut Word) -> Option<()> {
        self.at += 1;
        loop {
            let c = self.peek()?;
            self.at += 1;
            if c == '\'' {
                return Some(());
            }
            word.text.push(c);
        }
    }

    fn double(&mut self, word: &mut Word) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                '"' => {
                    self.at += 1;
                    return Some(());
                }
                '`' => return None,
                '\\' => {
                    let escaped = self.ahead(1)?;
                    if !"$`\"\\\n".contains(escaped) {
                        word.text.push('\\');
                    }
                    if escaped != '\n' {
                        word.text.push(escaped);
                    }
                    self.at += 2;
                }
                '$' => {
                    // Quoted, it stays in its word; it can be an option only at the word's start.
                    let starts = word.text.is_empty();
                    let expanded = self.expansion(word)?;
                    word.dynamic |= expanded && starts;
                }
                c => {
                    word.text.push(c);
                    self.at += 1;
                }
            }
        }
    }

    /// `$NAME`, `${NAME}`, `$?` or `$(…)` whose inside only reads. Says whether it was one at all
    /// (a lone `$` is itself).
    fn expansion(&mut self, word: &mut Word) -> Option<bool> {
        let from = self.at;
        self.at += 1;
        match self.peek() {
            Some('(') => self.substitution()?,
            Some('{') => {
                self.at += 1;
                let name = self.name();
                if name == 0 || self.peek() != Some('}') {
                    return None;
                }
                self.at += 1;
            }
            Some('\'' | '"') => return None,
            Some('?' | '#' | '$' | '!' | '@' | '*' | '0'..='9') => self.at += 1,
            _ if self.name() > 0 => {}
            _ => {
                word.text.push('$');
                return Some(false);
            }
        }
        word.text.extend(&self.chars[from..self.at]);
        word.expands = true;
        Some(true)
    }

    fn name(&mut self) -> usize {
        let from = self.at;
        while self
            .peek()
            .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            self.at += 1;
        }
        self.at - from
    }

    /// `$(…)`: its end is found by counting parentheses outside quotes, and its inside judged.
    fn substitution(&mut self) -> Option<()> {
        self.at += 1;
        let from = self.at;
        let mut depth = 1;
        let mut quote = None;
        while depth > 0 {
            let c = self.peek()?;
            match (quote, c) {
                (Some(q), _) if c == q => quote = None,
                (Some('\''), _) => {}
                (_, '\\') => self.at += 1,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '(') => depth += 1,
                (None, ')') => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        let inside: String = self.chars.get(from..self.at - 1)?.iter().collect();
        super::script_only_reads(&inside).then_some(())
    }
}
