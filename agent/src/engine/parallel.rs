//! The same work for many hosts at once.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `work(0)` … `work(count - 1)`, at most `width` at a time; results in order. One item, or a width
/// of one, runs in this thread.
pub fn map<T: Send>(count: usize, width: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    if count <= 1 || width <= 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..width.min(count) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= count {
                        break;
                    }
                    let value = work(i);
                    *done[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                }
            });
        }
    });
    done.into_iter()
        .filter_map(|cell| cell.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_come_in_order_whatever_the_width() {
        for width in [1, 3, 100] {
            assert_eq!(
                super::map(50, width, |i| i * i),
                (0..50).map(|i| i * i).collect::<Vec<_>>()
            );
        }
    }
}
