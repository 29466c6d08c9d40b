//! Writes the list of servers for another program.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{ServerConfig, Transport};

/// The `mcpServers` JSON for other programs. Secrets are left out: the value of `TOKEN` is `${TOKEN}`.
pub fn export<'a>(servers: impl IntoIterator<Item = &'a ServerConfig>) -> Value {
    let list: Map<String, Value> =
        servers.into_iter().map(|server| (server.name.clone(), Value::Object(entry(server)))).collect();
    json!({"mcpServers": list})
}

fn entry(server: &ServerConfig) -> Map<String, Value> {
    let mut entry = Map::new();
    let mut set = |name: &str, value: Value| entry.insert(name.to_owned(), value);
    match &server.transport {
        Transport::Stdio { command, args, env, cwd } => {
            set("command", json!(command));
            set("args", json!(args));
            if !env.is_empty() {
                set("env", references(env));
            }
            if let Some(cwd) = cwd {
                set("cwd", json!(cwd));
            }
        }
        Transport::Http { url, headers } => {
            set("type", json!("http"));
            set("url", json!(url));
            if !headers.is_empty() {
                set("headers", references(headers));
            }
        }
    }
    if !server.enabled {
        set("disabled", json!(true));
    }
    entry
}

fn references(names: &BTreeSet<String>) -> Value {
    names.iter().map(|name| (name.clone(), json!(format!("${{{name}}}")))).collect::<Map<_, _>>().into()
}
