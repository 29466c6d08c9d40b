//! `cargo xtask bench server`: the overhead of the local API, for one caller and under load.
//!
//! The providers are the sandbox with fixed delays, in a process of its own. The same load goes to the sandbox directly and through the
//! local API; the difference is the overhead. Both share the processors with this program. Memory must stay flat: at most a tenth above
//! its level after a first round of all loads.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_tests::aura::Aura;
use aura_tests::process::Running;
use aura_tests::quantile::quantile;
use futures::future::{BoxFuture, join_all};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response};
use serde_json::json;

/// The delay of each provider call, in milliseconds.
const PROVIDER_MS: u32 = 50;
/// Concurrent callers.
const CHATS: usize = 200;
const PROCESSES: usize = 50;
/// Calls of a single caller.
const SINGLE: usize = 200;
/// The factor by which memory may grow after the warm-up.
const FLAT: f64 = 1.1;
/// The answer of the model: one sentence, in one chunk.
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
    println!("the local API, {build} build; provider delay {PROVIDER_MS} ms; {seconds} s of load each\n");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let good = runtime.block_on(measure(programs, Duration::from_secs(seconds)));
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One kind of call: sends a request and returns the response.
type Send = Arc<dyn Fn(Client) -> BoxFuture<'static, reqwest::Result<Response>> + std::marker::Send + Sync>;

fn post(url: String, body: serde_json::Value) -> Send {
    Arc::new(move |client| Box::pin(client.post(&url).bearer_auth("sandbox-key").json(&body).send()))
}

/// Like [`post`], to the local API, which serves this user without a token.
fn post_local(url: String, body: serde_json::Value) -> Send {
    Arc::new(move |client| Box::pin(client.post(&url).json(&body).send()))
}

/// True if no call failed and memory stayed flat.
async fn measure(programs: &Path, load: Duration) -> bool {
    let aura = Aura::of(programs.join("aura-server"));
    let (sandbox, _providers) = providers(programs, aura.folder());
    let (mut server, url) = local_api(&aura, &sandbox);
    let pid = server.id();
    let say = json!([{ "role": "user", "content": "Do I need a coat?" }]);
    // Streamed, because AURA streams too: the difference must not be that of the format.
    let asked = json!({ "model": "openai/gpt-oss-20b", "messages": say, "stream": true });
    let through = json!({ "model": "auto", "messages": say });
    let direct = post(format!("{sandbox}/groq/openai/v1/chat/completions"), asked);
    let direct_three = three(&sandbox, &direct);
    let v1 = post_local(format!("{url}/v1/chat/completions"), through);
    let guide = post_local(format!("{url}/chat"), json!({ "text": "Do I need a coat?" }));
    let process = process(format!("{url}/process"));
    let cleaner = clear_requests(sandbox.clone());

    println!("{:44} {:>7} {:>7} {:>9} {:>9} {:>9}", "", "calls", "errors", "p50 ms", "p99 ms", "calls/s");
    // Warm-up: opens connections and grows buffers before the first measurement.
    for (callers, send) in [(4, &direct), (4, &direct_three), (CHATS, &v1), (CHATS, &guide), (PROCESSES, &process)] {
        run("", callers, load / 6, send).await;
    }
    let warm = memory(pid);
    let mut rows = vec![("after the warm-up", warm)];
    let (alone_direct, alone) = in_turns(SINGLE, &direct, &v1).await;
    alone_direct.print("one caller, sandbox directly", 0.0);
    alone.print("one caller, /v1/chat/completions, in turns", 0.0);
    let (chat_direct, chat_alone) = in_turns(SINGLE / 2, &direct, &guide).await;
    chat_alone.print("one caller, /chat, in turns", 0.0);
    let (three_direct, three_alone) = in_turns(SINGLE / 4, &direct_three, &process).await;
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

    println!("\noverhead of the local API                         p50 ms    p99 ms");
    let adds = |name: &str, local_api: &Times, direct: &Times| {
        println!("{name:44} {:9.2} {:9.2}", local_api.at(0.5) - direct.at(0.5), local_api.at(0.99) - direct.at(0.99));
    };
    adds("one caller, /v1/chat/completions", &alone, &alone_direct);
    println!("{:44} {:9.3} {:9.3}", "one caller, x-aura-overhead-ms", alone.own(0.5), alone.own(0.99));
    adds("one caller, /chat", &chat_alone, &chat_direct);
    adds("one caller, /process", &three_alone, &three_direct);
    adds(&format!("{CHATS} callers, /v1/chat/completions"), &many, &many_direct);
    adds(&format!("{CHATS} callers, /chat"), &guides, &many_direct);
    adds(&format!("{PROCESSES} callers, /process"), &spoken, &many_three);
    println!("\nmemory of the server (resident, MB)");
    let last = memory(pid);
    rows.push(("2 s later", last));
    for (name, kb) in rows {
        println!("{name:44} {:9.1}", kb as f64 / 1024.0);
    }
    let grown = last as f64 / warm as f64;
    let flat = grown <= FLAT;
    println!("{:44} {:+8.1} %", if flat { "flat" } else { "NOT FLAT" }, (grown - 1.0) * 100.0);
    assert!(server.is_alive(), "the server still runs");
    cleaner.abort();
    let through = [&alone, &chat_alone, &three_alone, &many, &guides, &spoken];
    let errors: usize = through.iter().map(|times| times.errors).sum();
    println!("\nerrors through the local API: {errors}");
    errors == 0 && flat
}

/// Starts the sandbox as a program; returns its address.
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
    let address = |line: String| Some(line.strip_prefix("control ")?.trim().strip_suffix("/control")?.to_owned());
    let url = lines.filter_map(address).next().expect("the sandbox prints its addresses");
    (url, running)
}

/// Starts the server of the local API as a program; returns its address.
fn local_api(aura: &Aura, sandbox: &str) -> (Running, String) {
    let variables =
        [("GROQ_API_KEY", "sandbox-key".to_owned()), ("GROQ_BASE_URL", format!("{sandbox}/groq/openai/v1"))];
    let mut command = aura.command(&["--port", "0"]);
    command.envs(variables).env("RUST_LOG", "warn").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Running::start(&mut command, "the workspace's own build");
    let line = server.first_line();
    let at = line.find("http://").unwrap_or_else(|| panic!("the server did not start: {line}"));
    (server, line[at..].trim().to_owned())
}

/// A recording of a second: a tone, for which the sandbox returns its fixed transcript.
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
        // On and off like speech: a continuous tone could be taken for noise.
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

/// A spoken question to the local API.
fn process(url: String) -> Send {
    let file = recording();
    Arc::new(move |client| Box::pin(client.post(&url).multipart(with_recording("audio", &file)).send()))
}

/// The three provider calls of a spoken question, sent to the sandbox directly: transcription, chat, speech.
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

/// Clears the sandbox's record of requests every second, so that it does not grow.
fn clear_requests(sandbox: String) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let client = Client::new();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            // A failure does not matter: the next round clears the rest.
            let _ = client.delete(format!("{sandbox}/control/requests")).send().await;
        }
    })
}

/// The results of a run; times in milliseconds, sorted.
#[derive(Default)]
struct Times {
    whole: Vec<f64>,
    own: Vec<f64>,
    errors: usize,
    /// The first error.
    why: Option<String>,
}

impl Times {
    /// Makes one call.
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

    fn at(&self, part: f64) -> f64 {
        quantile(self.whole.iter().copied(), part).unwrap_or(f64::NAN)
    }

    fn own(&self, part: f64) -> f64 {
        quantile(self.own.iter().copied(), part).unwrap_or(f64::NAN)
    }

    /// Prints a row of the table. Calls per second are left out if `seconds` is 0.
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

/// One caller that alternates between two kinds of call, so that other load affects both.
async fn in_turns(calls: usize, here: &Send, there: &Send) -> (Times, Times) {
    let client = client();
    let (mut first, mut second) = (Times::default(), Times::default());
    for _ in 0..calls {
        first.take(&client, here).await;
        second.take(&client, there).await;
    }
    (first, second)
}

/// A run, and the memory of a process half-way through.
async fn watched(pid: u32, load: Duration, run: impl Future<Output = Times>) -> (Times, u64) {
    let half = async {
        tokio::time::sleep(load / 2).await;
        memory(pid)
    };
    futures::future::join(run, half).await
}

/// Concurrent callers that call again as soon as they have a reply. A run without a name is not printed.
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
    if !name.is_empty() {
        all.print(name, began.elapsed().as_secs_f64());
    }
    all
}

/// Reads a reply to its end; returns the overhead that it reports, if it does.
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
