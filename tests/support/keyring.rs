//! A private message bus, with the GNOME keyring as a key store on it, or with the service by which programs describe their windows.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::process::{Environment, Running, in_own_process, run, wait_for_file};

/// The configuration of a bus that does not activate services.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"#;

/// The program that starts the bus of AT-SPI. It is on no search path.
const ACCESSIBILITY: &str = "/usr/libexec/at-spi-bus-launcher";

/// A private message bus, with or without a service.
#[derive(Debug)]
pub struct Bus {
    store: Option<Running>,
    accessibility: Option<Running>,
    _bus: Running,
    folder: TempDir,
}

impl Bus {
    /// Starts a bus without services.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (config, socket) = (folder.path().join("bus.conf"), socket(folder.path()));
        std::fs::write(&config, BUS.replace("SOCKET", &socket.to_string_lossy())).expect("the folder can be written");
        let mut command = Command::new("dbus-daemon");
        command.arg("--nofork").arg(format!("--config-file={}", config.display()));
        let bus = Running::start(command.stdout(Stdio::null()), "dbus");
        wait_for_file(&socket);
        Self { store: None, accessibility: None, _bus: bus, folder }
    }

    /// Starts a bus with an unlocked key store.
    pub fn with_store() -> Self {
        let mut bus = Self::start();
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--unlock", "--components=secrets"]).envs(bus.environment());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut store = Running::start(&mut command, "gnome-keyring");
        store.feed(b"password of a test");
        bus.store = Some(store);
        bus.wait_for("org.freedesktop.secrets");
        bus
    }

    /// Starts a bus with AT-SPI. Programs use it if their display is that of this process.
    pub fn with_accessibility(display: &Environment) -> Self {
        let mut bus = Self::start();
        let mut command = Command::new(ACCESSIBILITY);
        command.arg("--launch-immediately").envs(bus.environment()).envs(display.iter().cloned());
        bus.accessibility = Some(Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()), "at-spi2-core"));
        bus.wait_for("org.a11y.Bus");
        bus
    }

    /// Waits until a service is on the bus.
    fn wait_for(&self, service: &str) {
        let mut wait = Command::new("gdbus");
        wait.args(["wait", "--session", "--timeout", "60", service]).envs(self.environment());
        run(&mut wait, "libglib2.0-bin");
    }

    /// The variables by which a program uses this bus and no other.
    pub fn environment(&self) -> Environment {
        let folder = self.folder.path();
        let mut environment = vec![
            ("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket(folder).display()).into()),
            ("HOME", folder.into()),
            ("XDG_RUNTIME_DIR", folder.into()),
            ("XDG_DATA_HOME", folder.join("data").into()),
        ];
        if let Some(store) = &self.store {
            environment.push(("AURA_TEST_STORE", store.id().to_string().into()));
        }
        environment
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        // Its bus and its registry are programs of their own.
        if let Some(accessibility) = &mut self.accessibility {
            accessibility.end_family();
        }
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("bus")
}

/// Runs a test's body in a process whose only message bus is a private one. See [`in_own_process`].
pub fn with_bus(test: &str, start: impl FnOnce() -> Bus, body: impl FnOnce()) {
    let prepare = || {
        let bus = start();
        let environment = bus.environment();
        (bus, environment)
    };
    in_own_process(test, prepare, body);
}

/// Stops or continues the private key store that this process uses. A stopped one does not answer.
pub fn freeze(frozen: bool) {
    let id = std::env::var("AURA_TEST_STORE").expect("a private key store");
    run(Command::new("kill").args([if frozen { "-STOP" } else { "-CONT" }, &id]), "procps");
}
