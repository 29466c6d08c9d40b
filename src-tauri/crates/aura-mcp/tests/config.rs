//! The lists of servers of other programs.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use aura_mcp::{ConfigError, Imported, Problem, SecretKind, ServerConfig, Transport, export, import};
use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;

fn all(text: &str) -> Vec<Imported> {
    import(text).unwrap().into_iter().map(Result::unwrap).collect()
}

fn only_error(text: &str) -> ConfigError {
    match import(text) {
        Err(error) => error,
        Ok(servers) => servers.into_iter().next().unwrap().unwrap_err(),
    }
}

#[test]
fn claude_desktops_list_is_read() {
    let found = all(r#"{
        "globalShortcut": "Ctrl+Space",
        "mcpServers": {
            "filesystem": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "/home/me"]},
            "github": {
                "command": "docker", "args": ["run", "-i", 8],
                "env": {"GITHUB_TOKEN": "ghp_secret", "DEBUG": 1, "EMPTY": ""},
                "alwaysAllow": ["search"]
            }
        }
    }"#);
    let [files, github] = &found[..] else { panic!("{found:?}") };
    let Transport::Stdio { command, args, env, cwd } = &files.config.transport else { panic!("{files:?}") };
    assert_eq!((command.as_str(), args.len(), env.len(), cwd), ("npx", 3, 0, &None));
    assert!(files.config.enabled && files.values.is_empty() && files.ignored.is_empty());
    let Transport::Stdio { args, env, .. } = &github.config.transport else { panic!("{github:?}") };
    assert_eq!(args, &["run", "-i", "8"]);
    assert_eq!(env.iter().collect::<Vec<_>>(), ["DEBUG", "EMPTY", "GITHUB_TOKEN"]);
    let values: Vec<_> =
        github.values.iter().map(|(name, value)| (name.name.as_str(), value.expose_secret())).collect();
    assert_eq!(values, [("DEBUG", "1"), ("GITHUB_TOKEN", "ghp_secret")]);
    assert_eq!(github.missing.iter().map(|name| name.to_string()).collect::<Vec<_>>(), ["mcp env github EMPTY"]);
    assert_eq!(github.ignored, ["mcpServers.github.alwaysAllow"]);
    assert!(!format!("{found:?}").contains("ghp_secret"));
}

#[test]
fn the_lists_of_vs_code_cursor_and_others_are_read() {
    let code = all(r#"{
        // What is asked for.
        "inputs": [{"type": "promptString", "id": "key"}],
        "servers": {
            "search": {"type": "http", "url": "https://example.com/mcp", "headers": {"Authorization": "Bearer ${input:key}"}},
            "local": {"type": "stdio", "command": "server", "cwd": "/srv", "envFile": ".env",},
        },
    }"#);
    let [local, search] = &code[..] else { panic!("{code:?}") };
    assert_eq!(
        local.config.transport,
        Transport::Stdio { command: "server".into(), args: vec![], env: Default::default(), cwd: Some("/srv".into()) }
    );
    assert_eq!(local.ignored, ["servers.local.envFile"]);
    assert_eq!((search.missing.len(), search.missing[0].kind), (1, SecretKind::Header));
    let others = all(r#"{"mcpServers": {
        "a": {"serverUrl": "https://a.example/mcp", "disabled": true}, "b": {"httpUrl": "http://localhost:9/mcp"},
        "c": {"transport": "streamable-http", "url": "https://c.example/"}, "d": {"command": "d", "enabled": false}
    }}"#);
    let enabled: Vec<_> = others.iter().map(|server| server.config.enabled).collect();
    assert_eq!(enabled, [false, true, true, false]);
    assert_eq!(all(r#"{"mcp": {"servers": {"a": {"command": "a"}}}}"#).len(), 1);
    assert_eq!(all(r#"{"a": {"command": "a"}, "b": {"url": "https://b.example"}}"#).len(), 2);
    assert!(all(r#"{"mcpServers": {}}"#).is_empty());
}

#[test]
fn a_mistake_is_named_and_spoils_no_other_server() {
    let list = |server: &str| format!(r#"{{"mcpServers": {{"x": {server}}}}}"#);
    let at = |server: &str| {
        let error = only_error(&list(server));
        (error.field, error.problem)
    };
    let field = |name: &str, problem| (format!("mcpServers.x{name}"), problem);
    assert_eq!(at("5"), field("", Problem::MustBe("an object")));
    assert_eq!(at("{}"), field(".command", Problem::Missing));
    assert_eq!(at(r#"{"command": ""}"#), field(".command", Problem::Missing));
    assert_eq!(at(r#"{"command": ["a"]}"#), field(".command", Problem::MustBe("a text")));
    assert_eq!(at(r#"{"command": "a", "args": "-y"}"#), field(".args", Problem::MustBe("a list")));
    assert_eq!(at(r#"{"command": "a", "args": ["b", {}]}"#), field(".args[1]", Problem::MustBe("a text")));
    assert_eq!(at(r#"{"command": "a", "env": {"A": ["b"]}}"#), field(".env.A", Problem::MustBe("a text")));
    assert_eq!(at(r#"{"command": "a", "env": {"A=B": "c"}}"#), field(".env.A=B", Problem::BadName));
    assert_eq!(at(r#"{"type": "sse", "url": "https://a.example"}"#), field(".type", Problem::UnknownTransport));
    assert_eq!(at(r#"{"type": "http"}"#), field(".url", Problem::Missing));
    assert_eq!(at(r#"{"url": "file:///etc/passwd"}"#), field(".url", Problem::BadAddress));
    assert_eq!(at(r#"{"url": "https://me:pw@a.example"}"#), field(".url", Problem::BadAddress));
    assert_eq!(at(r#"{"command": "a", "disabled": "yes"}"#), field(".disabled", Problem::MustBe("true or false")));
    assert_eq!(only_error("{").problem, Problem::NotJson { line: 1, column: 1 });
    assert_eq!(only_error("[]").problem, Problem::NoServers);
    assert_eq!(only_error(r#"{"mcpServers": []}"#).problem, Problem::MustBe("an object"));
    let two = import(r#"{"mcpServers": {"bad": {}, "good": {"command": "a"}}}"#).unwrap();
    assert_eq!(two.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
    assert_eq!(only_error(&list("{}")).to_string(), "`mcpServers.x.command`: this is missing");
}

fn any_config() -> impl Strategy<Value = ServerConfig> {
    let names = || proptest::collection::btree_set("[A-Z_]{1,8}", 0..4);
    let stdio =
        ("[a-z/ ]{0,5}[a-z]", proptest::collection::vec(".{0,8}", 0..4), names(), proptest::option::of("/[a-z]{1,5}"))
            .prop_map(|(command, args, env, cwd)| Transport::Stdio {
                command: command.trim().to_owned(),
                args,
                env,
                cwd: cwd.map(Into::into),
            });
    let http = ("[a-z]{1,8}", names())
        .prop_map(|(host, headers)| Transport::Http { url: format!("https://{host}.example/mcp"), headers });
    ("[a-zA-Zä][a-zA-Z ä_-]{0,9}[a-z]", any::<bool>(), prop_oneof![stdio, http])
        .prop_map(|(name, enabled, transport)| ServerConfig { name, enabled, transport, timeout_seconds: None })
}

proptest! {
    #[test]
    fn what_is_exported_is_imported_again(config in any_config()) {
        let text = serde_json::to_string_pretty(&export([&config])).unwrap();
        let mut found = all(&text);
        let imported = found.remove(0);
        prop_assert_eq!(imported.missing, config.secrets());
        prop_assert!(imported.values.is_empty() && imported.ignored.is_empty());
        prop_assert_eq!(imported.config, config);
    }

    #[test]
    fn settings_keep_a_configuration(config in any_config()) {
        let text = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(serde_json::from_str::<ServerConfig>(&text).unwrap(), config);
    }

    #[test]
    fn any_text_is_taken(text in ".{0,60}", key in "mcpServers|servers|mcp", inner in ".{0,10}") {
        let _ = import(&text);
        let _ = import(&json!({key: {inner.clone(): {"command": inner, "args": [inner], "env": {inner.clone(): inner}}}}).to_string());
    }
}
