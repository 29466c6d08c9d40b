//! `cargo xtask bench providers`: what the core adds to a request over a bare client, and how long it takes to fail over.
//!
//! Both ask the same server on the loopback, in turns: in this process, or each in a process of its own when there are peers beside
//! them. The bare client is reqwest and serde_json with the same connection settings. It parses the same stream, without routes,
//! timeouts, health records or usage. The answer comes in two ways: all at once, which shows what the core costs, and an event at a
//! time with a pause after each, which is how models write.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use aura_core::api::{self, ChangeSettings, SaveKey};
use aura_core::error::Error;
use aura_core::{Assistant, Setup};
use aura_providers::{ChatRequest, Message, Role, Service};
use aura_router::{Attempt, Observer, RouteNotice, RouteOverrides, RoutePlan, sink_fn};
use aura_testkit::fake_ports::FakePorts;
use aura_tests::quantile::quantile;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Words of the answer, one event each.
const WORDS: usize = 40;
/// The pause after each event of an answer that comes bit by bit.
const PAUSE: Duration = Duration::from_millis(1);
/// Requests of each kind in a round.
const IN_A_ROUND: usize = 200;
/// The same for answers that come bit by bit, which take their time.
const IN_A_SLOW_ROUND: usize = 20;
/// Failovers of each kind: enough for one in a hundred to be more than the single worst.
const FAILOVERS: usize = 500;
/// Those that wait for a provider which says nothing.
const SILENT_FAILOVERS: usize = 200;
/// Requests before anything is counted.
const WARM_UP: usize = 100;
/// How long a silent provider is waited for here.
const PATIENCE: Duration = Duration::from_millis(250);

fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let (Some("--client"), Some(address)) = (std::env::args().nth(1).as_deref(), std::env::args().nth(2)) {
        serve_commands(&runtime, &address);
        return ExitCode::SUCCESS;
    }
    let Some(rounds) = std::env::args().nth(1).and_then(|rounds| rounds.parse::<usize>().ok()).filter(|n| *n > 0)
    else {
        eprintln!("usage: bench-providers ROUNDS; `cargo xtask bench providers` calls it");
        return ExitCode::from(2);
    };
    let address = serve();
    let clients = std::env::args_os().nth(2).map(|peers| Clients::start(&peers, &address));
    runtime.block_on(measure(&address, rounds, clients));
    ExitCode::SUCCESS
}

async fn measure(address: &str, rounds: usize, mut clients: Option<Clients>) {
    let build = if cfg!(debug_assertions) { "debug" } else { "optimised" };
    let stack = ProviderStack::new(address).await;
    println!("one chat request of {WORDS} events, {build} build, {rounds} interleaved rounds; microseconds");
    println!("{:42} {:>10} {:>10} {:>11} {:>11}", "", "bare p50", "bare p99", "added p50", "added p99");
    added(&stack, &Bare::new(address, "ok"), rounds, IN_A_ROUND, clients.as_mut()).await;
    added(&stack, &Bare::new(address, "bit"), rounds, IN_A_SLOW_ROUND, clients.as_mut()).await;

    println!("\n{:34} {:>10} {:>10} {:>11}", "failover, milliseconds", "p50 added", "p99 added", "requests");
    let none = Duration::ZERO;
    for (name, waits, count) in [
        ("refused", none, FAILOVERS),
        ("503", none, FAILOVERS),
        ("reset", none, FAILOVERS),
        ("silent", PATIENCE, SILENT_FAILOVERS),
    ] {
        let (direct, taken) = stack.both(name, count).await;
        let added = |part| {
            let of = |times: &[Duration], part| quantile(times.iter().copied(), part).unwrap_or_default();
            of(&taken, part).saturating_sub(of(&direct, 0.5)).saturating_sub(waits).as_secs_f64() * 1e3
        };
        let note = if waits.is_zero() { "" } else { "  beyond the wait that is set" };
        println!("{name:34} {:10.2} {:10.2} {count:11}{note}", added(0.5), added(0.99));
    }
}

/// What AURA's router, and each peer, adds to a request of one kind over the bare client. All take turns in every round: within this
/// process, or each in a process of its own when there are peers, because a client that shares the server's process is faster.
async fn added(
    stack: &ProviderStack,
    bare: &Bare,
    rounds: usize,
    in_a_round: usize,
    mut clients: Option<&mut Clients>,
) {
    for _ in 0..WARM_UP.min(in_a_round) {
        bare.ask().await;
        stack.plan_and_ask(bare.path).await;
    }
    let names =
        if clients.is_some() { ["bare", "AURA", "genai", "async-openai"].as_slice() } else { &["bare", "AURA"] };
    let mut all: Vec<Vec<Taken>> = vec![Vec::new(); names.len()];
    let mut medians = Vec::new();
    for round in 0..=rounds {
        let mut taken: Vec<Vec<Taken>> = vec![Vec::new(); names.len()];
        match clients.as_deref_mut() {
            Some(clients) => {
                for (name, taken) in names.iter().zip(&mut taken) {
                    *taken = clients.ask(name, bare.path, in_a_round);
                }
            }
            None => {
                for _ in 0..in_a_round {
                    taken[0].push(bare.ask().await);
                    taken[1].push(stack.plan_and_ask(bare.path).await);
                }
            }
        }
        // The first round warms the clients up.
        if round == 0 {
            continue;
        }
        let median = |of: &[Taken]| quantile(of.iter().map(|taken| taken.whole), 0.5).unwrap_or_default();
        medians.push(median(&taken[1]).saturating_sub(median(&taken[0])));
        for (all, taken) in all.iter_mut().zip(taken) {
            all.extend(taken);
        }
    }
    let how = if bare.path == "ok" { "at once" } else { "bit by bit" };
    let row = |what: &str, of: fn(&Taken) -> Duration| {
        let at = |client: usize, part: f64| {
            quantile(all[client].iter().map(of), part).unwrap_or_default().as_secs_f64() * 1e6
        };
        let (p50, p99) = (at(0, 0.5), at(0, 0.99));
        for (client, name) in names.iter().enumerate().skip(1) {
            let title = format!("{what}, {how}: {name}");
            println!("{title:42} {p50:10.1} {p99:10.1} {:11.1} {:11.1}", at(client, 0.5) - p50, at(client, 0.99) - p99);
        }
    };
    row("whole answer", |taken| taken.whole);
    row("first content", |taken| taken.first);
    let spread = |part| quantile(medians.iter().copied(), part).unwrap_or_default().as_secs_f64() * 1e6;
    println!("  median of the rounds' added p50: {:.1}, from {:.1} to {:.1}", spread(0.5), spread(0.0), spread(1.0));
}

/// Answers the commands of [`ClientProcess::ask`] with the bare client and with AURA.
fn serve_commands(runtime: &tokio::runtime::Runtime, address: &str) {
    let stack = runtime.block_on(ProviderStack::new(address));
    let bare = ["ok", "bit"].map(|path| Bare::new(address, path));
    for line in std::io::stdin().lines().map(Result::unwrap) {
        let (name, rest) = line.split_once(' ').unwrap();
        let (path, count) = rest.split_once(' ').unwrap();
        let bare = bare.iter().find(|bare| bare.path == path).unwrap();
        let mut report = String::new();
        for _ in 0..count.parse::<usize>().unwrap() {
            let ask = async { if name == "bare" { bare.ask().await } else { stack.plan_and_ask(path).await } };
            let taken = runtime.block_on(ask);
            report.push_str(&format!("{} {}\n", taken.first.as_nanos(), taken.whole.as_nanos()));
        }
        println!("{report}");
    }
}

/// The clients in processes of their own: this program's, and those of `bench-peers/`.
struct Clients {
    own: ClientProcess,
    peers: ClientProcess,
}

impl Clients {
    fn start(peers: &std::ffi::OsStr, address: &str) -> Self {
        let own = std::env::current_exe().unwrap();
        let own = ClientProcess::start(Command::new(own).args(["--client", address]));
        Self { own, peers: ClientProcess::start(Command::new(peers).arg(address)) }
    }

    fn ask(&mut self, name: &str, path: &str, count: usize) -> Vec<Taken> {
        let process = if ["bare", "AURA"].contains(&name) { &mut self.own } else { &mut self.peers };
        process.ask(name, path, count)
    }
}

struct ClientProcess {
    commands: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    program: Child,
}

impl ClientProcess {
    fn start(program: &mut Command) -> Self {
        let mut program = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let commands = program.stdin.take().unwrap();
        let reports = BufReader::new(program.stdout.take().unwrap()).lines();
        Self { commands, reports, program }
    }

    /// Requests of one client, one after the other, by its own clock.
    fn ask(&mut self, name: &str, path: &str, count: usize) -> Vec<Taken> {
        writeln!(self.commands, "{name} {path} {count}").unwrap();
        let report = self.reports.by_ref().map(Result::unwrap).take_while(|line| !line.is_empty());
        let taken: Vec<Taken> = report
            .map(|line| {
                let (first, whole) = line.split_once(' ').unwrap();
                let time = |nanoseconds: &str| Duration::from_nanos(nanoseconds.parse().unwrap());
                Taken { first: time(first), whole: time(whole) }
            })
            .collect();
        assert_eq!(taken.len(), count, "{name} answered every request");
        taken
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// How long a request took.
#[derive(Clone, Copy)]
struct Taken {
    first: Duration,
    whole: Duration,
}

/// The client without a core.
struct Bare {
    http: reqwest::Client,
    path: &'static str,
    url: String,
}

impl Bare {
    fn new(address: &str, path: &'static str) -> Self {
        let http = reqwest::Client::builder().tcp_nodelay(true).no_proxy().build().unwrap();
        Self { http, path, url: format!("{address}/{path}/v1/chat/completions") }
    }

    async fn ask(&self) -> Taken {
        let began = Instant::now();
        let message = json!({"role": "user", "content": "What time is it?"});
        let body = json!({"model": "m", "messages": [message], "stream": true, "max_completion_tokens": 2_048});
        let request = self.http.post(&self.url).bearer_auth("a-key").header("content-type", "application/json");
        let mut response = request.body(body.to_string()).send().await.unwrap();
        let (mut buffer, mut text, mut first) = (Vec::new(), String::new(), None);
        while let Some(chunk) = response.chunk().await.unwrap() {
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = buffer.drain(..end + 2).collect();
                let data = event.strip_prefix(b"data: ").unwrap_or_default();
                if let Ok(value) = serde_json::from_slice::<Value>(data) {
                    text.push_str(value["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
                    first = first.or_else(|| (!text.is_empty()).then(|| began.elapsed()));
                }
            }
        }
        assert_eq!(text.split_whitespace().count(), WORDS);
        Taken { first: first.unwrap(), whole: began.elapsed() }
    }
}

/// The core, with a route for each way to fail.
struct ProviderStack {
    assistant: Assistant,
    _data: tempfile::TempDir,
}

struct Nobody;

impl Observer for Nobody {
    fn attempt(&self, _: &Attempt) {}

    fn notice(&self, _: RouteNotice) {}
}

impl ProviderStack {
    async fn new(address: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let setup = Setup { data: data.path().to_owned(), ..Setup::default() };
        let assistant = Assistant::start(FakePorts::default().ports(), setup).await.unwrap();
        let server = |path: &str| json!({"base_url": format!("{address}/{path}/v1")});
        // Nothing listens on port 9.
        let mut providers = json!({"refused": {"base_url": "http://127.0.0.1:9/v1"}});
        for path in ["ok", "bit", "503", "reset", "silent"] {
            providers[path] = server(path);
        }
        let wait = u64::try_from(PATIENCE.as_millis()).unwrap();
        let changes =
            json!({"providers": providers, "timeouts": {"first_content_ms": wait, "local_first_content_ms": wait}});
        api::change_settings(&assistant, ChangeSettings { changes }).await.unwrap();
        Self { assistant, _data: data }
    }

    /// `first`, then the one that answers.
    fn plan(&self, first: &str) -> RoutePlan {
        let router = self.assistant.router();
        let overrides = |name: &str| RouteOverrides { llm: Some(format!("{name}/m")), ..RouteOverrides::default() };
        let mut plan = router.plan(Service::Llm, &overrides(first)).unwrap();
        if !["ok", "bit"].contains(&first) {
            plan = plan.followed_by(router.plan(Service::Llm, &overrides("ok")).unwrap());
        }
        plan
    }

    /// One request as a caller makes it: the plan is part of what the router adds.
    async fn plan_and_ask(&self, path: &str) -> Taken {
        let began = Instant::now();
        let plan = self.plan(path);
        let planning = began.elapsed();
        let Taken { first, whole } = self.ask(&plan).await;
        Taken { first: first + planning, whole: whole + planning }
    }

    async fn ask(&self, plan: &RoutePlan) -> Taken {
        self.try_ask(plan).await.unwrap()
    }

    async fn try_ask(&self, plan: &RoutePlan) -> Result<Taken, Error> {
        let began = Instant::now();
        let messages = vec![Message::new(Role::User, "What time is it?")];
        let request = ChatRequest { messages, max_tokens: Some(2_048), ..ChatRequest::default() };
        let mut first = None;
        let mut on_text = sink_fn(|_: String| first = first.or_else(|| Some(began.elapsed())));
        let answered = self.assistant.router().chat(plan, &request, &Nobody, &mut on_text).await?;
        assert_eq!(answered.value.text.split_whitespace().count(), WORDS);
        Ok(Taken { first: first.unwrap(), whole: began.elapsed() })
    }

    /// Times of a direct answer and of one after a failover, alternating. A new key closes the circuit of the failing provider before
    /// each round; otherwise it would be skipped, which costs nothing.
    async fn both(&self, first: &str, count: usize) -> (Vec<Duration>, Vec<Duration>) {
        let (mut direct, mut over) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let save = SaveKey { provider: first.into(), key: "another-key".into(), session_only: true };
            api::save_key(&self.assistant, save).await.unwrap();
            // The first request after a change is slower, whichever it is.
            self.ask(&self.plan("ok")).await;
            direct.push(self.ask(&self.plan("ok")).await.whole);
            match self.try_ask(&self.plan(first)).await {
                Ok(taken) => over.push(taken.whole),
                Err(error) => eprintln!("left out, the computer was suspended: {}", error.message),
            }
        }
        (direct, over)
    }
}

/// A server of its own thread that answers as the path says, and gives its address.
fn serve() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(connection(socket));
            }
        });
    });
    address
}

/// The head of an answer of so many bytes.
fn head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n")
}

/// The events of an answer.
fn answer() -> Vec<String> {
    let mut events: Vec<String> = (0..WORDS)
        .map(|number| {
            let chunk = json!({
                "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": {"content": format!("word{number} ")}, "finish_reason": null}],
            });
            format!("data: {chunk}\n\n")
        })
        .collect();
    let last = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": WORDS, "total_tokens": 9 + WORDS},
    });
    events.push(format!("data: {last}\n\ndata: [DONE]\n\n"));
    events
}

/// Writes an answer an event at a time.
async fn bit_by_bit(socket: &mut TcpStream, events: &[String]) -> std::io::Result<()> {
    socket.write_all(head(events.iter().map(String::len).sum()).as_bytes()).await?;
    for event in events {
        socket.write_all(event.as_bytes()).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn connection(mut socket: TcpStream) {
    let events = answer();
    let whole = events.concat();
    let answer = [head(whole.len()), whole].concat().into_bytes();
    let said = r#"{"error":{"message":"It is over capacity"}}"#;
    let refused = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length:";
    let refusal = format!("{refused} {}\r\n\r\n{said}", said.len()).into_bytes();
    let _ = socket.set_nodelay(true);
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8_192]);
    loop {
        let Some((path, length)) = request(&bytes) else {
            match socket.read(&mut buffer).await {
                Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
                _ => return,
            }
            continue;
        };
        bytes.drain(..length);
        let reply = match path.split('/').nth(1) {
            Some("503") => &refusal,
            Some("reset") => {
                let _ = socket.set_zero_linger();
                return;
            }
            Some("silent") => std::future::pending().await,
            Some("bit") if bit_by_bit(&mut socket, &events).await.is_err() => return,
            Some("bit") => continue,
            _ => &answer,
        };
        if socket.write_all(reply).await.is_err() {
            return;
        }
    }
}

/// The path and the length of the request that is complete in these bytes.
fn request(bytes: &[u8]) -> Option<(String, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
    let whole = end + length.unwrap_or(0);
    let path = head.split(' ').nth(1)?.to_owned();
    (bytes.len() >= whole).then_some((path, whole))
}
