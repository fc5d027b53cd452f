//! The clock, and the wish to stop.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is part of the seam"
)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

static STOP: AtomicBool = AtomicBool::new(false);

static START: OnceLock<Instant> = OnceLock::new();

/// Seconds since 1970-01-01 UTC.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |d| d.as_secs_f64())
}

/// Seconds since the first call: for durations.
#[must_use]
pub fn monotonic() -> f64 {
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Asks the run to stop at the next task (Ctrl-C).
pub fn stop() {
    STOP.store(true, Ordering::SeqCst);
}

/// Whether the run was asked to stop.
#[must_use]
pub fn stopped() -> bool {
    STOP.load(Ordering::SeqCst)
}

/// Lets time pass; ends early when the run is asked to stop.
pub fn sleep(seconds: f64) {
    let end = monotonic() + seconds;
    while !stopped() {
        let left = end - monotonic();
        if left <= 0.0 {
            break;
        }
        std::thread::sleep(Duration::from_secs_f64(left.min(0.1)));
    }
}

/// From now on, the first Ctrl-C (or SIGTERM, or SIGHUP) asks the run to stop: programs under way are
/// ended, and no task begins. The second ends the process.
pub fn stop_on_interrupt() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    extern "C" fn handle(_: nix::libc::c_int) {
        STOP.store(true, Ordering::SeqCst);
    }
    let action = SigAction::new(
        SigHandler::Handler(handle),
        // The second signal finds the default again.
        SaFlags::SA_RESETHAND,
        SigSet::empty(),
    );
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        #[allow(unsafe_code)]
        let before = unsafe { sigaction(signal, &action) };
        // What started this process may want the signal ignored (`nohup`): so it stays.
        if let Ok(before) = before
            && matches!(before.handler(), SigHandler::SigIgn)
        {
            // SAFETY: this puts back an action without any handler.
            #[allow(unsafe_code)]
            let _ = unsafe { sigaction(signal, &before) };
        }
    }
}

/// Seconds that local time is ahead of UTC at `unix`, and the zone's name.
#[must_use]
pub fn zone(unix: i64) -> (i32, String) {
    let time: nix::libc::time_t = unix;
    // SAFETY: `tm` is plain data for which zeroes are valid; localtime_r fills it and keeps no pointer
    // to it. Its `tm_zone` points at a name that lives as long as the process.
    #[allow(unsafe_code)]
    unsafe {
        let mut tm: nix::libc::tm = std::mem::zeroed();
        if nix::libc::localtime_r(&raw const time, &raw mut tm).is_null() || tm.tm_zone.is_null() {
            return (0, "UTC".into());
        }
        let name = std::ffi::CStr::from_ptr(tm.tm_zone);
        (
            i32::try_from(tm.tm_gmtoff).unwrap_or(0),
            name.to_string_lossy().into_owned(),
        )
    }
}
