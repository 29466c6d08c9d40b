//! `cargo xtask bench server`: what the HTTP door adds, alone and under load.
//!
//! The providers are the sandbox with fixed delays, in a process of its own. The same load goes once to the sandbox directly and once
//! through the door: the difference is the door's. Both share the machine with this program, so under load all of them wait for
//! processors; that is the same on both sides. Memory must be flat: no more than a tenth above what a first round of all loads took.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_tests::aura::Aura;
use aura_tests::process::Running;
use futures::future::{BoxFuture, join_all};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response};
use serde_json::json;

/// What each provider's call takes, milliseconds.
const PROVIDER_MS: u32 = 50;
/// Callers at once.
const CHATS: usize = 200;
const PROCESSES: usize = 50;
/// Calls of the one caller.
const ALONE: usize = 200;
/// How much more memory than after the warm-up is still flat.
const FLAT: f64 = 1.1;
/// What the model answers: one sentence, in one piece.
const ANSWER: &str = "It is going to rain today.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(seconds), Some(programs)) =
        (arguments.first().and_then(|seconds| seconds.parse::<u64>().ok()), arguments.get(1))
    else {
        eprintln!("usage: bench-server SECONDS FOLDER-OF-PROGRAMS; `cargo xtask bench server` calls it");
        return ExitCode::from(2);
    };
    let programs = Path::new(programs);
    let build = if programs.ends_with("release") { "optimised" } else { "debug" };
    println!("the HTTP door, {build} build; providers of {PROVIDER_MS} ms; {seconds} s of load each\n");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let good = runtime.block_on(measure(programs, Duration::from_secs(seconds)));
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One kind of call: sends it, and gives the response's headers when it is answered.
type Send = Arc<dyn Fn(Client) -> BoxFuture<'static, reqwest::Result<Response>> + std::marker::Send + Sync>;

fn post(url: String, body: serde_json::Value) -> Send {
    Arc::new(move |client| Box::pin(client.post(&url).bearer_auth("sandbox-key").json(&body).send()))
}

/// The same to the door, which takes this user without a token.
fn post_door(url: String, body: serde_json::Value) -> Send {
    Arc::new(move |client| Box::pin(client.post(&url).json(&body).send()))
}

/// Whether nothing failed and the memory was flat.
async fn measure(programs: &Path, load: Duration) -> bool {
    let aura = Aura::of(programs.join("aura-server"));
    let (sandbox, _providers) = providers(programs, aura.folder());
    let (mut server, url) = door(&aura, &sandbox);
    let pid = server.id();
    let say = json!([{ "role": "user", "content": "Do I need a coat?" }]);
    // AURA asks for a stream as well: the difference is the door's and the core's, not the form's.
    let asked = json!({ "model": "openai/gpt-oss-20b", "messages": say, "stream": true });
    let through = json!({ "model": "auto", "messages": say });
    let direct = post(format!("{sandbox}/groq/openai/v1/chat/completions"), asked);
    let direct_three = three(&sandbox, &direct);
    let v1 = post_door(format!("{url}/v1/chat/completions"), through);
    let guide = post_door(format!("{url}/chat"), json!({ "text": "Do I need a coat?" }));
    let process = process(format!("{url}/process"));
    let cleaner = keep_small(sandbox.clone());

    println!("{:44} {:>7} {:>7} {:>9} {:>9} {:>9}", "", "calls", "errors", "p50 ms", "p99 ms", "calls/s");
    // Each connection is opened, each route known and each buffer as large as it becomes before anything counts.
    for (callers, send) in [(4, &direct), (4, &direct_three), (CHATS, &v1), (CHATS, &guide), (PROCESSES, &process)] {
        run("", callers, load / 6, send).await;
    }
    let warm = memory(pid);
    let mut rows = vec![("after the warm-up", warm)];
    let (alone_direct, alone) = in_turns(ALONE, &direct, &v1).await;
    alone_direct.print("one caller, sandbox directly", 0.0);
    alone.print("one caller, /v1/chat/completions, in turns", 0.0);
    let (chat_direct, chat_alone) = in_turns(ALONE / 2, &direct, &guide).await;
    chat_alone.print("one caller, /chat, in turns", 0.0);
    let (three_direct, three_alone) = in_turns(ALONE / 4, &direct_three, &process).await;
    three_direct.print("one caller, three services directly", 0.0);
    three_alone.print("one caller, /process, in turns", 0.0);
    let many_direct = run(&format!("{CHATS} callers, sandbox directly"), CHATS, load, &direct).await;
    let name = format!("{CHATS} callers, /v1/chat/completions");
    let (many, half) = watched(pid, load, run(&name, CHATS, load, &v1)).await;
    rows.extend([("half-way through the /v1 chats", half), ("after them", memory(pid))]);
    let (guides, half) = watched(pid, load, run(&format!("{CHATS} callers, /chat"), CHATS, load, &guide)).await;
    rows.extend([("half-way through /chat", half), ("after it", memory(pid))]);
    let name = format!("{PROCESSES} callers, three services directly");
    let many_three = run(&name, PROCESSES, load, &direct_three).await;
    let name = format!("{PROCESSES} callers, /process (3 services)");
    let (spoken, half) = watched(pid, load, run(&name, PROCESSES, load, &process)).await;
    rows.extend([("half-way through /process", half), ("after it", memory(pid))]);
    tokio::time::sleep(Duration::from_secs(2)).await;

    println!("\nwhat the door adds                                p50 ms    p99 ms");
    let adds = |name: &str, door: &Times, direct: &Times| {
        println!("{name:44} {:9.2} {:9.2}", door.at(0.5) - direct.at(0.5), door.at(0.99) - direct.at(0.99));
    };
    adds("one caller, /v1/chat/completions", &alone, &alone_direct);
    println!("{:44} {:9.3} {:9.3}", "one caller, as x-aura-overhead-ms says", alone.own(0.5), alone.own(0.99));
    adds("one caller, /chat", &chat_alone, &chat_direct);
    adds("one caller, /process", &three_alone, &three_direct);
    adds(&format!("{CHATS} callers, /v1/chat/completions"), &many, &many_direct);
    adds(&format!("{CHATS} callers, /chat"), &guides, &many_direct);
    adds(&format!("{PROCESSES} callers, /process"), &spoken, &many_three);
    println!("\nmemory of the door (resident, MB)");
    let last = memory(pid);
    rows.push(("2 s later", last));
    for (name, kb) in rows {
        println!("{name:44} {:9.1}", kb as f64 / 1024.0);
    }
    let grown = last as f64 / warm as f64;
    let flat = grown <= FLAT;
    println!("{:44} {:+8.1} %", if flat { "flat" } else { "NOT FLAT" }, (grown - 1.0) * 100.0);
    assert!(server.is_alive(), "the door is still open");
    cleaner.abort();
    let through = [&alone, &chat_alone, &three_alone, &many, &guides, &spoken];
    let errors: usize = through.iter().map(|times| times.errors).sum();
    println!("\nerrors through the door: {errors}");
    errors == 0 && flat
}

/// The sandbox as a program: its address, and itself.
fn providers(programs: &Path, folder: &Path) -> (String, Running) {
    let script = folder.join("script.json");
    let rule = json!({ "reply": { "text": ANSWER, "chunk_words": 40 } });
    std::fs::write(&script, json!({ "rules": [rule] }).to_string()).expect("the folder can be written");
    let delays = format!("stt={PROVIDER_MS},llm={PROVIDER_MS},tts={PROVIDER_MS}");
    let mut command = Command::new(programs.join("aura-sandbox"));
    command.args(["--delays", &delays, "--fixed-transcript", "do I need a coat", "--fixed-audio", "tone"]);
    command.args(["--fixed-audio-ms", "400", "--script"]).arg(script).stdout(Stdio::piped());
    let mut running = Running::start(&mut command, "the workspace's own build");
    let lines = BufReader::new(running.stdout().expect("standard output was piped")).lines().map_while(Result::ok);
    let told = |line: String| Some(line.strip_prefix("control ")?.trim().strip_suffix("/control")?.to_owned());
    let url = lines.filter_map(told).next().expect("the sandbox tells its addresses");
    (url, running)
}

/// The door as a program, and its address.
fn door(aura: &Aura, sandbox: &str) -> (Running, String) {
    let variables =
        [("GROQ_API_KEY", "sandbox-key".to_owned()), ("GROQ_BASE_URL", format!("{sandbox}/groq/openai/v1"))];
    let mut command = aura.command(&["--port", "0"]);
    command.envs(variables).env("RUST_LOG", "warn").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Running::start(&mut command, "the workspace's own build");
    let line = server.first_line();
    let at = line.find("http://").unwrap_or_else(|| panic!("the door did not open: {line}"));
    (server, line[at..].trim().to_owned())
}

/// A question of a second: a tone, which the sandbox understands as it is told to.
fn recording() -> bytes::Bytes {
    let mut file = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::new(&mut file, spec).expect("memory can be written");
    for at in 0..16_000_i32 {
        // On and off, as speech is: a tone without a pause could be a machine's hum.
        let loud = if at / 1_600 % 2 == 0 { 12_000.0 } else { 60.0 };
        let sample = (f64::from(at) * 0.17).sin() * loud;
        wav.write_sample(sample as i16).expect("memory can be written");
    }
    wav.finalize().expect("memory can be written");
    file.into_inner().into()
}

fn with_recording(name: &'static str, file: &bytes::Bytes) -> Form {
    let length = file.len() as u64;
    Form::new().part(name, Part::stream_with_length(file.clone(), length).file_name("question.wav"))
}

/// A spoken question to the door.
fn process(url: String) -> Send {
    let file = recording();
    Arc::new(move |client| Box::pin(client.post(&url).multipart(with_recording("audio", &file)).send()))
}

/// What a spoken question needs, asked of the sandbox directly: its transcript, its answer, and the answer's speech.
fn three(sandbox: &str, chat: &Send) -> Send {
    let (base, chat, file) = (format!("{sandbox}/groq/openai/v1/audio"), chat.clone(), recording());
    Arc::new(move |client| {
        let form = with_recording("file", &file).text("model", "whisper-large-v3-turbo");
        let hear = client.post(format!("{base}/transcriptions")).bearer_auth("sandbox-key").multipart(form);
        let words = json!({
            "model": "canopylabs/orpheus-v1-english", "voice": "hannah", "input": ANSWER, "response_format": "wav",
        });
        let speak = client.post(format!("{base}/speech")).bearer_auth("sandbox-key").json(&words);
        let chat = chat(client);
        Box::pin(async move {
            hear.send().await?.error_for_status()?.bytes().await?;
            chat.await?.error_for_status()?.bytes().await?;
            speak.send().await
        })
    })
}

/// The sandbox keeps a record of every request; here nobody reads it.
fn keep_small(sandbox: String) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let client = Client::new();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            // One that fails is made up for by the next.
            let _ = client.delete(format!("{sandbox}/control/requests")).send().await;
        }
    })
}

/// What a run came to; times in milliseconds, sorted.
#[derive(Default)]
struct Times {
    whole: Vec<f64>,
    own: Vec<f64>,
    errors: usize,
    /// The first of them.
    why: Option<String>,
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(at.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

impl Times {
    /// One call.
    async fn take(&mut self, client: &Client, send: &Send) {
        let sent = Instant::now();
        match answered(send(client.clone()).await).await {
            Ok(own) => {
                self.whole.push(sent.elapsed().as_secs_f64() * 1_000.0);
                self.own.extend(own);
            }
            Err(why) => {
                self.why.get_or_insert(why);
                self.errors += 1;
            }
        }
    }

    fn sort(&mut self) {
        self.whole.sort_by(f64::total_cmp);
        self.own.sort_by(f64::total_cmp);
    }

    fn at(&self, part: f64) -> f64 {
        quantile(&self.whole, part)
    }

    fn own(&self, part: f64) -> f64 {
        quantile(&self.own, part)
    }

    /// A row of the table; calls in a second only where seconds were measured.
    fn print(&self, name: &str, seconds: f64) {
        let rate = if seconds > 0.0 { format!("{:9.0}", self.whole.len() as f64 / seconds) } else { String::new() };
        let (calls, errors) = (self.whole.len(), self.errors);
        println!("{name:44} {calls:7} {errors:7} {:9.2} {:9.2} {rate}", self.at(0.5), self.at(0.99));
        if let Some(why) = &self.why {
            println!("    the first error: {why}");
        }
    }
}

fn client() -> Client {
    let client = Client::builder().timeout(Duration::from_secs(60)).user_agent("aura-bench");
    client.build().expect("a client can be made")
}

/// One caller that asks here and there in turns: what the machine does besides falls on both.
async fn in_turns(calls: usize, here: &Send, there: &Send) -> (Times, Times) {
    let client = client();
    let (mut first, mut second) = (Times::default(), Times::default());
    for _ in 0..calls {
        first.take(&client, here).await;
        second.take(&client, there).await;
    }
    first.sort();
    second.sort();
    (first, second)
}

/// A run, and the memory of a process half-way through it.
async fn watched(pid: u32, load: Duration, run: impl Future<Output = Times>) -> (Times, u64) {
    let half = async {
        tokio::time::sleep(load / 2).await;
        memory(pid)
    };
    futures::future::join(run, half).await
}

/// Callers that ask again as soon as they are answered. A run without a name is not printed.
async fn run(name: &str, callers: usize, load: Duration, send: &Send) -> Times {
    let client = client();
    let began = Instant::now();
    let one = |client: Client| async move {
        let mut times = Times::default();
        while began.elapsed() < load {
            times.take(&client, send).await;
        }
        times
    };
    let mut all = Times::default();
    for times in join_all((0..callers).map(|_| one(client.clone()))).await {
        all.whole.extend(times.whole);
        all.own.extend(times.own);
        all.errors += times.errors;
        all.why = all.why.or(times.why);
    }
    all.sort();
    if !name.is_empty() {
        all.print(name, began.elapsed().as_secs_f64());
    }
    all
}

/// Reads an answer to its end: the door's own time, if it tells it.
async fn answered(response: reqwest::Result<Response>) -> Result<Option<f64>, String> {
    let response = response.map_err(|cause| format!("{cause:?}"))?;
    let status = response.status();
    let own = response.headers().get("x-aura-overhead-ms").and_then(|value| value.to_str().ok()?.parse().ok());
    let body = response.bytes().await.map_err(|cause| format!("{cause:?}"))?;
    if status.is_success() {
        return Ok(own);
    }
    Err(format!("{status}: {}", String::from_utf8_lossy(&body).chars().take(300).collect::<String>()))
}

/// Resident memory of a process, kB.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
