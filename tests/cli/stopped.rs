//! Ctrl-C, log-out and a closed terminal during a question: the history and the ledger have it.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use aura_sandbox::{Fault, FaultKind, Provider, Service};
use aura_tests::aura::Aura;
use aura_tests::process::{Running, wait_until};
use aura_tests::providers::Providers;
use aura_tests::sound::{make_noise, play_into_microphone_endlessly, with_sound};
use serde_json::Value;

/// Runs a command until `is_due`, sends a signal, and returns what was printed to standard error.
fn stop(aura: &Aura, arguments: &[&str], signal: &str, is_due: impl Fn() -> bool) -> String {
    let mut command = killable(&aura.command(arguments));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the built program can be started");
    let due = wait_until(Duration::from_secs(60), || is_due() || !matches!(child.try_wait(), Ok(None)));
    let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
    let ended = wait_until(Duration::from_secs(30), || !matches!(child.try_wait(), Ok(None)));
    if !ended {
        let _ = child.kill();
    }
    let status = child.wait().expect("it can be waited for");
    let mut said = String::new();
    child.stderr.take().expect("it was piped").read_to_string(&mut said).expect("it is text");
    assert!(due && sent.is_ok_and(|sent| sent.success()) && ended, "{arguments:?} does not end: {said}");
    // Not ended by the signal itself.
    assert_eq!(status.code(), Some(1), "{signal}: {said}");
    said
}

/// The same command, for which SIGHUP has its usual meaning. It would be ignored if these tests were started by `nohup`.
fn killable(command: &Command) -> Command {
    let mut killable = Command::new("env");
    killable.arg("--default-signal=HUP").arg(command.get_program()).args(command.get_args()).env_clear();
    killable.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    killable.current_dir(command.get_current_dir().unwrap_or(std::path::Path::new(".")));
    killable
}

/// The turns in the history.
fn turns(aura: &Aura) -> Vec<Value> {
    let ended = aura.run(&["history", "export"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.json().as_array().cloned().unwrap_or_default()
}

#[test]
fn a_question_that_is_stopped_is_in_the_history_and_the_ledger() {
    let providers = Providers::answering("Hello.");
    providers.fault(Fault::new(FaultKind::Silent).provider(Provider::Groq).service(Service::Llm));
    for signal in ["INT", "TERM", "HUP"] {
        let aura = Aura::new().with_all(providers.groq());
        let before = providers.requests(Service::Llm).len();
        let said =
            stop(&aura, &["ask", "How many are there?"], signal, || providers.requests(Service::Llm).len() > before);
        assert!(said.contains("error[unfinished]") && said.contains("Retry"), "{signal}: {said}");
        let turns = turns(&aura);
        assert_eq!(turns.len(), 1, "{signal}: {turns:#?}");
        assert_eq!(turns[0]["transcript"], "How many are there?");
        assert_eq!(turns[0]["error"]["code"], "unfinished", "{signal}: {turns:#?}");
        // The call was made, so it counts.
        let database = rusqlite::Connection::open(aura.data().join("history.db")).expect("the history is there");
        let attempts: i64 =
            database.query_row("SELECT count(*) FROM attempts", [], |row| row.get(0)).expect("the table is there");
        assert_eq!(attempts, 1, "{signal}");
    }
}

#[test]
fn a_recording_that_is_stopped_can_be_retried() {
    with_sound("stopped::a_recording_that_is_stopped_can_be_retried", || {
        let providers = Providers::answering("Hello.");
        let aura = Aura::new().with_all(providers.groq());
        let noise = aura.folder().join("noise.wav");
        make_noise(&noise, 5);
        let _player: Running = play_into_microphone_endlessly(&noise);
        let recordings = aura.data().join("recordings");
        // A second of 16 kHz.
        let has_a_second = || {
            let files = std::fs::read_dir(&recordings).into_iter().flatten().flatten();
            files.filter_map(|file| file.metadata().ok()).any(|file| file.len() > 32_044)
        };
        let said = stop(&aura, &["listen"], "INT", has_a_second);
        assert!(said.contains("error[unfinished]"), "{said}");
        let turns = turns(&aura);
        assert_eq!(turns.len(), 1, "{turns:#?}");
        let recording = turns[0]["question_audio"].as_str().expect("it has a recording");
        let duration = hound::WavReader::open(recording).expect("it is a WAV file").duration();
        assert!(duration > 16_000, "{duration} samples");
    });
}

#[test]
fn a_server_that_nohup_started_survives_the_terminal() {
    let providers = Providers::answering("Hello.");
    for (script, survives) in [("exec env --default-signal=HUP \"$@\"", false), ("trap '' HUP; exec \"$@\"", true)] {
        let aura = Aura::new().with_all(providers.groq());
        let serve = aura.command(&["serve", "--port", "0"]);
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(serve.get_program()).args(serve.get_args()).env_clear();
        command.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(aura.folder());
        let mut server = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::null()), "dash");
        server.first_line();
        let signal = |server: &Running, name: &str| {
            let sent = Command::new("kill").args(["-s", name, &server.id().to_string()]).status();
            assert!(sent.is_ok_and(|sent| sent.success()), "the server can be signalled");
        };
        signal(&server, "HUP");
        if survives {
            // Whoever answers another signal had the time to answer the first.
            let turns = turns(&aura);
            assert_eq!((server.is_alive(), turns.len()), (true, 0));
            signal(&server, "TERM");
        }
        assert!(wait_until(Duration::from_secs(30), || !server.is_alive()), "{script}: the server does not end");
    }
}
