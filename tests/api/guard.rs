//! Access control: the user who started AURA and callers with the token are served, others are rejected. Limits protect the server.

use std::process::Command;
use std::time::{Duration, Instant};

use aura_tests::http::{HttpServer, sandboxed};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::quick;

/// The user ID of `nobody`, which every Debian has.
const NOBODY: &str = "65534";

pub(super) async fn server() -> (aura_sandbox::Sandbox, HttpServer) {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    (sandbox, HttpServer::start(aura))
}

/// A server whose timeouts are a tenth of the real ones, for tests that wait for one.
pub(super) fn with_short_limits(aura: aura_tests::aura::Aura) -> HttpServer {
    HttpServer::serving(aura, "aura-server", &["--limits-scale", "0.1"])
}

/// Sends bytes as they are; returns the head and the body of the reply.
pub(super) async fn raw(server: &HttpServer, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

/// The status and body of the reply to a request with these header lines.
pub(super) async fn status(server: &HttpServer, lines: &str) -> (u16, String) {
    let (head, body) = raw(server, &format!("GET /health HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")).await;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {head}")), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_loopback_host_names_are_accepted() {
    let (_sandbox, server) = server().await;
    let port = server.port();
    for host in ["localhost", "127.0.0.1", "[::1]", "LocalHost"] {
        assert_eq!(status(&server, &format!("Host: {host}:{port}\r\n")).await.0, 200, "{host}");
    }
    for host in [
        "localhost".to_owned(),
        "localhost:1".to_owned(),
        format!("attacker.example:{port}"),
        format!("localhost.attacker.example:{port}"),
        format!("127.0.0.2:{port}"),
        format!("0.0.0.0:{port}"),
    ] {
        let (refused, body) = status(&server, &format!("Host: {host}\r\n")).await;
        assert_eq!(refused, 403, "{host}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"]["code"], "forbidden_host", "{body}");
    }
    assert_eq!(status(&server, "").await.0, 403, "no host at all");
    let two = format!("Host: localhost:{port}\r\nHost: attacker.example\r\n");
    assert_eq!(status(&server, &two).await.0, 400, "two hosts");
    let whole =
        format!("GET http://attacker.example/health HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    assert!(raw(&server, &whole).await.0.starts_with("HTTP/1.1 403"));
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_origins_are_rejected() {
    let (_sandbox, server) = server().await;
    let port = server.port();
    let with = async |line: &str| status(&server, &format!("Host: localhost:{port}\r\n{line}\r\n")).await.0;
    for own in [format!("Origin: http://localhost:{port}"), format!("Origin: http://127.0.0.1:{port}")] {
        assert_eq!(with(&own).await, 200, "{own}");
    }
    for foreign in [
        "Origin: https://attacker.example".to_owned(),
        "Origin: null".to_owned(),
        "Origin: http://localhost:3000".to_owned(),
        format!("Origin: https://localhost:{port}"),
        format!("Origin: http://localhost:{port}.attacker.example"),
        "Sec-Fetch-Site: cross-site".to_owned(),
        "Sec-Fetch-Site: same-site".to_owned(),
        "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site".to_owned(),
        format!("Origin: http://localhost:{port}\r\nOrigin: https://attacker.example"),
    ] {
        let refused = with(&foreign).await;
        assert!(matches!(refused, 400 | 403), "{foreign}: {refused}");
    }
    assert_eq!(with("Sec-Fetch-Site: same-origin").await, 200);
    assert_eq!(with("Sec-Fetch-Site: none").await, 200, "typed into the address bar");
    // A preflight of another site is not answered with permission.
    let preflight = format!(
        "OPTIONS /chat HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: https://attacker.example\r\n\
         Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n"
    );
    let (head, _) = raw(&server, &preflight).await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    let head = raw(&server, &format!("GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\nConnection: close\r\n\r\n")).await.0;
    for never in ["access-control", "set-cookie"] {
        assert!(!head.to_lowercase().contains(never), "{head}");
    }
}

/// A command that runs a program as another user.
fn becoming_nobody(program: &str) -> Command {
    let this_user = Command::new("id").arg("-u").output().unwrap().stdout;
    let mut command = if this_user.starts_with(b"0\n") { Command::new("setpriv") } else { Command::new("sudo") };
    if !this_user.starts_with(b"0\n") {
        command.args(["-n", "setpriv"]);
    }
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--pdeathsig", "KILL", "--", program]);
    command
}

/// The status and body that another user gets for `/health`, by curl.
fn as_nobody(server: &HttpServer, arguments: &[&str]) -> (String, String) {
    curl_as_nobody(&server.url("/health"), arguments)
}

/// The status and body that another user gets for a URL, by curl.
pub(super) fn curl_as_nobody(url: &str, arguments: &[&str]) -> (String, String) {
    let mut command = becoming_nobody("curl");
    let done = command.args(["-sS", "--max-time", "30", "-w", "\n%{http_code}"]).args(arguments).arg(url).output();
    let done = done.expect("this test becomes another user: run it as root, or where `sudo -n` works");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_needs_the_token() {
    let (_sandbox, server) = server().await;
    let (status, body) = as_nobody(&server, &[]);
    assert_eq!(status, "401", "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error"]["code"], "unauthorized", "{body}");
    for wrong in ["Authorization: Bearer wrong", "Authorization: Bearer sk-1", "X-Api-Key: x", "Api-Key: x"] {
        assert_eq!(as_nobody(&server, &["-H", wrong]).0, "401", "{wrong}");
    }
    let right = format!("Authorization: Bearer {}", server.token());
    assert_eq!(as_nobody(&server, &["-H", &right]).0, "200");
    // The user who started the server needs no token, as in the guide.
    assert_eq!(server.get("/health").send().await.unwrap().status(), 200);
}

/// The addresses with a listener on a port, as in `/proc/net`: hexadecimal, in native byte order.
fn listening(table: &str, port: u16) -> Vec<String> {
    let table = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
    let port = format!(":{port:04X}");
    let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // State 0A is LISTEN.
    let own = fields.filter(|fields| fields.get(3) == Some(&"0A") && fields[1].ends_with(&port));
    own.map(|fields| fields[1].trim_end_matches(&port).to_owned()).collect()
}

/// Whether the loopback interface has an IPv6 address.
fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_loopback_addresses_are_listened_on() {
    let (_sandbox, server) = server().await;
    assert_eq!(listening("tcp", server.port()), ["0100007F"]);
    let ipv6 = if has_ipv6() { vec!["00000000000000000000000001000000"] } else { Vec::new() };
    assert_eq!(listening("tcp6", server.port()), ipv6);
    // `localhost` may resolve to either. The user is identified over IPv6 as well.
    if has_ipv6() {
        let url = format!("http://[::1]:{}/health", server.port());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        assert_eq!(client.get(url).send().await.unwrap().status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_on_the_ipv6_loopback_is_reported() {
    let Ok(other) = std::net::TcpListener::bind("[::1]:0") else { return };
    let port = other.local_addr().unwrap().port().to_string();
    for (name, arguments) in [("aura-server", vec!["--port", &port]), ("aura", vec!["serve", "--port", &port])] {
        let second = aura_tests::aura::Aura::of(aura_tests::aura::program(name)).run(&arguments);
        assert_eq!(second.code, 1, "{second:?}");
        assert!(second.err.contains("error[port_taken]") && second.err.contains(&port), "{second:?}");
    }
}

/// Idle connections that another user opens and keeps.
fn idle_connections(server: &HttpServer, count: usize) -> aura_tests::process::Running {
    const HOLD: &str =
        "for ((i = 0; i < $2; i++)); do exec {held}<>/dev/tcp/127.0.0.1/$1 || break; done; echo held; exec sleep 120";
    let mut command = becoming_nobody("bash");
    command.args(["-c", HOLD, "hold", &server.port().to_string(), &count.to_string()]);
    command.stdout(std::process::Stdio::piped()).current_dir("/");
    let mut running = aura_tests::process::Running::start(&mut command, "util-linux");
    assert_eq!(running.first_line(), "held");
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_of_another_user_do_not_block_the_owner() {
    let (_sandbox, server) = server().await;
    // More than the limit of connections. They send nothing, so each stays open until the header timeout.
    let _held = [idle_connections(&server, 600), idle_connections(&server, 600)];
    for _ in 0..3 {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(8)).build().unwrap();
        let health = client.get(server.url("/health")).send().await;
        assert_eq!(health.expect("the owner is served").status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn event_streams_do_not_use_up_the_limit_of_requests() {
    let (_sandbox, server) = server().await;
    let watching = futures::future::join_all((0..300).map(|_| server.get("/events").send())).await;
    let watching: Vec<_> = watching.into_iter().map(Result::unwrap).collect();
    let refused: Vec<_> = watching.iter().filter(|reply| reply.status() == 429).collect();
    assert!(
        refused.len() > 200 && refused.iter().all(|reply| reply.headers()["retry-after"] == "1"),
        "{}",
        refused.len()
    );
    assert!(watching.iter().any(|reply| reply.status() == 200));
    assert_eq!(server.get("/health").send().await.unwrap().status(), 200);
    drop(watching);
    // Closed streams free their permits.
    let free = async || server.get("/events").send().await.unwrap().status() == 200;
    assert!(aura_tests::http::eventually(free).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_beyond_the_memory_budget_get_429() {
    let (_sandbox, server) = server().await;
    let body = || {
        // The upload holds its memory until its last chunk, which comes after 5 s.
        let pieces = futures::stream::unfold(0, |number| async move {
            if number == 24 {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            (number < 25).then(|| (Ok::<_, std::io::Error>(vec![0_u8; 1_000_000]), number + 1))
        });
        reqwest::Body::wrap_stream(pieces)
    };
    let asked = futures::future::join_all((0..32).map(|_| async {
        let sent = server.post("/process").header("content-type", "multipart/form-data; boundary=cut").body(body());
        let reply = sent.send().await.unwrap();
        (reply.status().as_u16(), reply.headers().get("retry-after").cloned())
    }))
    .await;
    let busy: Vec<_> = asked.iter().filter(|(status, _)| *status == 429).collect();
    // About half of them fit into the budget.
    assert!(
        !busy.is_empty() && busy.iter().all(|(_, after)| after.as_ref().is_some_and(|after| after == "1")),
        "{asked:?}"
    );
    assert!(asked.iter().any(|(status, _)| *status == 400), "zeros are not a form: {asked:?}");
    assert!(asked.iter().all(|(status, _)| matches!(status, 400 | 429)), "{asked:?}");
    // The memory is free again.
    let next = server.post("/process").header("content-type", "multipart/form-data; boundary=cut").body(body());
    assert_eq!(next.send().await.unwrap().status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_client_does_not_read_is_closed() {
    // Far more audio than the socket buffers hold: a minute per sentence.
    let mut config =
        quick(vec![aura_sandbox::Rule::reply("Nobody listens to what is said here at length. ".repeat(20))]);
    config.fixed.audio = Some(aura_sandbox::FixedAudio { sound: aura_sandbox::TestSignal::Tone, ms: 60_000 });
    let (_sandbox, aura) = sandboxed(config).await;
    let server = with_short_limits(aura);
    let mut body = b"--cut\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"a.wav\"\r\n\r\n".to_vec();
    body.extend(super::recording());
    body.extend(b"\r\n--cut--\r\n");
    let head = format!(
        "POST /process HTTP/1.1\r\nHost: localhost:{}\r\nAccept: text/event-stream\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary=cut\r\n\r\n",
        server.port(),
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap();
    // Only the status is read.
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&head), "HTTP/1.1 200 OK");
    // A request is counted when it ends.
    let counted = async || {
        let metrics = server.get("/metrics").send().await.unwrap().text().await.unwrap();
        metrics.contains(r#"aura_http_requests_total{route="/process",method="POST",status="200"} 1"#)
    };
    let end = Instant::now() + Duration::from_secs(120);
    while !counted().await {
        assert!(Instant::now() < end, "the connection is still open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The received part of the reply has no end.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("event: done"), "the whole reply was sent: {} bytes", rest.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_request_is_cancelled() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = with_short_limits(aura);
    let began = Instant::now();
    // The limits are 1 and 1.5 s; the rest is for a slow computer.
    let limit = Duration::from_secs(12);
    let slow = async |start: String| {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(limit, stream.read_to_string(&mut answer))
            .await
            .expect("the connection is closed")
            .unwrap();
        answer
    };
    let port = server.port();
    let in_head = slow(format!("GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nX-Slow: "));
    let in_body = slow(format!("POST /chat HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 100\r\n\r\n{{\"te"));
    let in_openai = slow(format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    ));
    let (in_head, in_body, in_openai) = tokio::join!(in_head, in_body, in_openai);
    assert!(in_head.is_empty() || in_head.starts_with("HTTP/1.1 408"), "{in_head}");
    assert!(in_body.starts_with("HTTP/1.1 408"), "{in_body}");
    assert!(in_openai.starts_with("HTTP/1.1 408"), "{in_openai}");
    assert!(began.elapsed() < limit);
    assert_eq!(server.get("/health").send().await.unwrap().status(), 200, "other requests are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limit_get_429() {
    let slow = aura_sandbox::ScriptedReply { first_ms: Some(6_000), ..super::text("Slowly.") };
    let (_sandbox, aura) = sandboxed(quick(vec![super::rule("slow", slow)])).await;
    let server = HttpServer::start(aura);
    let asked = futures::future::join_all((0..300).map(|_| async {
        let reply = server.post("/chat").json(&serde_json::json!({"text": "slow"})).send().await.unwrap();
        (reply.status().as_u16(), reply.headers().get("retry-after").cloned())
    }))
    .await;
    let busy: Vec<_> = asked.iter().filter(|(status, _)| *status == 429).collect();
    assert!(!busy.is_empty() && asked.iter().any(|(status, _)| *status == 200), "{asked:?}");
    assert!(asked.iter().all(|(status, _)| matches!(status, 200 | 429)), "{asked:?}");
    assert!(busy.iter().all(|(_, after)| after.as_ref().is_some_and(|after| after == "1")), "{busy:?}");
    assert_eq!(server.get("/health").send().await.unwrap().status(), 200);
}
