//! `aura update`: asks a server on this computer, whose answers are signed or not.

use std::io::{Cursor, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use aura_tests::aura::Aura;
use minisign::KeyPair;
use serde_json::{Value, json};

/// Serves a description and its signature until the test ends. Returns its address.
fn serve(manifest: &Value, keys: &KeyPair) -> String {
    let manifest = manifest.to_string().into_bytes();
    let signature =
        minisign::sign(None, &keys.sk, Cursor::new(&manifest), None, None).expect("a signature").to_string();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}/latest.json", listener.local_addr().expect("a bound socket"));
    let files = Arc::new((manifest, signature.into_bytes()));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let files = files.clone();
            std::thread::spawn(move || {
                let mut request = [0; 4_096];
                let length = stream.read(&mut request).unwrap_or(0);
                let is_signature = String::from_utf8_lossy(&request[..length]).starts_with("GET /latest.json.minisig ");
                let body = if is_signature { &files.1 } else { &files.0 };
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                drop(stream.write_all(&[head.as_bytes(), body].concat()));
            });
        }
    });
    address
}

fn aura(address: &str, keys: &KeyPair) -> Aura {
    Aura::new().with("AURA_UPDATE_URL", address).with("AURA_UPDATE_KEY", keys.pk.to_base64())
}

#[test]
fn a_newer_version_is_told_with_its_notes() {
    let keys = KeyPair::generate_unencrypted_keypair().unwrap();
    let manifest = json!({ "version": "99.1.0", "published": "2026-11-29", "notes": "Faster." });
    let aura = aura(&serve(&manifest, &keys), &keys);
    let told = aura.run(&["update"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.starts_with("AURA 99.1.0 is available, published on 2026-11-29.\n\nFaster.\n"), "{told:?}");
    assert!(told.out.contains("in the way you installed it"), "it was built by hand: {told:?}");
    let view = aura.run(&["update", "--json"]).json();
    assert_eq!((&view["server"], &view["release"]["version"]), (&json!("127.0.0.1"), &json!("99.1.0")));
    assert!(view["checked_at"].is_string(), "{view:#}");
}

#[test]
fn an_old_version_is_up_to_date_and_a_wrong_signature_is_an_error() {
    let (keys, others) =
        (KeyPair::generate_unencrypted_keypair().unwrap(), KeyPair::generate_unencrypted_keypair().unwrap());
    let address = serve(&json!({ "version": "0.0.1", "published": "2026-11-29" }), &keys);
    let told = aura(&address, &keys).run(&["update"]);
    assert!(told.code == 0 && told.out.ends_with(" is up to date.\n"), "{told:?}");
    let wrong = aura(&address, &others);
    let told = wrong.run(&["update"]);
    assert!(
        told.code == 1 && told.err.contains("error[download_failed]: What the server sent was not signed"),
        "{told:?}"
    );
    assert!(!wrong.data().join("updates/latest.json").exists());
}

#[test]
fn a_build_without_a_server_says_so() {
    let told = Aura::new().run(&["update"]);
    assert!(told.code == 1 && told.err.contains("error[not_found]: This build does not know"), "{told:?}");
}
