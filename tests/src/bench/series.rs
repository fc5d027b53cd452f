//! Rounds of runs of one shape.
//!
//! The tools take turns, round after round, so that a noisy minute of the machine falls on all of them.

use std::time::Duration;

use lks_tests::rig::{Result, ensure};

use super::measure::{self, Run};
use super::options::Options;
use super::proof::{self, Left};
use super::shapes::Shape;
use super::tools::{Ready, Tool};
use super::work::Work;

/// All runs of one tool on one shape.
pub struct Series {
    /// What was run.
    pub shape: &'static Shape,
    /// Whether these are the second runs, with nothing left to do.
    pub again: bool,
    /// Who ran.
    pub tool: Tool,
    /// Its runs; none if it was not run.
    pub runs: Vec<Run>,
    /// What the proof found, after the last run.
    pub proof: String,
    /// Why the tool was given up on this shape.
    pub failure: Option<String>,
}

impl Series {
    fn new(shape: &'static Shape, again: bool, tool: Tool) -> Self {
        Series {
            shape,
            again,
            tool,
            runs: Vec::new(),
            proof: String::new(),
            failure: None,
        }
    }

    /// Its name in the table and in the raw figures.
    pub fn id(&self) -> String {
        let again = if self.again { "-again" } else { "" };
        format!("{}{again}", self.shape.id)
    }

    /// What was run, in words.
    pub fn title(&self) -> String {
        let again = if self.again { ", run again" } else { "" };
        format!("{}{again}", self.shape.title)
    }

    /// The middle one of a figure's values.
    pub fn median(&self, figure: impl Fn(&Run) -> f64) -> Option<f64> {
        let mut values: Vec<f64> = self.runs.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        match values.len() {
            0 => None,
            count if count % 2 == 1 => Some(values[middle]),
            _ => Some((values[middle - 1] + values[middle]) / 2.0),
        }
    }

    /// The median of the wall time.
    pub fn wall(&self) -> Option<f64> {
        self.median(|run| run.wall_s)
    }

    /// The shortest wall time.
    pub fn best(&self) -> Option<f64> {
        self.runs.iter().map(|run| run.wall_s).reduce(f64::min)
    }

    /// The highest peak of memory, in bytes.
    pub fn peak(&self) -> Option<f64> {
        let peak = self.runs.iter().map(|run| run.peak_kib).max()?;
        Some(peak as f64 * 1024.0)
    }

    fn spent(&self) -> Duration {
        Duration::from_secs_f64(self.runs.iter().map(|run| run.wall_s).sum())
    }
}

/// Runs `shape` with every tool; a tool that fails is given up, loudly, and the others go on.
pub fn of(
    shape: &'static Shape,
    tools: &[Ready],
    work: &Work,
    options: &Options,
) -> Result<Vec<Series>> {
    work.stage(shape)?;
    let mut all: Vec<(Series, Series)> = tools
        .iter()
        .map(|ready| ready.tool)
        .map(|tool| {
            (
                Series::new(shape, false, tool),
                Series::new(shape, true, tool),
            )
        })
        .collect();
    for _ in 0..options.runs {
        for (ready, (first, second)) in tools.iter().zip(&mut all) {
            let tired = first.spent() + second.spent() >= options.budget;
            let failed = first.failure.is_some() || second.failure.is_some();
            if !tired && !failed && shape.is_for(ready) {
                round(ready, work, first, second);
            }
        }
    }
    let (first, second): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    let second = second.into_iter().filter(|_| shape.again);
    Ok(first.into_iter().chain(second).collect())
}

fn round(ready: &Ready, work: &Work, first: &mut Series, second: &mut Series) {
    let done = work.refresh().and_then(|()| once(ready, work, first));
    if let Err(failure) = done {
        first.failure = Some(failure.to_string());
    } else if first.shape.again
        && let Err(failure) = once_more(ready, work, second)
    {
        second.failure = Some(failure.to_string());
    }
}

fn once_more(ready: &Ready, work: &Work, second: &mut Series) -> Result<()> {
    let before = proof::state(&work.out())?;
    once(ready, work, second)?;
    // The script does not look before it writes: that is what makes it plain.
    if ready.tool == Tool::Sh {
        return Ok(());
    }
    let after = proof::state(&work.out())?;
    ensure(
        before == after,
        "the second run wrote, though nothing was left to do",
    )?;
    second.proof += ", none written again";
    Ok(())
}

fn once(ready: &Ready, work: &Work, series: &mut Series) -> Result<()> {
    let run = measure::run(ready, work, series.shape.watched)?;
    let left = Left {
        out: &work.out(),
        opened: run.opened,
    };
    series.proof = (series.shape.proof)(&left)?;
    series.runs.push(run);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes;

    #[test]
    fn the_median_is_the_middle() {
        let mut series = Series::new(&shapes::ALL[0], false, Tool::Sh);
        assert_eq!(series.wall(), None);
        for (wall_s, expected) in [(3.0, 3.0), (1.0, 2.0), (9.0, 3.0)] {
            series.runs.push(Run {
                wall_s,
                cpu_s: 0.0,
                peak_kib: 1,
                opened: 0,
            });
            assert_eq!(series.wall(), Some(expected));
        }
    }
}
