//! One running app per data folder, whatever a crash left behind and however many are started at once.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::process::wait_until;

/// Apps that are started at once.
const STARTS: usize = 6;

/// Started apps. Dropping this ends them by their IDs.
struct Apps(Vec<Child>);

impl Apps {
    /// Starts apps at once on one data folder.
    fn start(aura: &Aura) -> Self {
        let start = |_| {
            let mut command = aura.command(&[]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
            command.spawn().expect("the built program can be started")
        };
        Self((0..STARTS).map(start).collect())
    }

    /// The number of those that still run.
    fn running(&mut self) -> usize {
        self.0.iter_mut().filter_map(|app| app.try_wait().ok()).filter(Option::is_none).count()
    }

    /// Sends a signal to the one that runs, and waits for its end.
    fn end(&mut self, signal: &str) {
        for app in &mut self.0 {
            if !matches!(app.try_wait(), Ok(None)) {
                continue;
            }
            let sent = Command::new("kill").args(["-s", signal, &app.id().to_string()]).status();
            assert!(sent.is_ok_and(|status| status.success()), "the app can be signalled");
        }
        assert!(wait_until(Duration::from_secs(30), || self.running() == 0), "the app does not end");
    }
}

impl Drop for Apps {
    fn drop(&mut self) {
        for app in &mut self.0 {
            let _ = app.kill();
            let _ = app.wait();
        }
    }
}

/// Whether an app answers on the socket.
fn answers(aura: &Aura) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(aura.data().join("aura.sock"))?;
        writeln!(stream, r#"{{"operation": "snapshot", "request": {{}}}}"#)?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(line)
    };
    ask().is_ok_and(|line| line.contains("\"stage\""))
}

#[test]
fn of_six_apps_that_start_at_once_one_runs() {
    with_desktop("starts::of_six_apps_that_start_at_once_one_runs", || {
        let aura = Aura::new();
        let socket = aura.data().join("aura.sock");
        // A killed app leaves its socket behind, on which nobody listens.
        drop(UnixListener::bind(&socket).expect("the folder can be written"));
        for signal in ["KILL", "KILL", "TERM"] {
            assert!(socket.exists());
            let mut apps = Apps::start(&aura);
            let alone = wait_until(Duration::from_secs(90), || apps.running() <= 1 && answers(&aura));
            assert!(alone, "{} apps run", apps.running());
            assert_eq!(apps.running(), 1);
            for app in &mut apps.0 {
                if let Ok(Some(status)) = app.try_wait() {
                    let mut said = String::new();
                    let read = app.stdout.take().map(|mut output| output.read_to_string(&mut said));
                    assert!(status.success() && said.contains("already running"), "{status}: {read:?} {said}");
                }
            }
            apps.end(signal);
        }
        assert!(!socket.exists(), "an app that ends takes its socket away");
    });
}
