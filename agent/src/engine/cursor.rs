//! Where one host stands in a play: a stack of blocks, each in its body, rescue or always section.
//!
//! Every host has a cursor of its own over the shared tree; a dynamic include pushes a block for the
//! hosts that included it. [`Cursor::place`] orders steps as they were written, so that the linear
//! strategy keeps hosts in lock-step and a journal can name a step.

use crate::playbook::task::{Block, Item, Task};
use std::sync::Arc;

/// A step of a play: what the strategy asks the engine to do for a host.
#[derive(Clone, Debug)]
pub enum Step {
    /// Run this task.
    Task(Arc<Task>),
    /// Begin to run notified handlers.
    Flush,
}

/// A place in a play, comparable: the earlier place comes first.
pub type Place = Vec<(u8, u32)>;

/// A list that a frame walks through.
#[derive(Clone, Debug)]
enum Body {
    Block(Arc<Block>),
    /// Sections of the play, included blocks, or the like: steps without rescue.
    Steps(Arc<Vec<Entry>>),
    /// Steps whose `always` is to run notified handlers.
    Guarded(Arc<Vec<Entry>>),
    /// Handlers that run now.
    Handlers(Arc<Vec<Entry>>),
}

impl Body {
    /// The entry at this place of a section.
    fn entry(&self, at: Section, next: usize) -> Option<Entry> {
        match (self, at) {
            (Self::Block(block), _) => section(block, at).get(next).cloned().map(Entry::Item),
            (Self::Guarded(_), Section::Always) => (next == 0).then_some(Entry::Flush),
            (Self::Steps(list) | Self::Guarded(list) | Self::Handlers(list), _) => {
                list.get(next).cloned()
            }
        }
    }

    fn has_rescue(&self) -> bool {
        matches!(self, Self::Block(b) if !b.rescue.is_empty())
    }

    fn has_always(&self) -> bool {
        match self {
            Self::Block(b) => !b.always.is_empty(),
            Self::Guarded(_) => true,
            Self::Steps(_) | Self::Handlers(_) => false,
        }
    }
}

/// An entry of a made-up list.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A task or block.
    Item(Item),
    /// Run notified handlers here.
    Flush,
    /// A block for some hosts only (by index).
    Only(Arc<Block>, Arc<Vec<usize>>),
    /// A handler: runs if the host notified it.
    Handler(usize, Arc<Task>),
    /// Steps after which notified handlers run even if they failed (`force_handlers`).
    Guarded(Arc<Vec<Entry>>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    Body,
    Rescue,
    Always,
}

#[derive(Clone, Debug)]
struct Frame {
    body: Body,
    section: Section,
    /// The next entry; the one before it is the one that is being worked on.
    next: u32,
    /// A failure that goes on when `always` is through.
    failed: bool,
}

/// Where one host stands.
#[derive(Clone, Debug)]
pub struct Cursor {
    host: usize,
    frames: Vec<Frame>,
    failed: bool,
}

/// What the cursor asks about a host.
pub trait Filter {
    /// Whether tags, `--start-at-task` and a role that ran already let the task run.
    fn selects(&mut self, task: &Arc<Task>) -> bool;
    /// Whether the host notified this handler.
    fn notified(&self, handler: usize) -> bool;
    /// The role's block is through.
    fn finish_role(&mut self, key: &str);
}

impl Cursor {
    /// At the beginning of `steps`, for the host of this index.
    #[must_use]
    pub fn new(host: usize, steps: Arc<Vec<Entry>>) -> Self {
        let mut cursor = Self {
            host,
            frames: Vec::new(),
            failed: false,
        };
        cursor.push(Body::Steps(steps));
        cursor
    }

    fn push(&mut self, body: Body) {
        self.frames.push(Frame {
            body,
            section: Section::Body,
            next: 0,
            failed: false,
        });
    }

    /// Passes the first step by: the gathering of facts, for a host whose facts are known.
    pub fn skip_first(&mut self) {
        if let Some(frame) = self.frames.first_mut() {
            frame.next = frame.next.max(1);
        }
    }

    /// Puts more steps before what comes next.
    pub fn insert(&mut self, steps: Arc<Vec<Entry>>) {
        self.push(Body::Steps(steps));
    }

    /// Runs handlers before what comes next.
    pub fn insert_handlers(&mut self, handlers: Arc<Vec<Entry>>) {
        self.push(Body::Handlers(handlers));
    }

    /// Whether the host is in the middle of running handlers.
    #[must_use]
    pub fn in_handlers(&self) -> bool {
        self.frames
            .iter()
            .any(|f| matches!(f.body, Body::Handlers(_)))
    }

    /// Moves to the next step that this host must take, and tells it. Does not pass it.
    pub fn peek(&mut self, filter: &mut dyn Filter) -> Option<Step> {
        loop {
            let frame = self.frames.last_mut()?;
            let Some(entry) = frame.body.entry(frame.section, frame.next as usize) else {
                self.end_section(filter);
                continue;
            };
            match entry {
                Entry::Flush => return Some(Step::Flush),
                Entry::Item(Item::Task(task)) if filter.selects(&task) => {
                    return Some(Step::Task(task));
                }
                Entry::Handler(index, task) if filter.notified(index) => {
                    return Some(Step::Task(task));
                }
                Entry::Item(Item::Block(block)) => self.enter(Body::Block(block)),
                Entry::Only(block, hosts) if hosts.contains(&self.host) => {
                    self.enter(Body::Block(block));
                }
                Entry::Guarded(steps) => self.enter(Body::Guarded(steps)),
                Entry::Item(Item::Task(_)) | Entry::Handler(..) | Entry::Only(..) => {
                    frame.next += 1
                }
            }
        }
    }

    fn enter(&mut self, body: Body) {
        self.advance();
        self.push(body);
    }

    /// The current section has no more entries.
    fn end_section(&mut self, filter: &mut dyn Filter) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        match frame.section {
            Section::Body | Section::Rescue if frame.body.has_always() => {
                frame.section = Section::Always;
                frame.next = 0;
            }
            _ => self.leave(filter),
        }
    }

    fn leave(&mut self, filter: &mut dyn Filter) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        if let Body::Block(block) = &frame.body
            && let Some(role) = &block.role
        {
            filter.finish_role(&role.key);
        }
        if frame.failed {
            self.fail();
        }
    }

    /// Passes the step that [`Cursor::peek`] told.
    pub fn advance(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.next += 1;
        }
    }

    /// The current step failed: goes to the nearest `rescue` or `always`. `false` when there is
    /// none, and the host is out of the play.
    pub fn fail(&mut self) -> bool {
        if self.frames.is_empty() {
            // Whoever is through with the play cannot fail in it any more.
            return false;
        }
        while let Some(frame) = self.frames.last_mut() {
            match frame.section {
                Section::Body if frame.body.has_rescue() => {
                    frame.section = Section::Rescue;
                    frame.next = 0;
                    return true;
                }
                Section::Body | Section::Rescue if frame.body.has_always() => {
                    frame.section = Section::Always;
                    frame.next = 0;
                    frame.failed = true;
                    return true;
                }
                _ => {
                    self.frames.pop();
                }
            }
        }
        self.failed = true;
        false
    }

    /// Whether a failure that nothing caught has put the host out of the play.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether the host failed, though an `always` may still be at work.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failed || self.frames.iter().any(|f| f.failed)
    }

    /// Forgets failures (`meta: clear_host_errors`).
    pub fn forgive(&mut self) {
        self.failed = false;
        for frame in &mut self.frames {
            frame.failed = false;
        }
    }

    /// Whether a failure here would be caught by a `rescue`.
    #[must_use]
    pub fn would_rescue(&self) -> bool {
        self.frames
            .iter()
            .any(|f| f.section == Section::Body && f.body.has_rescue())
    }

    /// Leaves the play. What failed before, and was not rescued, stays failed.
    pub fn end(&mut self) {
        self.failed |= self.is_failing();
        self.frames.clear();
    }

    /// Leaves the innermost role (`meta: end_role`), and tells its key.
    pub fn end_role(&mut self) -> Option<String> {
        let mut failed = false;
        while let Some(frame) = self.frames.pop() {
            failed |= frame.failed;
            if let Body::Block(block) = &frame.body
                && let Some(role) = &block.role
            {
                if failed {
                    self.fail();
                }
                return Some(role.key.clone());
            }
        }
        self.failed |= failed;
        None
    }

    /// Where the step that [`Cursor::peek`] told stands.
    #[must_use]
    pub fn place(&self) -> Place {
        let depth = self.frames.len();
        self.frames
            .iter()
            .enumerate()
            .map(|(i, f)| {
                // Frames above the innermost one have passed the entry they are in.
                let at = if i + 1 == depth {
                    f.next
                } else {
                    f.next.max(1) - 1
                };
                (f.section as u8, at)
            })
            .collect()
    }
}

fn section(block: &Block, section: Section) -> &[Item] {
    match section {
        Section::Body => &block.body,
        Section::Rescue => &block.rescue,
        Section::Always => &block.always,
    }
}
