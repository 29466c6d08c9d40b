//! Canary keys: the real server, with hostile surroundings. A catcher stands for everybody whom no key may reach.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod folders;
mod keyring;
mod programs;
mod surroundings;

use aura_tests::aura::Aura;
use aura_tests::catcher::Catcher;
use aura_tests::http::HttpServer;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

/// The keys. No part of them occurs in other text.
const GROQ: &str = "gsk_Wq7Xz3Kv9Tn5Rb1Hm8Jd4Lf6Pc2Ys0Ga_groqcanary";
const GEMINI: &str = "AIzaBv5Nc8Mx2Lz7Kj4Hg1Fd9Sa6Qw3Er0Ty_geminicanary";
const OPENAI: &str = "sk-Uj4Ik8Ol2Pz6Xn1Cm9Vb5Nt3Gr7Ew0Qd_openaicanary";
const KEYS: [&str; 3] = [GROQ, GEMINI, OPENAI];

/// This many consecutive characters of a key are a leak.
const MIN_LEAK: usize = 9;

/// The part of a text that holds a piece of a key, plain or in base64.
fn find_leak(text: &str) -> Option<String> {
    let encoded = KEYS.iter().flat_map(|key| [STANDARD.encode(key), URL_SAFE_NO_PAD.encode(key)]);
    let forms: Vec<String> = KEYS.iter().map(|key| (*key).to_owned()).chain(encoded).collect();
    let at = forms.iter().find_map(|form| {
        form.as_bytes().windows(MIN_LEAK).find_map(|part| text.find(std::str::from_utf8(part).unwrap()))
    })?;
    let end = text.ceil_char_boundary((at + 60).min(text.len()));
    Some(text[text.floor_char_boundary(at.saturating_sub(80))..end].to_owned())
}

/// Fails if a request that the catcher received holds a piece of a key.
fn assert_catches_nothing(catcher: &Catcher, place: &str) {
    for request in catcher.caught() {
        assert_eq!(find_leak(&request), None, "{place}: {request}");
    }
}

/// The variables by which every request beyond this computer goes to the catcher, as to a proxy: no test may reach a real provider.
fn proxied(aura: Aura, proxy: &Catcher) -> Aura {
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    names.into_iter().fold(aura, |aura, name| aura.with(name, proxy.url("")))
}

/// The keys as the user's own environment has them.
fn with_keys(aura: Aura) -> Aura {
    aura.with("GROQ_API_KEY", GROQ).with("GEMINI_API_KEY", GEMINI).with("OPENAI_API_KEY", OPENAI)
}

/// Uses every service of these providers. Whether they answer does not matter.
async fn use_all(server: &HttpServer, providers: &[&str]) {
    for provider in providers {
        let chat = json!({"text": "What time is it?", "llm_provider": provider});
        server.post("/chat").json(&chat).send().await.unwrap();
        for (service, input) in [("tts", json!("Hello.")), ("stt", json!(sound())), ("vlm", json!(picture()))] {
            let test = json!({"service_type": service, "provider": provider, "test_input": input});
            server.post("/providers/test").json(&test).send().await.unwrap();
        }
        server.get(&format!("/providers/voices?provider={provider}")).send().await.unwrap();
    }
    for path in ["/providers/models", "/providers/info", "/providers/health", "/metrics"] {
        let reply = server.get(path).send().await.unwrap().text().await.unwrap();
        assert_eq!(find_leak(&reply), None, "{path}");
    }
}

fn sound() -> String {
    STANDARD.encode(aura_audio::speech_wav(&aura_testkit::fake_ports::speech(1.0)))
}

fn picture() -> String {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(64, 48).write_to(&mut png, image::ImageFormat::Png).unwrap();
    STANDARD.encode(png.into_inner())
}

#[test]
fn a_leak_is_found_in_every_form() {
    for key in KEYS {
        assert!(find_leak(&format!("x-goog-api-key: {key}")).is_some());
        assert!(find_leak(&format!("… {} …", &key[7..20])).is_some());
        assert!(find_leak(&STANDARD.encode(key)).is_some());
    }
    assert_eq!(find_leak("GET /v1/models HTTP/1.1\r\naccept: */*\r\n"), None);
}
