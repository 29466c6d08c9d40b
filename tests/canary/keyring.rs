//! Keys in the keyring: saved from standard input, and sent only to the address that they were saved for.

use std::io::Write;
use std::process::Stdio;

use aura_tests::aura::Aura;
use aura_tests::catcher::Catcher;
use aura_tests::keyring::{Bus, with_bus};
use serde_json::Value;

use super::{GROQ, assert_catches_nothing, find_leak, proxied};

/// Runs a command with this text on its standard input; returns its exit code and what it printed.
fn run(aura: &Aura, arguments: &[&str], input: &str) -> (i32, String) {
    let mut command = aura.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert_eq!(find_leak(&text), None, "{arguments:?}");
    (done.status.code().unwrap_or(-1), text)
}

/// The entry of a provider in `aura keys --json`.
fn listed(aura: &Aura, provider: &str) -> Value {
    let ended = aura.run(&["keys", "list", "--json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let list = ended.json();
    list.as_array().unwrap().iter().find(|row| row["provider"] == provider).cloned().unwrap_or_default()
}

#[test]
fn a_saved_key_is_sent_only_to_the_address_that_it_was_saved_for() {
    with_bus("keyring::a_saved_key_is_sent_only_to_the_address_that_it_was_saved_for", Bus::with_store, || {
        let (first, second, proxy) = (Catcher::start(), Catcher::start(), Catcher::start());
        let bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").unwrap();
        let aura = proxied(Aura::new().with("DBUS_SESSION_BUS_ADDRESS", bus), &proxy);
        let at = |catcher: &Catcher| format!("[providers.groq]\nbase_url = \"{}\"\n", catcher.url("/v1"));
        let aura = aura.settings(&at(&first));
        assert_eq!(listed(&aura, "groq")["key"], Value::Null);
        let (code, text) = run(&aura, &["keys", "set", "groq"], "two words");
        assert!(code == 1 && text.contains("error[invalid_request]"), "{text}");
        let (code, text) = run(&aura, &["keys", "set", "nobody"], GROQ);
        assert!(code == 1 && text.contains("nobody"), "{text}");

        let (code, text) = run(&aura, &["keys", "set", "groq"], &format!("{GROQ}\n"));
        assert_eq!(code, 0, "{text}");
        let key = &listed(&aura, "groq")["key"];
        assert_eq!((&key["place"], &key["ends_with"]), (&"keyring".into(), &GROQ[GROQ.len() - 4..].into()), "{key}");
        let ask = ["ask", "Hello?", "--llm", "groq"];
        run(&aura, &ask, "");
        assert!(first.caught().iter().any(|request| request.contains(GROQ)), "{:?}", first.caught());

        // Another address, from whoever changed the settings.
        let aura = aura.settings(&at(&second));
        let (code, text) = run(&aura, &ask, "");
        assert!(code == 1 && text.contains("Save its key again"), "{text}");
        let key = &listed(&aura, "groq")["key"];
        assert_eq!(key["only_for"].as_str().unwrap(), first.url(""), "{key}");
        assert_catches_nothing(&second, "the changed address");

        // Saved again, it goes to the new address alone.
        let before = first.caught().len();
        assert_eq!(run(&aura, &["keys", "set", "groq"], GROQ).0, 0);
        run(&aura, &ask, "");
        assert!(second.caught().iter().any(|request| request.contains(GROQ)), "{:?}", second.caught());
        assert_eq!(first.caught().len(), before);

        assert_eq!(run(&aura, &["keys", "remove", "groq"], "").0, 0);
        assert_eq!(listed(&aura, "groq")["key"], Value::Null);
        assert_catches_nothing(&proxy, "the proxy");
    });
}
