//! `hostvars`: the variables of every host, each evaluated in its own host's sight.

use super::access;
use super::ctx::Ctx;
use super::fault::Res;
use super::methods;
use super::scope::Home;
use super::val::{Args, Object, Val, ValMap};
use crate::value::Key;
use std::sync::Arc;

/// The value of the name `hostvars`.
pub(super) fn all() -> Val {
    Val::object(Hosts)
}

#[derive(Debug)]
struct Hosts;

/// The variables of one host.
#[derive(Debug)]
struct Host(Home);

impl Object for Hosts {
    fn type_name(&self) -> &'static str {
        "HostVars"
    }

    fn attr(&self, ctx: &Ctx, name: &str) -> Res<Option<Val>> {
        Ok(ctx.home.of_host(name).map(|home| Val::object(Host(home))))
    }

    fn items(&self, ctx: &Ctx) -> Option<Vec<Val>> {
        Some(ctx.home.hosts().into_iter().map(Val::Str).collect())
    }

    fn method(&self, ctx: &Ctx, name: &str, args: &Args) -> Option<Res<Val>> {
        methods::dict(ctx, &self.shallow(ctx), name, args)
    }

    fn plain(&self, ctx: &Ctx) -> Option<Val> {
        Some(self.shallow(ctx))
    }
}

impl Hosts {
    fn shallow(&self, ctx: &Ctx) -> Val {
        let hosts = ctx.home.hosts();
        let map = hosts.into_iter().filter_map(|host| {
            let home = ctx.home.of_host(&host)?;
            Some((Key::Str(host), Val::object(Host(home))))
        });
        Val::map(map.collect::<ValMap>())
    }
}

impl Host {
    fn variable(&self, ctx: &Ctx, name: &Arc<str>) -> Option<Val> {
        ctx.in_home(&self.0).variable(name)
    }

    fn all(&self, ctx: &Ctx) -> Val {
        let names = self.0.names();
        let map = names.into_iter().filter_map(|name| {
            let value = self.variable(ctx, &name)?;
            Some((Key::Str(name), value))
        });
        Val::map(map.collect::<ValMap>())
    }
}

impl Object for Host {
    fn type_name(&self) -> &'static str {
        "HostVarsVars"
    }

    fn attr(&self, ctx: &Ctx, name: &str) -> Res<Option<Val>> {
        Ok(self.variable(ctx, &name.into()))
    }

    fn items(&self, _ctx: &Ctx) -> Option<Vec<Val>> {
        Some(self.0.names().into_iter().map(Val::Str).collect())
    }

    fn method(&self, ctx: &Ctx, name: &str, args: &Args) -> Option<Res<Val>> {
        // `get` alone must not evaluate every variable of the host.
        if let ("get", Some(key)) = (name, args.pos.first()) {
            let found = access::item(ctx, &Val::object(Self(Arc::clone(&self.0))), key);
            return Some(found.map(|value| match value {
                Val::Missing(_) => args.pos.get(1).cloned().unwrap_or(Val::Null),
                other => other,
            }));
        }
        methods::dict(ctx, &self.all(ctx), name, args)
    }

    fn plain(&self, ctx: &Ctx) -> Option<Val> {
        Some(self.all(ctx))
    }
}
