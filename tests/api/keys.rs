//! Which keys let a request in: the token for everyone, any key or none for a program of the user who started AURA.

use std::os::unix::fs::PermissionsExt;

use aura_tests::http::HttpServer;
use serde_json::{Value, json};

use super::guard::{curl_as_nobody, raw, server, status};

/// The status of `/health` for a program of this user that sends these header lines.
async fn health(server: &HttpServer, lines: &str) -> u16 {
    status(server, &format!("Host: localhost:{}\r\n{lines}", server.port())).await.0
}

/// Values that only proxies send.
const PROXIES: &[&str] = &[
    "Via: 1.1 proxy.example",
    "Forwarded: for=192.0.2.7",
    "X-Forwarded-For: 192.0.2.7",
    "X-Forwarded-Host: aura.example",
    "X-Real-IP: 192.0.2.7",
    "CF-Connecting-IP: 192.0.2.7",
];

/// Headers without a token, as clients of providers send them.
const PLACEHOLDERS: &[&str] = &[
    "Authorization: Bearer sk-proj-1234",
    "Authorization: Bearer x",
    "Authorization: Bearer ",
    "Authorization: x",
    "Authorization: Basic eDp4",
    "X-Api-Key: sk-ant-1234",
    "Api-Key: x",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_key_of_the_same_user_is_ignored() {
    let (_sandbox, server) = server().await;
    for key in PLACEHOLDERS {
        assert_eq!(health(&server, &format!("{key}\r\n")).await, 200, "{key}");
    }
    // It does not stand for the token.
    for key in ["sk-1234", "x", ""] {
        let asked = server.post("/app/rpc/snapshot").bearer_auth(key).json(&json!({})).send().await.unwrap();
        assert_eq!(asked.status(), 401, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_with_a_wrong_token_is_rejected() {
    let (_sandbox, server) = server().await;
    let page = [
        format!("Origin: http://localhost:{}", server.port()),
        format!("Referer: http://localhost:{}/app/", server.port()),
        "Sec-Fetch-Site: same-origin".to_owned(),
        "Sec-Fetch-Mode: cors".to_owned(),
    ];
    for header in page {
        for key in PLACEHOLDERS {
            assert_eq!(health(&server, &format!("{header}\r\n{key}\r\n")).await, 401, "{header}, {key}");
        }
        let right = format!("{header}\r\nAuthorization: Bearer {}\r\n", server.token());
        assert_eq!(health(&server, &right).await, 200, "{header}");
        assert_eq!(health(&server, &format!("{header}\r\n")).await, 200, "{header}: as the page of /docs asks");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_through_a_proxy_needs_the_token() {
    let (_sandbox, server) = server().await;
    for proxy in PROXIES {
        assert_eq!(health(&server, &format!("{proxy}\r\n")).await, 401, "{proxy}");
        assert_eq!(health(&server, &format!("{proxy}\r\nAuthorization: Bearer x\r\n")).await, 401, "{proxy}");
        let right = format!("{proxy}\r\nAuthorization: Bearer {}\r\n", server.token());
        assert_eq!(health(&server, &right).await, 200, "{proxy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_compared_exactly_and_may_come_in_the_header_of_any_client() {
    let (_sandbox, server) = server().await;
    let token = server.token();
    let with = async |key: &str| health(&server, &format!("Via: 1.1 proxy\r\n{key}\r\n")).await;
    for right in [
        format!("Authorization: Bearer {token}"),
        format!("authorization: bearer {token}"),
        format!("X-Api-Key: {token}"),
        format!("Api-Key: {token}"),
        // As a client that sends both does.
        format!("Authorization: Bearer sk-1\r\nX-Api-Key: {token}"),
    ] {
        assert_eq!(with(&right).await, 200, "{right}");
    }
    for wrong in [
        format!("Authorization: Bearer {token}0"),
        format!("Authorization: Bearer {}", &token[1..]),
        format!("Authorization: Bearer {}", token.to_uppercase()),
        format!("Authorization: {token}"),
        format!("Authorization: Basic {token}"),
    ] {
        assert_eq!(with(&wrong).await, 401, "{wrong}");
    }
    assert_eq!(with(&format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}")).await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_lives_as_long_as_the_server() {
    let (_sandbox, server) = server().await;
    let first = server.token();
    let server = server.restart();
    let second = server.token();
    assert!(first != second && second.len() == 64, "{second}");
    let file = std::fs::metadata(server.aura().data().join("api-token")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let with =
        async |token: &str| health(&server, &format!("Via: 1.1 proxy\r\nAuthorization: Bearer {token}\r\n")).await;
    assert_eq!((with(&first).await, with(&second).await), (401, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_proves_to_anyone_that_it_knows_the_token() {
    let (_sandbox, server) = server().await;
    let nonce = "0123456789abcdef".repeat(4);
    let proof = async |server: &HttpServer, nonce: &str| {
        let reply =
            server.post("/proof").header("via", "1.1 proxy").json(&json!({"nonce": nonce})).send().await.unwrap();
        (reply.status().as_u16(), reply.json::<Value>().await.unwrap()["proof"].as_str().map(str::to_owned))
    };
    // Computed by a program that has no code in common with the server.
    let openssl = |token: &str, port: u16| {
        let script =
            "import hmac, sys; print(hmac.new(sys.argv[1].encode(), sys.argv[2].encode(), 'sha256').hexdigest())";
        let message = format!("aura:{port}:{nonce}");
        let mut python = std::process::Command::new("python3");
        aura_tests::process::run(python.args(["-c", script, token, &message]), "python3").trim().to_owned()
    };
    assert_eq!(proof(&server, &nonce).await, (200, Some(openssl(&server.token(), server.port()))));
    assert_ne!(proof(&server, &nonce).await, proof(&server, &"f".repeat(64)).await);
    for bad in ["", "00", &"x".repeat(64), &"0".repeat(65)] {
        assert_eq!(proof(&server, bad).await.0, 422, "{bad}");
    }
    let (body, code) = {
        let body = json!({"nonce": nonce}).to_string();
        let sent = ["-H", "Content-Type: application/json", "-d", body.as_str()];
        let (code, body) = curl_as_nobody(&server.url("/proof"), &sent);
        (serde_json::from_str::<Value>(&body).unwrap(), code)
    };
    assert_eq!(
        (code.as_str(), body["proof"].as_str()),
        ("200", Some(openssl(&server.token(), server.port()).as_str()))
    );
    // Only other websites get none.
    let foreign = format!(
        "POST /proof HTTP/1.1\r\nHost: localhost:{}\r\nOrigin: https://attacker.example\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n",
        server.port()
    );
    assert!(raw(&server, &foreign).await.0.starts_with("HTTP/1.1 403"));
}
