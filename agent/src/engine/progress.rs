//! News of long effects, as events.

use super::task::TaskCx;
use crate::event::EventKind;
use crate::host::Progress;

/// Makes events of a task's progress. The host's side throttles.
pub(super) fn to_events<'a>(cx: &'a TaskCx<'_>) -> impl Fn(Progress) + 'a {
    move |progress| {
        let (text, done, total) = match progress {
            Progress::Line(text) => (text, None, None),
            Progress::Bytes { done, total } => (String::new(), Some(done), total),
        };
        cx.run.emit.host(
            &cx.slot.name,
            EventKind::Progress {
                task: cx.view.info.id,
                text,
                done,
                total,
            },
        );
    }
}
