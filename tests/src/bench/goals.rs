//! What lks is to reach, and whether it does. A missed goal is shown; it never fails a run, since
//! a busy machine can miss any.

use super::series::Series;
use super::tools::Tool;

/// One goal of a shape.
pub enum Goal {
    /// At most this many times the script's time.
    TimesSh(f64),
    /// The peer takes at least this many times as long.
    FasterThan(Tool, f64),
    /// At most this long.
    Milliseconds(f64),
    /// At most this much memory.
    Megabytes(f64),
}

impl Goal {
    /// In whose row of the table it stands.
    fn row(&self) -> Tool {
        match self {
            Goal::FasterThan(peer, _) => *peer,
            _ => Tool::Lks,
        }
    }

    fn words(&self) -> String {
        match self {
            Goal::TimesSh(times) => format!("lks <= {times} x sh"),
            Goal::FasterThan(_, times) => format!(">= {times} x lks"),
            Goal::Milliseconds(ms) => format!("<= {ms} ms"),
            Goal::Megabytes(mb) => format!("<= {mb} MB"),
        }
    }

    /// Whether it is met, by the wall times that `wall` picks; `None` where nobody measured.
    fn is_met(&self, group: &[&Series], wall: fn(&Series) -> Option<f64>) -> Option<bool> {
        let of = |tool| group.iter().find(|series| series.tool == tool);
        let wall = |tool| wall(of(tool)?);
        Some(match self {
            Goal::TimesSh(times) => wall(Tool::Lks)? <= times * wall(Tool::Sh)?,
            Goal::FasterThan(peer, times) => wall(*peer)? >= times * wall(Tool::Lks)?,
            Goal::Milliseconds(ms) => wall(Tool::Lks)? * 1e3 <= *ms,
            Goal::Megabytes(mb) => of(Tool::Lks)?.peak()? / 1e6 <= *mb,
        })
    }
}

/// What the table says in `series`' row; `group` holds all tools' runs of the same.
pub fn verdict(series: &Series, group: &[&Series]) -> String {
    if series.again {
        return String::new();
    }
    let goals = series.shape.goals.iter();
    goals
        .filter(|goal| goal.row() == series.tool)
        .map(|goal| match goal.is_met(group, Series::wall) {
            Some(true) => format!("{}: met", goal.words()),
            Some(false) if goal.is_met(group, Series::best) == Some(true) => {
                format!("{}: missed, met by the best runs", goal.words())
            }
            Some(false) => format!("{}: MISSED", goal.words()),
            None => goal.words(),
        })
        .collect::<Vec<_>>()
        .join(", ")
}
