//! The temporary folder in which the tools work.

use std::fs;
use std::path::{Path, PathBuf};

use lks_tests::rig::{Attempt, Result};

use super::shapes::Shape;

/// The folder; it goes when this does.
pub struct Work {
    root: PathBuf,
}

impl Work {
    /// Makes the folder.
    pub fn create() -> Result<Self> {
        let root = std::env::temp_dir().join(format!("lks-bench-{}", std::process::id()));
        let work = Work { root };
        for folder in [work.home(), work.sources(), work.out()] {
            fs::create_dir_all(&folder)
                .attempt(format_args!("cannot make {}", folder.display()))?;
        }
        Ok(work)
    }

    /// The home of whoever runs the tools: what they keep there is kept from run to run.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Where the tools leave the effects of their work.
    pub fn out(&self) -> PathBuf {
        self.root.join("out")
    }

    /// What the last run printed.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The file called `name` of the present shape.
    pub fn source(&self, name: &str) -> PathBuf {
        self.sources().join(name)
    }

    fn sources(&self) -> PathBuf {
        self.root.join("src")
    }

    /// Writes the files of `shape`, in place of the last one's.
    pub fn stage(&self, shape: &Shape) -> Result<()> {
        empty(&self.sources())?;
        for (name, text) in shape.files {
            let text = repeat(text)
                .replace("@OUT@", &self.out().display().to_string())
                .replace("@SRC@", &self.sources().display().to_string());
            fs::write(self.source(name), text)?;
        }
        Ok(())
    }

    /// Forgets the effects of the last run.
    pub fn refresh(&self) -> Result<()> {
        empty(&self.out())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn empty(folder: &Path) -> Result<()> {
    fs::remove_dir_all(folder)?;
    fs::create_dir(folder)?;
    Ok(())
}

/// Writes out what stands between the lines `# repeat 100` and `# end` a hundred times, with the
/// number of each in place of `@N@`: a playbook has no loop that gives a hundred tasks.
pub fn repeat(text: &str) -> String {
    let mut written = String::new();
    let mut block: Option<(usize, String)> = None;
    for line in text.lines() {
        let mark = line.trim();
        if let Some(times) = mark.strip_prefix("# repeat ") {
            let times = times.parse().expect("`# repeat` wants a number");
            block = Some((times, String::new()));
        } else if mark == "# end" {
            let (times, lines) = block.take().expect("`# end` wants a `# repeat`");
            for number in 1..=times {
                written += &lines.replace("@N@", &number.to_string());
            }
        } else {
            let target = block.as_mut().map_or(&mut written, |(_, lines)| lines);
            *target += line;
            target.push('\n');
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_repeated_with_its_number() {
        let text = "a\n  # repeat 3\n  b @N@\n  # end\nc\n";
        assert_eq!(repeat(text), "a\n  b 1\n  b 2\n  b 3\nc\n");
    }
}
