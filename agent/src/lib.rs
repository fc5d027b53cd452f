//! lks-agent
