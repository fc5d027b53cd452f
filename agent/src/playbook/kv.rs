//! `key=value` arguments.
