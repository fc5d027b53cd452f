//! The OpenAPI document, from one table.

use axum::response::Response;
use serde_json::{Map, Value, json};

/// Path, method, what it does, and who may ask.
pub(super) const OPERATIONS: &[(&str, &str, &str, &str)] = &[
    (
        "/healthz",
        "get",
        "Whether the controller and its store answer",
        "anybody",
    ),
    ("/livez", "get", "Whether the process answers", "anybody"),
    (
        "/readyz",
        "get",
        "As `/healthz`: whether it can serve",
        "anybody",
    ),
    (
        "/metrics",
        "get",
        "Figures in the format of Prometheus",
        "viewer",
    ),
    ("/openapi.json", "get", "This document", "anybody"),
    (
        "/v1/enrol",
        "post",
        "Lets a host in: token or what AWS says of it, name, public key and proof",
        "token",
    ),
    (
        "/v1/enrol/challenge",
        "post",
        "A challenge for a host that joins by what AWS says of it: good once, for minutes",
        "anybody",
    ),
    (
        "/v1/programs/{digest}",
        "get",
        "An agent's program, for user-data",
        "anybody",
    ),
    (
        "/v1/agent/work",
        "get",
        "The oldest run that this host has not ended; waits up to `wait` seconds",
        "agent",
    ),
    (
        "/v1/agent/bundles/{digest}",
        "get",
        "The bundle of this host's work",
        "agent",
    ),
    (
        "/v1/agent/events",
        "post",
        "Takes events of a run of this host; repeats do no harm",
        "agent",
    ),
    (
        "/v1/agent/key",
        "post",
        "A certificate for a new key of this host; the old one ends when the new one is used",
        "agent",
    ),
    (
        "/v1/agent/facts",
        "post",
        "Keeps what this host tells of itself",
        "agent",
    ),
    (
        "/v1/agent/releases/{counter}",
        "get",
        "A signed program for agents",
        "agent",
    ),
    (
        "/v1/agent/update",
        "post",
        "Takes what became of a release at this host",
        "agent",
    ),
    ("/v1/hosts", "get", "Enrolled hosts", "viewer"),
    (
        "/v1/facts",
        "get",
        "What hosts told of themselves",
        "viewer",
    ),
    (
        "/v1/releases",
        "get",
        "Programs for agents, the newest first",
        "viewer",
    ),
    (
        "/v1/releases",
        "put",
        "Takes a signed program for agents",
        "admin",
    ),
    (
        "/v1/hosts/{name}/rotate",
        "post",
        "Asks a host to make itself a new key",
        "admin",
    ),
    (
        "/v1/hosts/{name}",
        "delete",
        "Forgets a host, so that its name is free",
        "admin",
    ),
    (
        "/v1/hosts/{name}/revoke",
        "post",
        "Shuts a host out",
        "admin",
    ),
    (
        "/v1/tokens",
        "get",
        "Join tokens, without their secrets",
        "admin",
    ),
    (
        "/v1/tokens",
        "post",
        "Makes a join token: `lifetime` in seconds, `host` if it is for one name",
        "admin",
    ),
    ("/v1/tokens/{id}", "delete", "Revokes a join token", "admin"),
    ("/v1/operators", "get", "Operators", "admin"),
    (
        "/v1/operators",
        "post",
        "Adds an operator: `name`, `role`; answers their token",
        "admin",
    ),
    (
        "/v1/operators/{name}",
        "delete",
        "Removes an operator",
        "admin",
    ),
    ("/v1/bundles", "put", "Takes a signed bundle", "operator"),
    (
        "/v1/assignments",
        "get",
        "Bundles that hosts run when they join",
        "viewer",
    ),
    (
        "/v1/assignments",
        "put",
        "Has hosts that join from now on run a bundle, where its patterns of hosts match",
        "operator",
    ),
    (
        "/v1/assignments/{name}",
        "delete",
        "Takes one back",
        "operator",
    ),
    ("/v1/runs", "get", "The newest runs", "viewer"),
    (
        "/v1/runs",
        "post",
        "Starts a run: `bundle`, and patterns of `hosts`",
        "operator",
    ),
    (
        "/v1/runs/{run}",
        "get",
        "A run and how its hosts stand",
        "viewer",
    ),
    (
        "/v1/runs/{run}/events",
        "get",
        "Events behind `after`; waits up to `wait` seconds. `lks-unfinished` tells how many hosts are not over",
        "viewer",
    ),
    (
        "/v1/audit",
        "get",
        "The newest lines of the audit log",
        "admin",
    ),
];

pub(super) async fn serve() -> Response {
    super::json(&document())
}

fn document() -> Value {
    let mut paths = Map::new();
    for (path, method, summary, who) in OPERATIONS {
        let security = match *who {
            "anybody" | "token" => json!([]),
            "agent" => json!([{"agent": []}]),
            _ => json!([{"operator": []}]),
        };
        let parameters: Vec<Value> = path
            .split('/')
            .filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        let operation = json!({
            "summary": summary,
            "description": format!("For: {who}."),
            "security": security,
            "parameters": parameters,
            "responses": {
                "2XX": {"description": "done"},
                "4XX": {"description": "refused", "content": {"application/json": {"schema": {
                    "type": "object", "properties": {"error": {"type": "string"}}}}}},
            },
        });
        let entry = paths
            .entry((*path).to_string())
            .or_insert_with(|| json!({}));
        entry[*method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "lks controller", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {"securitySchemes": {
            "operator": {"type": "http", "scheme": "bearer"},
            "agent": {"type": "mutualTLS"},
        }},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Paths and methods that the router has, read out of its source.
    fn routed() -> BTreeSet<(String, String)> {
        let source = include_str!("mod.rs");
        let body = source.split("pub fn routes").nth(1).unwrap_or_default();
        let body = body.split(".with_state(").next().unwrap_or_default();
        let mut out = BTreeSet::new();
        for route in body.split(".route(").skip(1) {
            let path = route.split('"').nth(1).unwrap_or_default();
            for method in ["get", "post", "put", "delete"] {
                let handler = route.split('"').nth(2).unwrap_or_default();
                if handler.contains(&format!("{method}(")) {
                    out.insert((path.to_string(), method.to_string()));
                }
            }
        }
        out
    }

    #[test]
    fn the_document_tells_what_the_router_has() {
        let told: BTreeSet<_> = OPERATIONS
            .iter()
            .map(|(path, method, ..)| ((*path).to_string(), (*method).to_string()))
            .collect();
        assert_eq!(told, routed());
        assert_eq!(told.len(), OPERATIONS.len(), "a row stands twice");
        let document = document();
        for (path, method, summary, _) in OPERATIONS {
            assert_eq!(document["paths"][*path][*method]["summary"], *summary);
        }
    }
}
