//! User-data for new hosts.
