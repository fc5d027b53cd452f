//! Reading the words of a command line: flags with a value each, `--quick`, `--help`.

use lks_tests::rig::{Failure, Result};

/// What a command line can ask for.
pub trait Choices: Sized {
    /// `--quick`.
    fn be_quick(&mut self);

    /// Any other flag, with its value.
    ///
    /// # Errors
    /// When there is no such flag, or the value is none for it.
    fn take(&mut self, name: &str, value: &str) -> Result<()>;

    /// These, changed as the words have it; nothing if help was asked for.
    ///
    /// # Errors
    /// When a value is missing, or one is not taken.
    fn read(mut self, words: &[String]) -> Result<Option<Self>> {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--quick" => self.be_quick(),
                _ => {
                    let value = words.next();
                    let value =
                        value.ok_or_else(|| Failure::new(format!("{word} wants a value")))?;
                    self.take(word, value)?;
                }
            }
        }
        Ok(Some(self))
    }
}
