//! Differences of texts, line by line, with the very hunks that Python's `difflib` finds: what
//! `--diff` prints is compared with old logs.

use std::collections::{HashMap, HashSet};

/// Lines around a change.
const CONTEXT: usize = 3;

/// A unified diff; lines keep their ends. Nothing if the texts are the same.
#[must_use]
pub fn unified(before: &[String], after: &[String], from: &str, to: &str) -> Vec<String> {
    let groups = grouped(&opcodes(before, after));
    if groups.is_empty() {
        return Vec::new();
    }
    let mut out = vec![format!("--- {from}\n"), format!("+++ {to}\n")];
    for group in groups {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        out.push(format!(
            "@@ -{} +{} @@\n",
            range(first.a.0, last.a.1),
            range(first.b.0, last.b.1)
        ));
        for code in &group {
            let mut push = |mark: &str, lines: &[String]| {
                out.extend(lines.iter().map(|line| format!("{mark}{line}")));
            };
            if code.same {
                push(" ", &before[code.a.0..code.a.1]);
            } else {
                push("-", &before[code.a.0..code.a.1]);
                push("+", &after[code.b.0..code.b.1]);
            }
        }
    }
    out
}

/// `start,length` as `diff -u` counts.
fn range(start: usize, stop: usize) -> String {
    match stop - start {
        1 => format!("{}", start + 1),
        0 => format!("{start},0"),
        length => format!("{},{length}", start + 1),
    }
}

/// A piece of both texts, the same or not.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    same: bool,
    a: (usize, usize),
    b: (usize, usize),
}

/// A run of equal lines: start in `a`, start in `b`, length.
type Match = (usize, usize, usize);

/// Pieces that turn `a` into `b`.
fn opcodes(a: &[String], b: &[String]) -> Vec<Piece> {
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    for (ai, bj, size) in matches(a, b) {
        if i < ai || j < bj {
            out.push(Piece {
                same: false,
                a: (i, ai),
                b: (j, bj),
            });
        }
        (i, j) = (ai + size, bj + size);
        if size > 0 {
            out.push(Piece {
                same: true,
                a: (ai, i),
                b: (bj, j),
            });
        }
    }
    out
}

/// All runs of equal lines, neighbours joined, ended by an empty one (Ratcliff and Obershelp).
fn matches(a: &[String], b: &[String]) -> Vec<Match> {
    let places = places(b);
    let mut found = Vec::new();
    let mut todo = vec![((0, a.len()), (0, b.len()))];
    while let Some((in_a, in_b)) = todo.pop() {
        let (i, j, size) = longest(a, b, &places, in_a, in_b);
        if size > 0 {
            found.push((i, j, size));
            if in_a.0 < i && in_b.0 < j {
                todo.push(((in_a.0, i), (in_b.0, j)));
            }
            if i + size < in_a.1 && j + size < in_b.1 {
                todo.push(((i + size, in_a.1), (j + size, in_b.1)));
            }
        }
    }
    found.sort_unstable();
    let mut joined: Vec<Match> = Vec::new();
    for (i, j, size) in found {
        match joined.last_mut() {
            Some(last) if last.0 + last.2 == i && last.1 + last.2 == j => last.2 += size,
            _ => joined.push((i, j, size)),
        }
    }
    joined.push((a.len(), b.len(), 0));
    joined
}

/// Where each line of `b` stands. Lines that make up more than one in a hundred of a long text are
/// left out, as `difflib` does: they would cost time and anchor nothing.
fn places(b: &[String]) -> HashMap<&str, Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (n, line) in b.iter().enumerate() {
        places.entry(line).or_default().push(n);
    }
    if b.len() >= 200 {
        let limit = b.len() / 100 + 1;
        let popular: HashSet<&str> = places
            .iter()
            .filter(|(_, at)| at.len() > limit)
            .map(|(line, _)| *line)
            .collect();
        places.retain(|line, _| !popular.contains(line));
    }
    places
}

/// The longest run of equal lines within the two ranges; the first one of several.
fn longest(
    a: &[String],
    b: &[String],
    places: &HashMap<&str, Vec<usize>>,
    (a_low, a_high): (usize, usize),
    (b_low, b_high): (usize, usize),
) -> Match {
    let (mut i_best, mut j_best, mut best) = (a_low, b_low, 0);
    let mut lengths: HashMap<usize, usize> = HashMap::new();
    for (i, line) in a.iter().enumerate().take(a_high).skip(a_low) {
        let mut next = HashMap::new();
        for &j in places.get(line.as_str()).map_or(&[][..], Vec::as_slice) {
            if j < b_low {
                continue;
            }
            if j >= b_high {
                break;
            }
            let before = j.checked_sub(1).and_then(|j| lengths.get(&j)).copied();
            let k = before.unwrap_or(0) + 1;
            next.insert(j, k);
            if k > best {
                (i_best, j_best, best) = (i + 1 - k, j + 1 - k, k);
            }
        }
        lengths = next;
    }
    // Popular lines beside the run belong to it.
    while i_best > a_low && j_best > b_low && a[i_best - 1] == b[j_best - 1] {
        (i_best, j_best, best) = (i_best - 1, j_best - 1, best + 1);
    }
    while i_best + best < a_high && j_best + best < b_high && a[i_best + best] == b[j_best + best] {
        best += 1;
    }
    (i_best, j_best, best)
}

/// Pieces in groups with their context. Nothing if nothing differs.
fn grouped(codes: &[Piece]) -> Vec<Vec<Piece>> {
    if codes.iter().all(|c| c.same) {
        return Vec::new();
    }
    let mut codes = codes.to_vec();
    if let Some(first) = codes.first_mut().filter(|c| c.same) {
        first.a.0 = first.a.0.max(first.a.1.saturating_sub(CONTEXT));
        first.b.0 = first.b.0.max(first.b.1.saturating_sub(CONTEXT));
    }
    if let Some(last) = codes.last_mut().filter(|c| c.same) {
        last.a.1 = last.a.1.min(last.a.0 + CONTEXT);
        last.b.1 = last.b.1.min(last.b.0 + CONTEXT);
    }
    let mut groups = Vec::new();
    let mut group = Vec::new();
    for mut code in codes {
        if code.same && code.a.1 - code.a.0 > CONTEXT * 2 {
            group.push(Piece {
                same: true,
                a: (code.a.0, code.a.0 + CONTEXT),
                b: (code.b.0, code.b.0 + CONTEXT),
            });
            groups.push(std::mem::take(&mut group));
            code.a.0 = code.a.1 - CONTEXT;
            code.b.0 = code.b.1 - CONTEXT;
        }
        group.push(code);
    }
    if group.iter().any(|c| !c.same) {
        groups.push(group);
    }
    groups
}

/// A text as lines that keep their ends; a last line without one gets the note that `diff` gives.
#[must_use]
pub fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(Into::into).collect();
    if let Some(last) = lines.last_mut().filter(|l| !l.ends_with('\n')) {
        last.push_str("\n\\ No newline at end of file\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from Python's `difflib`: before, after, diff.
    const CASES: &str = include_str!("tests/difflib.jsonl");

    #[test]
    fn hunks_are_those_of_difflib() {
        for (n, case) in CASES.lines().enumerate() {
            let (a, b, want): (Vec<String>, Vec<String>, Vec<String>) =
                serde_json::from_str(case).expect("a case");
            assert_eq!(unified(&a, &b, "a", "b"), want, "case {}", n + 1);
        }
    }
}
