//! Where names come from: the caller's variables, and the names a template sets for itself.

use super::val::Val;
use crate::value::Value;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Where names in a template come from. Lazy: asked only for names that are used.
pub trait Variables: Send + Sync + std::fmt::Debug {
    /// The variable `name`, unevaluated.
    fn get(&self, name: &str) -> Option<Value>;

    /// Every name there is, for "did you mean", `vars` and the lookup `varnames`.
    fn names(&self) -> Vec<Arc<str>>;

    /// The variable `name` as a playbook or inventory wrote it: nothing that a host answered or that
    /// was computed. Text in it may be taken for an expression.
    fn written(&self, _name: &str) -> Option<Value> {
        None
    }

    /// The variables of another host, each evaluated in that host's own scope: what
    /// `hostvars['web1']` gives. Without it, `hostvars` is a variable like any other.
    fn of_host(&self, _host: &str) -> Option<Arc<dyn Variables>> {
        None
    }

    /// The hosts that [`Variables::of_host`] answers for; empty if there are none.
    fn hosts(&self) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// Whether [`Variables::hosts`] has any; worth its own answer where there are thousands.
    fn has_hosts(&self) -> bool {
        !self.hosts().is_empty()
    }
}

/// The variables in whose sight a value is evaluated.
pub(super) type Home = Arc<dyn Variables>;

/// Names that a template sets for itself: one frame of a chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope(Rc<Frame>);

#[derive(Debug, Default)]
struct Frame {
    names: RefCell<Vec<(Arc<str>, Val)>>,
    parent: Option<Scope>,
}

impl Scope {
    /// A new frame inside this one.
    pub fn inner(&self) -> Self {
        Self(Rc::new(Frame {
            names: RefCell::default(),
            parent: Some(self.clone()),
        }))
    }

    pub fn get(&self, name: &str) -> Option<Val> {
        let mut frame = Some(self);
        while let Some(scope) = frame {
            let names = scope.0.names.borrow();
            if let Some((_, value)) = names.iter().find(|(n, _)| **n == *name) {
                return Some(value.clone());
            }
            frame = scope.0.parent.as_ref();
        }
        None
    }

    /// Sets `name` in this frame.
    pub fn set(&self, name: &Arc<str>, value: Val) {
        let mut names = self.0.names.borrow_mut();
        match names.iter_mut().find(|(n, _)| n == name) {
            Some((_, old)) => *old = value,
            None => names.push((Arc::clone(name), value)),
        }
    }

    /// Forgets the names of this frame.
    fn clear(&self) {
        // Dropped after the borrow ends: what goes may look at the frame.
        let names = std::mem::take(&mut *self.0.names.borrow_mut());
        drop(names);
    }

    /// The names set in this frame.
    pub fn own(&self) -> Vec<(Arc<str>, Val)> {
        self.0.names.borrow().clone()
    }
}

/// Frames that hold a macro which sees them, and so themselves: emptied at the end, or they would stay for
/// ever.
#[derive(Debug, Default)]
pub(super) struct Rings(RefCell<Vec<Scope>>);

impl Rings {
    pub fn note(&self, scope: &Scope) {
        self.0.borrow_mut().push(scope.clone());
    }
}

impl Drop for Rings {
    fn drop(&mut self) {
        self.0.take().iter().for_each(Scope::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_holds_itself_goes_with_the_run() {
        #[derive(Debug)]
        struct Sees(#[allow(dead_code)] Scope);
        impl super::super::val::Object for Sees {
            fn type_name(&self) -> &'static str {
                "Sees"
            }
        }
        let rings = Rings::default();
        let scope = Scope::default();
        let frame = Rc::downgrade(&scope.0);
        scope.set(&"macro".into(), Val::object(Sees(scope.clone())));
        rings.note(&scope);
        drop(scope);
        assert!(frame.upgrade().is_some());
        drop(rings);
        assert!(frame.upgrade().is_none());
    }
}
