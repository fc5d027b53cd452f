//! The engine of lks: playbooks, hosts and modules. See README.md for the code map.

pub mod error;
pub mod inventory;
pub mod playbook;
pub mod secret;
pub mod source;
pub mod value;
