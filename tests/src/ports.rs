//! Ports for servers that the tests start.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// A port of loopback that nobody listens at, and that no connection is given as its own: it lies
/// below the range from which Linux takes those (`ip_local_port_range`, 32768 and up), since a test
/// names the port now and its server listens a while later.
///
/// # Panics
///
/// Where none of 2,000 is free.
#[must_use]
pub fn free_port() -> u16 {
    const FIRST: u16 = 16_000;
    const MANY: u16 = 16_000;
    // Some servers take the next port, too.
    const STEP: u16 = 8;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs run at the same time begin at different places.
    let own = u16::try_from(std::process::id() % 16).expect("small") * (MANY / 16);
    (0..MANY / STEP)
        .map(|_| NEXT.fetch_add(STEP, Ordering::Relaxed))
        .map(|n| FIRST + own.wrapping_add(n) % MANY)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
