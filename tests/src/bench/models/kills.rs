//! kill -9 at random points: what comes twice is what was under way.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lks_tests::rig::stage::say;
use lks_tests::rig::{Result, ensure};

use super::Place;

/// What the module has under way at most by itself: 16 connections with a part of 16 MiB each.
const UNDER_WAY: u64 = 16 * (16 << 20);
/// Slow enough that a kill hits the point that was drawn.
const PAUSE: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(600);

/// Kills a fetch `count` times, lets it end, and counts what the server had to send.
pub fn run(program: &Path, place: &Place, count: usize, seed: u64) -> Result<()> {
    place.clear()?;
    let words = super::lks(program, place)?;
    let start = || {
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn()
    };
    let before = place.server.sent();
    let sent = || place.server.sent() - before;
    place.server.pause(PAUSE);
    let points = points(place.size, count, seed);
    let mut killed = 0;
    for point in &points {
        let mut child = start()?;
        let began = Instant::now();
        while sent() < *point && child.try_wait()?.is_none() && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_micros(500));
        }
        if child.try_wait()?.is_none() {
            killed += 1;
        }
        // It may have ended in this very moment.
        let _ = child.kill();
        child.wait()?;
    }
    place.server.pause(Duration::ZERO);
    ensure(start()?.wait()?.success(), "the last run failed")?;
    let found = super::limits::digest(&place.dest())?;
    ensure(found == place.sha256, "kills led to another file")?;
    let twice = sent() - place.size;
    let allowed = killed * UNDER_WAY.min(place.size);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    say(format_args!(
        "killed (-9) {killed} times at random points (--seed {seed}): {:.0} MiB came twice, {:.0} a kill; the parts \
         under way may be {:.0} a kill",
        mib(twice),
        mib(twice) / killed.max(1) as f64,
        mib(UNDER_WAY)
    ));
    ensure(killed > 0, "no kill hit")?;
    ensure(twice <= allowed, "more came twice than was under way")
}

/// Points within the file, in order.
fn points(size: u64, count: usize, seed: u64) -> Vec<u64> {
    let mut state = seed | 1;
    let mut points: Vec<u64> = (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % (size * 95 / 100)
        })
        .collect();
    points.sort_unstable();
    points
}
