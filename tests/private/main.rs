//! What AURA leaves on the disk and in its processes can be read by nobody but its user. The programs run with a umask of 000, in folders
//! that others can enter.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use aura_sandbox::{Sandbox, SandboxConfig};
use aura_testkit::fake_ports::speech;
use aura_tests::aura::{Aura, program};
use aura_tests::desktop::with_desktop;
use aura_tests::http::answer;
use aura_tests::process::{Running, wait_until};
use aura_tests::processes::family;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Client;
use serde_json::json;

/// A key that only the environment of the programs holds.
const CANARY_KEY: &str = "sk-canary-0123456789abcdef";
/// Words that only the questions hold.
const CANARY_WORDS: &str = "quixotic zeppelin";

/// Folders for AURA that everybody can read, a home, and local programs that write down how they were run.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        for name in ["config", "data", "home", "bin", "tmp"] {
            let folder = place.path(name);
            std::fs::create_dir(&folder).expect("the folder can be written");
            std::fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("the folder is this test's");
        }
        let wav = place.path("bin/spoken.wav");
        std::fs::write(&wav, aura_audio::speech_wav(&speech(1.0))).expect("the folder can be written");
        place.script("bin/espeak-ng", &format!("env > \"$HOME/espeak.env\"; cat '{}'", wav.display()));
        place.script(
            "bin/pocketsphinx_continuous",
            "env > \"$HOME/sphinx.env\"; stat -c '%a %n' \"$2\" > \"$HOME/sphinx.file\"; echo what is the weather",
        );
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"))
    }

    fn script(&self, name: &str, lines: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("the folder can be written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("the file is this test's");
        path
    }

    /// A program of AURA that starts with a umask of 000 in this place, and does not outlive a killed test.
    fn aura(&self, name: &str, sandbox: &Sandbox) -> Aura {
        let program = program(name);
        let script = format!("umask 000\nexec setpriv --pdeathsig KILL -- '{}' \"$@\"", program.display());
        let path = std::env::var("PATH").expect("a PATH");
        Aura::of(self.script(&format!("bin/run-{name}"), &script))
            .with("GROQ_API_KEY", sandbox.key())
            .with("GROQ_BASE_URL", sandbox.groq_base_url())
            .with("GEMINI_API_KEY", sandbox.key())
            .with("GEMINI_BASE_URL", sandbox.gemini_base_url())
            .with("OPENROUTER_API_KEY", CANARY_KEY)
            .with("RUST_LOG", "trace")
            .with("PATH", format!("{}:{path}", self.path("bin").display()))
            .with("HOME", self.path("home"))
            .with("TMPDIR", self.path("tmp"))
            .with("AURA_CONFIG_DIR", self.path("config"))
            .with("AURA_DATA_DIR", self.path("data"))
    }

    /// Every file and folder below a folder, with its mode.
    fn modes(&self, name: &str) -> Vec<(PathBuf, u32)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path(name)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("the folder can be read") {
                let entry = entry.expect("the folder can be read");
                let file = entry.metadata().expect("the file is still there");
                found.push((entry.path(), file.permissions().mode() & 0o777));
                if file.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        found
    }

    /// The log files, which must not be empty.
    fn log(&self) -> String {
        let files = std::fs::read_dir(self.path("data/logs")).expect("there is a log folder");
        let log: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        assert!(log.contains("TRACE"), "the log file is empty");
        log
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_can_be_read_by_others() {
    let sandbox = Sandbox::start(SandboxConfig::default()).await.expect("the sandbox can listen on loopback");
    let place = Place::new();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().build().expect("a client without TLS");

    // As a recogniser leaves it when AURA is killed.
    let mut ended = std::process::Command::new("true").spawn().expect("coreutils");
    let left = place.path(&format!("data/tmp/aura-{}-x.wav", ended.id()));
    ended.wait().expect("it ends");
    std::fs::create_dir(place.path("data/tmp")).expect("the folder can be written");
    std::fs::write(&left, "a voice").expect("the folder can be written");

    let aura = place.aura("aura-server", &sandbox);
    let mut command = aura.command(&["--port", "0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Running::start(&mut command, "dash");
    let address = server.first_line().rsplit(' ').next().expect("an address").to_owned();
    assert!(!left.exists(), "the sound of a killed process is swept at start");

    let post = async |path: &str, body: serde_json::Value| {
        answer(client.post(format!("{address}{path}")).json(&body).send().await.expect("the server answers")).await
    };
    let question = format!("What is a {CANARY_WORDS}?");
    post("/chat", json!({"text": question})).await;
    post("/providers/switch", json!({"service_type": "llm", "provider": "groq"})).await;
    let sound = BASE64.encode(aura_audio::speech_wav(&speech(1.5)));
    post("/providers/test", json!({"service_type": "tts", "provider": "offline", "test_input": CANARY_WORDS})).await;
    post("/providers/test", json!({"service_type": "stt", "provider": "offline", "test_input": sound})).await;

    let process = PathBuf::from("/proc").join(server.id().to_string());
    let environment = std::fs::read(process.join("environ")).expect("a debug build can be inspected");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.contains("OPENROUTER_API_KEY="), "the process with the variables is looked at");
    assert!(!environment.contains(CANARY_KEY) && !environment.contains(sandbox.key()), "the keys are gone from /proc");
    let limits = std::fs::read_to_string(process.join("limits")).expect("a process has limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit for core dumps");
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    drop(server);

    for name in ["home/espeak.env", "home/sphinx.env"] {
        let environment = place.read(name);
        assert!(environment.contains("PATH=") && !environment.contains("_API_KEY"), "{name}: {environment}");
        assert!(!environment.contains(CANARY_KEY) && !environment.contains("AURA_"), "{name}: {environment}");
    }
    let heard = place.read("home/sphinx.file");
    let private = place.path("data/tmp");
    assert!(heard.starts_with("600 ") && heard.contains(&*private.to_string_lossy()), "{heard}");

    let aura = place.aura("aura", &sandbox);
    let asked = aura.run(&["ask", &question, "--json"]);
    assert_eq!(asked.code, 0, "{asked:?}");
    let recording = PathBuf::from(asked.json()["answer_audio"].as_str().expect("the answer is kept as sound"));
    assert!(recording.is_file());
    assert_eq!(aura.run(&["history", "export"]).code, 0);

    let found: Vec<_> = ["config", "data"].into_iter().flat_map(|folder| place.modes(folder)).collect();
    for name in ["config.toml", "api-token", "history.db", "models.json"] {
        assert!(found.iter().any(|(path, _)| path.ends_with(name)), "{name} was not made: {found:#?}");
    }
    for (path, mode) in &found {
        let private = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, &private, "{} has the mode {mode:o}", path.display());
    }
    assert_eq!(place.modes("data/tmp"), [], "no temporary file is left");
    assert_eq!(place.modes("tmp"), [], "nothing is left in the folder for temporary files that everybody uses");

    let log = place.log();
    for secret in [CANARY_KEY, sandbox.key(), CANARY_WORDS, "\u{1b}["] {
        assert!(!log.contains(secret), "the log contains {secret:?}:\n{}", around(&log, secret));
    }
}

/// The lines that contain a text.
fn around(log: &str, text: &str) -> String {
    log.lines().filter(|line| line.contains(text)).take(5).collect::<Vec<_>>().join("\n")
}

#[test]
fn no_process_of_the_window_holds_a_key_in_its_environment() {
    with_desktop("no_process_of_the_window_holds_a_key_in_its_environment", || {
        let app = Aura::new().with("OPENROUTER_API_KEY", CANARY_KEY).start();
        // The processes of the page start with the window.
        let web = || family(app.starter()).into_iter().any(|process| process.is_web());
        assert!(wait_until(Duration::from_secs(30), web), "the window has no page");
        let starter = app.starter();
        let own: Vec<_> = family(starter).into_iter().filter(|process| process.id != starter).collect();
        assert!(own.len() > 1, "{own:?}");
        for process in own {
            // A process that ended meanwhile holds nothing.
            let environment = std::fs::read(format!("/proc/{}/environ", process.id)).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&environment).contains(CANARY_KEY), "{} has the key", process.name);
        }
    });
}
