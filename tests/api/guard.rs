//! Who may call: the person who started AURA, whoever has the token, and nobody else.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use aura_tests::http::{HttpDoor, sandboxed};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::quick;

/// A user of every Debian that is nobody's own.
const NOBODY: &str = "65534";

async fn door() -> (aura_sandbox::Sandbox, HttpDoor) {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    (sandbox, HttpDoor::start(aura))
}

/// Sends bytes as they are; gives the head and the body of the answer.
pub(super) async fn raw(door: &HttpDoor, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", door.port())).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.to_owned(), body.to_owned())
}

/// The status of a request with these header lines.
async fn status(door: &HttpDoor, lines: &str) -> (u16, String) {
    let (head, body) = raw(door, &format!("GET /health HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")).await;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {head}")), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_own_names_are_answered() {
    let (_sandbox, door) = door().await;
    let port = door.port();
    for host in ["localhost", "127.0.0.1", "[::1]", "LocalHost"] {
        assert_eq!(status(&door, &format!("Host: {host}:{port}\r\n")).await.0, 200, "{host}");
    }
    for host in [
        "localhost".to_owned(),
        "localhost:1".to_owned(),
        format!("attacker.example:{port}"),
        format!("localhost.attacker.example:{port}"),
        format!("127.0.0.2:{port}"),
        format!("0.0.0.0:{port}"),
    ] {
        let (refused, body) = status(&door, &format!("Host: {host}\r\n")).await;
        assert_eq!(refused, 403, "{host}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"]["code"], "forbidden_host", "{body}");
    }
    assert_eq!(status(&door, "").await.0, 403, "no host at all");
    let two = format!("Host: localhost:{port}\r\nHost: attacker.example\r\n");
    assert_eq!(status(&door, &two).await.0, 400, "two hosts");
    let whole =
        format!("GET http://attacker.example/health HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    assert!(raw(&door, &whole).await.0.starts_with("HTTP/1.1 403"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_are_refused() {
    let (_sandbox, door) = door().await;
    let port = door.port();
    let with = async |line: &str| status(&door, &format!("Host: localhost:{port}\r\n{line}\r\n")).await.0;
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
    assert_eq!(with("Sec-Fetch-Site: none").await, 200, "typed by the person");
    // A page of another site gets no word that it may ask.
    let asks = format!(
        "OPTIONS /chat HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: https://attacker.example\r\n\
         Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n"
    );
    let (head, _) = raw(&door, &asks).await;
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    let head = raw(&door, &format!("GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\nConnection: close\r\n\r\n")).await.0;
    for never in ["access-control", "set-cookie"] {
        assert!(!head.to_lowercase().contains(never), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_right_or_wrong_whoever_brings_it() {
    let (_sandbox, door) = door().await;
    let port = door.port();
    let token = door.token();
    let with =
        async |line: &str| status(&door, &format!("Host: localhost:{port}\r\nAuthorization: {line}\r\n")).await.0;
    assert_eq!(with(&format!("Bearer {token}")).await, 200);
    assert_eq!(with(&format!("bearer {token}")).await, 200);
    for wrong in [
        "Bearer wrong".to_owned(),
        format!("Bearer {token}0"),
        format!("Bearer {}", &token[1..]),
        token.clone(),
        "Bearer ".to_owned(),
    ] {
        assert_eq!(with(&wrong).await, 401, "{wrong}");
    }
    let file = std::fs::metadata(door.aura().data().join("door-token")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let door = door.restart();
    assert_eq!(door.token(), token, "scripts keep theirs");
}

/// A program as another user of this computer.
fn becoming_nobody(program: &str) -> Command {
    let this_user = Command::new("id").arg("-u").output().unwrap().stdout;
    let mut command = if this_user.starts_with(b"0\n") { Command::new("setpriv") } else { Command::new("sudo") };
    if !this_user.starts_with(b"0\n") {
        command.args(["-n", "setpriv"]);
    }
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--pdeathsig", "KILL", "--", program]);
    command
}

/// What another user of this computer gets, by curl.
fn as_nobody(door: &HttpDoor, arguments: &[&str]) -> (String, String) {
    let mut command = becoming_nobody("curl");
    let done = command
        .args(["-sS", "--max-time", "30", "-w", "\n%{http_code}"])
        .args(arguments)
        .arg(door.url("/health"))
        .output();
    let done = done.expect("this test becomes another user: run it as root, or where `sudo -n` works");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_needs_the_token() {
    let (_sandbox, door) = door().await;
    let (status, body) = as_nobody(&door, &[]);
    assert_eq!(status, "401", "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["error"]["code"], "unauthorized", "{body}");
    assert_eq!(as_nobody(&door, &["-H", "Authorization: Bearer wrong"]).0, "401");
    let right = format!("Authorization: Bearer {}", door.token());
    assert_eq!(as_nobody(&door, &["-H", &right]).0, "200");
    // As the guide's lines are: the person who started it brings nothing.
    assert_eq!(door.get("/health").send().await.unwrap().status(), 200);
}

/// The addresses that somebody listens on at a port, as `/proc/net` writes them: hexadecimal, in the order of the machine's bytes.
fn listening(table: &str, port: u16) -> Vec<String> {
    let table = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
    let port = format!(":{port:04X}");
    let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // State 0A is LISTEN.
    let own = fields.filter(|fields| fields.get(3) == Some(&"0A") && fields[1].ends_with(&port));
    own.map(|fields| fields[1].trim_end_matches(&port).to_owned()).collect()
}

/// Whether this machine's loopback has an IPv6 address.
fn has_six() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_on_the_loopback_alone_under_both_of_its_addresses() {
    let (_sandbox, door) = door().await;
    assert_eq!(listening("tcp", door.port()), ["0100007F"]);
    let six = if has_six() { vec!["00000000000000000000000001000000"] } else { Vec::new() };
    assert_eq!(listening("tcp6", door.port()), six);
    // `localhost` is either, and whoever asks there is the same user as well.
    if has_six() {
        let url = format!("http://[::1]:{}/health", door.port());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        assert_eq!(client.get(url).send().await.unwrap().status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_another_holds_under_the_other_address_is_taken() {
    let Ok(other) = std::net::TcpListener::bind("[::1]:0") else { return };
    let port = other.local_addr().unwrap().port().to_string();
    for (name, arguments) in [("aura-server", vec!["--port", &port]), ("aura", vec!["serve", "--port", &port])] {
        let second = aura_tests::aura::Aura::of(aura_tests::aura::program(name)).run(&arguments);
        assert_eq!(second.code, 1, "{second:?}");
        assert!(second.err.contains("error[port_taken]") && second.err.contains(&port), "{second:?}");
    }
}

/// Connections that another user opens and keeps in silence.
fn held_by_nobody(door: &HttpDoor, count: usize) -> aura_tests::process::Running {
    const HOLD: &str =
        "for ((i = 0; i < $2; i++)); do exec {held}<>/dev/tcp/127.0.0.1/$1 || break; done; echo held; exec sleep 120";
    let mut command = becoming_nobody("bash");
    command.args(["-c", HOLD, "hold", &door.port().to_string(), &count.to_string()]);
    command.stdout(std::process::Stdio::piped()).current_dir("/");
    let mut running = aura_tests::process::Running::start(&mut command, "util-linux");
    assert_eq!(running.first_line(), "held");
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_cannot_keep_the_owner_out() {
    let (_sandbox, door) = door().await;
    // More than there are connections altogether. They are silent, so each is kept until its head is too late.
    let _held = [held_by_nobody(&door, 600), held_by_nobody(&door, 600)];
    for _ in 0..3 {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(8)).build().unwrap();
        let health = client.get(door.url("/health")).send().await;
        assert_eq!(health.expect("the owner is served meanwhile").status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_without_an_end_take_no_place_from_questions() {
    let (_sandbox, door) = door().await;
    let watching = futures::future::join_all((0..300).map(|_| door.get("/events").send())).await;
    let watching: Vec<_> = watching.into_iter().map(Result::unwrap).collect();
    let refused: Vec<_> = watching.iter().filter(|reply| reply.status() == 429).collect();
    assert!(
        refused.len() > 200 && refused.iter().all(|reply| reply.headers()["retry-after"] == "1"),
        "{}",
        refused.len()
    );
    assert!(watching.iter().any(|reply| reply.status() == 200));
    assert_eq!(door.get("/health").send().await.unwrap().status(), 200);
    drop(watching);
    // Their places are free again.
    let free = async || door.get("/events").send().await.unwrap().status() == 200;
    assert!(aura_tests::http::eventually(free).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_for_which_there_is_no_room_are_told_to_come_back() {
    let (_sandbox, door) = door().await;
    let body = || {
        // It is held while it comes, which takes as long as this stream likes.
        let pieces = futures::stream::unfold(0, |number| async move {
            if number == 24 {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            (number < 25).then(|| (Ok::<_, std::io::Error>(vec![0_u8; 1_000_000]), number + 1))
        });
        reqwest::Body::wrap_stream(pieces)
    };
    let asked = futures::future::join_all((0..32).map(|_| async {
        let sent = door.post("/process").header("content-type", "multipart/form-data; boundary=cut").body(body());
        let reply = sent.send().await.unwrap();
        (reply.status().as_u16(), reply.headers().get("retry-after").cloned())
    }))
    .await;
    let busy: Vec<_> = asked.iter().filter(|(status, _)| *status == 429).collect();
    // Half of them fit.
    assert!(
        !busy.is_empty() && busy.iter().all(|(_, after)| after.as_ref().is_some_and(|after| after == "1")),
        "{asked:?}"
    );
    assert!(asked.iter().any(|(status, _)| *status == 400), "zeros are no form: {asked:?}");
    assert!(asked.iter().all(|(status, _)| matches!(status, 400 | 429)), "{asked:?}");
    // And the room is free again.
    let next = door.post("/process").header("content-type", "multipart/form-data; boundary=cut").body(body());
    assert_eq!(next.send().await.unwrap().status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_reads_is_cut_off() {
    // Far more sound than the machine keeps for a caller: a minute for each sentence.
    let mut config =
        quick(vec![aura_sandbox::Rule::reply("Nobody listens to what is said here at length. ".repeat(20))]);
    config.fixed.audio = Some(aura_sandbox::FixedAudio { sound: aura_sandbox::Sound::Tone, ms: 60_000 });
    let (_sandbox, aura) = sandboxed(config).await;
    let door = HttpDoor::start(aura);
    let mut body = b"--cut\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"a.wav\"\r\n\r\n".to_vec();
    body.extend(super::recording());
    body.extend(b"\r\n--cut--\r\n");
    let head = format!(
        "POST /process HTTP/1.1\r\nHost: localhost:{}\r\nAccept: text/event-stream\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary=cut\r\n\r\n",
        door.port(),
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", door.port())).await.unwrap();
    stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap();
    // The beginning shows that it is answered; the rest is never read.
    let mut head = [0; 15];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&head), "HTTP/1.1 200 OK");
    // A request is counted when it has ended.
    let counted = async || {
        let metrics = door.get("/metrics").send().await.unwrap().text().await.unwrap();
        metrics.contains(r#"aura_http_requests_total{route="/process",method="POST",status="200"} 1"#)
    };
    let end = Instant::now() + Duration::from_secs(150);
    while !counted().await {
        assert!(Instant::now() < end, "it is still kept");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // It was not sent: what arrived is less than a part of it, and no end.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains("event: done"), "it was sent whole: {} bytes", rest.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_slowly_is_cut_off() {
    let (_sandbox, door) = door().await;
    let began = Instant::now();
    let limit = Duration::from_secs(60);
    let slow = async |start: String| {
        let mut stream = TcpStream::connect(("127.0.0.1", door.port())).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(limit, stream.read_to_string(&mut answer)).await.expect("it is cut off").unwrap();
        answer
    };
    let port = door.port();
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
    assert_eq!(door.get("/health").send().await.unwrap().status(), 200, "others are served meanwhile and after");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_at_once_than_it_can_are_told_to_come_back() {
    let slow = aura_sandbox::Reply { first_ms: Some(6_000), ..super::text("Slowly.") };
    let (_sandbox, aura) = sandboxed(quick(vec![super::rule("slow", slow)])).await;
    let door = HttpDoor::start(aura);
    let asked = futures::future::join_all((0..300).map(|_| async {
        let reply = door.post("/chat").json(&serde_json::json!({"text": "slow"})).send().await.unwrap();
        (reply.status().as_u16(), reply.headers().get("retry-after").cloned())
    }))
    .await;
    let busy: Vec<_> = asked.iter().filter(|(status, _)| *status == 429).collect();
    assert!(!busy.is_empty() && asked.iter().any(|(status, _)| *status == 200), "{asked:?}");
    assert!(asked.iter().all(|(status, _)| matches!(status, 200 | 429)), "{asked:?}");
    assert!(busy.iter().all(|(_, after)| after.as_ref().is_some_and(|after| after == "1")), "{busy:?}");
    assert_eq!(door.get("/health").send().await.unwrap().status(), 200);
}
