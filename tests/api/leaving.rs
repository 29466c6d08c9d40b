//! A caller that leaves stops what it asked for, and a caller that stays idle leaves room for others.

use aura_sandbox::{Sandbox, ScriptedReply, Service};
use aura_tests::http::{HttpServer, eventually, sandboxed};
use reqwest::RequestBuilder;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{form, quick, rule, text};

/// Requests of a service at the provider that are still open, and those that were cancelled.
async fn upstream(sandbox: &Sandbox, service: Service) -> (usize, usize) {
    let requests = sandbox.requests().await;
    let of_it = requests.iter().filter(|request| request.service == service && request.method == "POST");
    let (cancelled, others): (Vec<_>, Vec<_>) = of_it.partition(|request| request.cancelled);
    (others.iter().filter(|request| request.ended_ms.is_none()).count(), cancelled.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_cancels_its_request_at_the_provider() {
    let late = ScriptedReply { first_ms: Some(600_000), ..text("Too late.") };
    let (sandbox, aura) = sandboxed(quick(vec![rule("", late)])).await;
    // No time limit may end the requests.
    let aura = aura.settings("[timeouts]\nfirst_content_ms = 600000\nwhole_ms = 600000\n");
    let server = HttpServer::serving(aura, "aura", &["serve"]);
    let chat = json!({"model": "auto", "messages": [{"role": "user", "content": "Wait."}]});
    let streamed = json!({"model": "auto", "stream": true, "messages": [{"role": "user", "content": "Wait."}]});
    let requests: Vec<(&str, RequestBuilder)> = vec![
        ("/chat", server.post("/chat").json(&json!({"text": "Wait."}))),
        ("/chat, streamed", server.post("/chat").header("accept", "text/event-stream").json(&json!({"text": "Wait."}))),
        ("/process", server.post("/process").multipart(form())),
        ("/v1/chat/completions", server.post("/v1/chat/completions").json(&chat)),
        ("/v1/chat/completions, streamed", server.post("/v1/chat/completions").json(&streamed)),
        ("/app/rpc/ask", {
            let ask = server.post("/app/rpc/ask").bearer_auth(server.token());
            ask.json(&json!({"text": "Wait.", "speech": "none"}))
        }),
    ];
    for (number, (name, request)) in requests.into_iter().enumerate() {
        // It reads the reply, as a client of a stream does.
        let asking = tokio::spawn(async move { request.send().await.unwrap().bytes().await });
        let arrived = eventually(async || upstream(&sandbox, Service::Llm).await == (1, number)).await;
        assert!(
            arrived,
            "{name}: the request did not get to the provider: {:?}",
            upstream(&sandbox, Service::Llm).await
        );
        asking.abort();
        let cancelled = eventually(async || upstream(&sandbox, Service::Llm).await == (0, number + 1)).await;
        assert!(cancelled, "{name}: the request goes on: {:?}", upstream(&sandbox, Service::Llm).await);
    }
}

/// The limits of open files of a process: the soft one and the hard one.
fn limits(id: u32) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut fields = line.split_whitespace().skip(3).map(str::to_owned);
    (fields.next().unwrap(), fields.next().unwrap())
}

/// The number of files that a process has open.
fn open_files(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_takes_the_permitted_number_of_open_files() {
    let (_sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = HttpServer::under(aura, &["prlimit", "--nofile=300:2000", "--"], "aura-server", &[]);
    assert_eq!(server.get("/health").send().await.unwrap().status(), 200);
    assert_eq!(limits(server.id()), ("2000".to_owned(), "2000".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_use_up_the_open_files() {
    let (_sandbox, aura) = sandboxed(quick(vec![aura_sandbox::Rule::reply("Here.")])).await;
    let wrapper = ["prlimit", "--nofile=256:256", "--"];
    let server = HttpServer::under(aura, &wrapper, "aura-server", &["--limits-scale", "0.1"]);
    let mut idle = Vec::new();
    let mut most = 0;
    for number in 0..400 {
        let mut connection = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
        connection.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
        idle.push(connection);
        if number % 50 == 0 {
            most = most.max(open_files(server.id()));
        }
    }
    let asked = server.post("/chat").json(&json!({"text": "Is there room?"})).send();
    let mut asked = std::pin::pin!(asked);
    let reply = loop {
        tokio::select! {
            reply = asked.as_mut() => break reply.unwrap(),
            () = tokio::time::sleep(std::time::Duration::from_millis(20)) => most = most.max(open_files(server.id())),
        }
    };
    assert_eq!(reply.status(), 200);
    assert!((20..200).contains(&most), "{most} of 256 files were open");
    assert!(!server.log().contains("could not accept"), "{}", server.log());
}
