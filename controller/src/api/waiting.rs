//! Hosts that wait for work. Who gives some out, or changes what a host may do, wakes that host and no
//! other: a fleet that waits costs nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Where hosts wait, by name.
#[derive(Default)]
pub(super) struct Waiting(Mutex<HashMap<Box<str>, Arc<Notify>>>);

/// A host's place among those that wait; it is left when this is dropped.
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
    host: Box<str>,
    bell: Arc<Notify>,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for this host.
    pub fn place(&self, host: &str) -> Place<'_> {
        let mut all = self.lock();
        let bell = Arc::clone(all.entry(host.into()).or_default());
        Place {
            waiting: self,
            host: host.into(),
            bell,
        }
    }

    /// Wakes one host.
    pub fn wake(&self, host: &str) {
        if let Some(bell) = self.lock().get(host) {
            bell.notify_waiters();
        }
    }

    /// Wakes all.
    pub fn wake_all(&self) {
        for bell in self.lock().values() {
            bell.notify_waiters();
        }
    }

    /// How many hosts wait.
    pub fn len(&self) -> usize {
        self.lock().len()
    }
}

impl Place<'_> {
    /// The host's bell: whoever has it `enable`d misses no ring.
    pub fn bell(&self) -> &Notify {
        &self.bell
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut all = self.waiting.lock();
        // This one and the map's: nobody else waits under the name.
        if Arc::strong_count(&self.bell) <= 2 {
            all.remove(&self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_until_the_last_of_a_name_leaves() {
        let waiting = Waiting::default();
        let first = waiting.place("web1");
        let second = waiting.place("web1");
        assert_eq!(waiting.len(), 1);
        drop(first);
        assert_eq!(waiting.len(), 1, "the second one still waits");
        drop(second);
        assert_eq!(waiting.len(), 0);
    }

    #[test]
    fn only_who_is_meant_is_woken() {
        let waiting = Waiting::default();
        let (web1, web2) = (waiting.place("web1"), waiting.place("web2"));
        let mut bells = [
            Box::pin(web1.bell().notified()),
            Box::pin(web2.bell().notified()),
        ];
        for bell in &mut bells {
            assert!(!bell.as_mut().enable());
        }
        waiting.wake("web2");
        assert!(!bells[0].as_mut().enable() && bells[1].as_mut().enable());
        waiting.wake_all();
        assert!(bells[0].as_mut().enable());
    }
}
