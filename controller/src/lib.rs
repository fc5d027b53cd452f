//! lks-ctl
