//! The way to hosts that needs no network: this machine, as this user or another.

use super::context::{Connector, Login};
use super::runner::{LocalRunner, TaskRunner};
use crate::error::{Error, ErrorKind, Result};

/// Connects to this machine only. The controller adds remote ways.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalConnector;

impl Connector for LocalConnector {
    fn connect(&self, host: &str, login: &Login) -> Result<Box<dyn TaskRunner>> {
        if login.connection != "local" {
            return Err(Error::new(
                ErrorKind::Unreachable,
                format!(
                    "there is no way to {host}: the connection `{}` is not known here",
                    login.connection
                ),
            )
            .hint("hosts on this machine need `ansible_connection=local` (or -c local)"));
        }
        match &login.become_user {
            Some(user) if login.become_same_user || !super::seat::is_current_user(user)? => {
                super::seat::as_user(user, login)
            }
            _ => Ok(Box::new(LocalRunner::new())),
        }
    }
}
