//! The program under test: its command line, and the running app with the socket by which a test calls its operations.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Running, wait_until};

/// The variables that a program inherits. No others: an API key or address of the developer must not affect the tests.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_SESSION_TYPE",
    "XDG_RUNTIME_DIR",
    "PULSE_SERVER",
    "PIPEWIRE_RUNTIME_DIR",
    "RUST_LOG",
    "RUST_BACKTRACE",
];

/// Seconds after which an app is ended whose test was killed.
const MAX_LIFE: u32 = 300;

/// The folder with the built programs: the parent of the folder of this test's program.
pub fn programs() -> PathBuf {
    let this = std::env::current_exe().expect("a program knows its own path");
    let folder = this.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "deps"));
    folder.and_then(Path::parent).or_else(|| this.parent()).expect("a program lies in a folder").to_owned()
}

/// The path of a built program. A missing program makes the test fail and say how to build it.
pub fn program(name: &str) -> PathBuf {
    let path = programs().join(name);
    assert!(
        path.is_file(),
        "{} is missing: run the tests with `cargo xtask test`, or `cargo build --workspace --all-targets` first",
        path.display()
    );
    path
}

/// How AURA is started: with folders and environment variables of its own.
#[derive(Debug)]
pub struct Aura {
    folder: TempDir,
    program: PathBuf,
    variables: Vec<(String, OsString)>,
    life: u32,
}

impl Default for Aura {
    fn default() -> Self {
        Self::new()
    }
}

impl Aura {
    /// With empty folders, no API key, and no local model.
    pub fn new() -> Self {
        Self::of(program("aura"))
    }

    /// Like [`Self::new`], for a program at another path.
    pub fn of(program: PathBuf) -> Self {
        // It is started in a folder of its own.
        let program = std::path::absolute(program).expect("a path that is not empty");
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["config", "data"] {
            std::fs::create_dir(folder.path().join(name)).expect("the folder can be written");
        }
        let kept = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?)));
        let mut aura = Self { variables: kept.collect(), program, folder, life: MAX_LIFE };
        for (name, value) in [
            ("AURA_OFFLINE_LLM", "none"),
            // Without an address, GTK starts a bus that outlives the test.
            ("DBUS_SESSION_BUS_ADDRESS", "disabled:"),
            ("NO_AT_BRIDGE", "1"),
            ("GDK_BACKEND", "x11"),
            ("GSETTINGS_BACKEND", "memory"),
        ] {
            aura = aura.with(name, value);
        }
        let (config, data) = (aura.folder.path().join("config"), aura.data());
        aura.with("AURA_CONFIG_DIR", config).with("AURA_DATA_DIR", data)
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Without an environment variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// With the private message bus of [`crate::desktop::with_desktop_and_store`].
    #[must_use]
    pub fn with_store(self) -> Self {
        self.with("DBUS_SESSION_BUS_ADDRESS", crate::desktop::bus_address())
    }

    /// Sets several environment variables.
    #[must_use]
    pub fn with_all(self, variables: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        variables.into_iter().fold(self, |aura, (name, value)| aura.with(name, value))
    }

    /// Sets the seconds after which the app is ended.
    #[must_use]
    pub fn living(self, seconds: u32) -> Self {
        Self { life: seconds, ..self }
    }

    /// The program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The seconds after which the app is ended.
    pub(crate) fn life(&self) -> u32 {
        self.life
    }

    /// Writes the settings file.
    #[must_use]
    pub fn settings(self, toml: &str) -> Self {
        std::fs::write(self.folder.path().join("config/config.toml"), toml).expect("the folder can be written");
        self
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for the files of the test, removed after it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command that runs the program, for a test that starts it itself.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(&self.program, arguments)
    }

    /// A command that runs another program with AURA's variables.
    pub(crate) fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        self.prepared(Command::new(program), arguments)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn prepared(&self, mut command: Command, arguments: &[&str]) -> Command {
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        // Not in the repository, where the developer may have a `.env` file.
        command.env_clear().envs(variables).args(arguments).current_dir(self.folder.path());
        command
    }

    /// Runs a command of the command line, for at most 100 s.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new("timeout");
        command.arg("100").arg(&self.program);
        let ended = self.prepared(command, arguments).stdin(Stdio::null()).output();
        Ended::new(&ended.expect("`timeout` of coreutils and the built program can be started"))
    }

    /// Starts the app and waits until its window is visible.
    pub fn start(self) -> App {
        let mut app = self.spawn();
        app.wait_until_ready();
        app
    }

    /// Starts the app without waiting.
    pub fn spawn(self) -> App {
        App::of(self.launch(), self)
    }

    fn launch(&self) -> Running {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", &self.life.to_string()]).arg(&self.program);
        let mut command = self.prepared(command, &[]);
        let log = File::options().create(true).append(true).open(self.log()).expect("the folder can be written");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Running::start(&mut command, "coreutils")
    }
}

/// The result of a command.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ended {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|cause| panic!("this is not JSON ({cause}): {self:?}"))
    }
}

/// The running app; dropping it ends the app.
#[derive(Debug)]
pub struct App {
    running: Running,
    aura: Aura,
}

impl App {
    /// The app that `running` is, or starts.
    pub(crate) fn of(running: Running, aura: Aura) -> Self {
        Self { running, aura }
    }

    /// Starts the app again on the same files, after it ended.
    pub fn start_again(&mut self) {
        self.running = self.aura.launch();
        self.wait_until_ready();
    }

    /// Starts the app again on the same files, after it ended, and waits until it answers; its window may come later.
    pub fn start_again_unseen(&mut self) {
        self.running = self.aura.launch();
        self.wait_until_it_answers();
    }

    /// Sends a signal, such as `KILL`, to the app itself.
    pub fn signal(&self, name: &str) {
        let id = self.process().expect("the app runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the app can be signalled");
    }

    /// The process ID of the app itself; `None` once it has ended.
    pub fn process(&self) -> Option<u32> {
        let family = crate::processes::family(self.running.id());
        family.into_iter().find(|process| process.name == "aura").map(|process| process.id)
    }

    /// Waits for the end of the app. False once the limit is reached.
    pub fn ends_within(&mut self, limit: Duration) -> bool {
        wait_until(limit, || !self.running.is_alive())
    }

    fn wait_until_it_answers(&mut self) {
        let there = wait_until(Duration::from_secs(40), || {
            !self.running.is_alive() || self.try_call("snapshot", &json!({})).is_some()
        });
        assert!(there && self.running.is_alive(), "AURA did not open its socket");
    }

    pub(crate) fn wait_until_ready(&mut self) {
        self.wait_until_it_answers();
        // The shortcut is grabbed while the window is created, after the socket opens.
        let shown = wait_until(Duration::from_secs(40), || !crate::display::windows("^AURA$").is_empty());
        assert!(shown, "AURA showed no window");
    }

    /// Calls an operation; panics if it fails.
    pub fn call(&self, operation: &str, request: Value) -> Value {
        let reply = self.try_call(operation, &request).unwrap_or_else(|| panic!("AURA does not answer `{operation}`"));
        match reply.get("error") {
            Some(error) => panic!("`{operation}` failed: {error}"),
            None => reply["ok"].clone(),
        }
    }

    /// Calls an operation; `None` if the app does not answer, for example because it has ended.
    pub fn try_call(&self, operation: &str, request: &Value) -> Option<Value> {
        let mut stream = UnixStream::connect(self.aura.data().join("aura.sock")).ok()?;
        let call = json!({"operation": operation, "request": request});
        writeln!(stream, "{call}").ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// The turns so far, newest first, and at most the last 1,000.
    pub fn history(&self) -> Vec<Value> {
        self.call("history", json!({"limit": 1_000})).as_array().cloned().unwrap_or_default()
    }

    /// The stage of the current turn.
    pub fn stage(&self) -> String {
        self.call("snapshot", json!({}))["stage"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits for the end of the turn with this number, counted from 1; returns it.
    pub fn turn(&self, number: usize) -> Value {
        self.turn_within(number, Duration::from_secs(60))
    }

    /// Like [`Self::turn`], for a turn that may take longer than a minute.
    pub fn turn_within(&self, number: usize, limit: Duration) -> Value {
        let mut turns = Vec::new();
        let ended = wait_until(limit, || {
            turns = self.history();
            turns.len() >= number
        });
        assert!(ended, "turn {number} did not end; the stage is `{}`", self.stage());
        turns.swap_remove(turns.len() - number)
    }

    /// Waits until the recording of a question contains samples.
    pub fn wait_for_recording(&self) {
        let grows = || {
            let questions = std::fs::read_dir(self.aura.data().join("recordings")).into_iter().flatten().flatten();
            let known = self.history();
            let mut fresh = questions.filter(|file| {
                let name = file.file_name().to_string_lossy().into_owned();
                name.ends_with("-question.wav")
                    && !known.iter().any(|turn| turn["id"].as_str().is_some_and(|id| name.starts_with(id)))
            });
            fresh.any(|file| file.metadata().is_ok_and(|file| file.len() > 44))
        };
        assert!(wait_until(Duration::from_secs(20), grows), "nothing is recorded; the stage is `{}`", self.stage());
    }

    /// How the app was started, and its command line.
    pub fn aura(&self) -> &Aura {
        &self.aura
    }

    /// Whether the app still runs.
    pub fn is_alive(&mut self) -> bool {
        self.running.is_alive()
    }

    /// The ID of the process that started the app.
    pub fn starter(&self) -> u32 {
        self.running.id()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.aura.log()).unwrap_or_default();
            eprintln!("-- AURA's log:\n{log}-- its turns: {:#?}", self.try_call("history", &json!({})));
        }
    }
}
