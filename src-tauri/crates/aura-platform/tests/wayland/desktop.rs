//! The real desktop portal, and behind it a desktop whose keys a test presses, `org.freedesktop.impl.portal.GlobalShortcuts`, and which lets a
//! program use its keyboard, `org.freedesktop.impl.portal.RemoteDesktop`.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aura_tests::process::{Running, run, wait_until};
use tempfile::TempDir;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::interface;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

use crate::remote_desktop::{self, Seen};

const PATH: &str = "/org/freedesktop/portal/desktop";
const NAME: &str = "org.freedesktop.impl.portal.desktop.auratest";
const INTERFACE: &str = "org.freedesktop.impl.portal.GlobalShortcuts";
const PORTAL: &str = "[portal]\nDBusName=org.freedesktop.impl.portal.desktop.auratest\n\
                      Interfaces=org.freedesktop.impl.portal.GlobalShortcuts;org.freedesktop.impl.portal.RemoteDesktop;\nUseIn=AURATEST\n";
/// Where distributions install the portal.
const PROGRAMS: [&str; 3] = [
    "/usr/libexec/xdg-desktop-portal",
    "/usr/lib/xdg-desktop-portal",
    "/usr/lib/xdg-desktop-portal/xdg-desktop-portal",
];

type Shortcuts = Vec<(String, HashMap<String, OwnedValue>)>;
type Options = HashMap<String, OwnedValue>;

#[derive(Default)]
struct State {
    session: Option<OwnedObjectPath>,
    bound: Vec<(String, String)>,
    asked: u32,
    refuses: bool,
}

/// A desktop and its portal. Dropping it ends both.
pub(crate) struct Desktop {
    /// What it saw of a program that used its keyboard.
    pub(crate) keyboard: Arc<Mutex<Seen>>,
    state: Arc<Mutex<State>>,
    connection: Connection,
    _portal: Running,
    _folder: TempDir,
}

struct Backend(Arc<Mutex<State>>);

/// A session of the desktop, and what its end does.
pub(crate) struct Session(pub(crate) Box<dyn Fn() + Send + Sync>);

#[interface(name = "org.freedesktop.impl.portal.Session")]
impl Session {
    fn close(&self) {
        (self.0)();
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        1
    }
}

#[interface(name = "org.freedesktop.impl.portal.GlobalShortcuts")]
impl Backend {
    async fn create_session(
        &self,
        _handle: OwnedObjectPath,
        session: OwnedObjectPath,
        _app_id: String,
        _options: Options,
        #[zbus(object_server)] server: &zbus::ObjectServer,
    ) -> (u32, Options) {
        let state = self.0.clone();
        let close = move || state.lock().unwrap().session = None;
        server.at(&session, Session(Box::new(close))).await.unwrap();
        self.0.lock().unwrap().session = Some(session);
        (0, Options::new())
    }

    fn bind_shortcuts(
        &self,
        _handle: OwnedObjectPath,
        _session: OwnedObjectPath,
        shortcuts: Shortcuts,
        _parent: String,
        _options: Options,
    ) -> (u32, Options) {
        let mut state = self.0.lock().unwrap();
        state.asked += 1;
        if state.refuses {
            return (1, Options::new());
        }
        state.bound.clear();
        let mut answer: Vec<(String, HashMap<&str, Value<'_>>)> = Vec::new();
        for (id, details) in shortcuts {
            let keys = details.get("preferred_trigger").and_then(|keys| String::try_from(keys.clone()).ok());
            let keys = keys.unwrap_or_default();
            answer.push((
                id.clone(),
                HashMap::from([
                    ("description", Value::from("a shortcut")),
                    ("trigger_description", Value::from(keys.clone())),
                ]),
            ));
            state.bound.push((id, keys));
        }
        (0, Options::from([("shortcuts".to_owned(), Value::from(answer).try_into().unwrap())]))
    }

    fn list_shortcuts(&self, _handle: OwnedObjectPath, _session: OwnedObjectPath) -> (u32, Options) {
        (0, Options::new())
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        1
    }
}

impl Desktop {
    /// Starts the desktop and the portal, and waits until the portal is on the bus.
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let connection = Builder::session().unwrap().name(NAME).unwrap();
        let connection = connection.serve_at(PATH, Backend(state.clone())).unwrap();
        let keyboard = Arc::new(Mutex::new(Seen::default()));
        let connection = connection.serve_at(PATH, remote_desktop::Backend(keyboard.clone())).unwrap().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("auratest.portal"), PORTAL).unwrap();
        let program = PROGRAMS.iter().find(|program| std::path::Path::new(program).is_file());
        let program = program.expect("this test needs the desktop portal: apt install xdg-desktop-portal");
        let mut command = Command::new(program);
        command.env("XDG_DESKTOP_PORTAL_DIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let portal = Running::start(&mut command, "xdg-desktop-portal");
        let mut wait = Command::new("gdbus");
        wait.args(["wait", "--session", "--timeout", "60", "org.freedesktop.portal.Desktop"]);
        run(&mut wait, "libglib2.0-bin");
        Self { keyboard, state, connection, _portal: portal, _folder: folder }
    }

    /// The IDs of the shortcuts that are bound, and the keys that were offered.
    pub(crate) fn bound(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().bound.clone()
    }

    /// How often the person was asked.
    pub(crate) fn times_asked(&self) -> u32 {
        self.state.lock().unwrap().asked
    }

    /// Whether the person refuses from now on.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.state.lock().unwrap().refuses = refuses;
    }

    /// The keys of a shortcut go down.
    pub(crate) fn activate(&self, id: &str) {
        self.signal("Activated", id);
    }

    /// The keys of a shortcut go up.
    pub(crate) fn deactivate(&self, id: &str) {
        self.signal("Deactivated", id);
    }

    fn signal(&self, signal: &str, id: &str) {
        let session = self.state.lock().unwrap().session.clone().expect("there is a session");
        let options: HashMap<&str, Value<'_>> = HashMap::new();
        self.connection.emit_signal(None::<&str>, PATH, INTERFACE, signal, &(session, id, 1_u64, options)).unwrap();
    }

    /// The desktop ends the session.
    pub(crate) fn close_session(&self) {
        let session: OwnedObjectPath = self.state.lock().unwrap().session.take().expect("there is a session");
        let path: ObjectPath<'_> = session.as_ref();
        self.connection.emit_signal(None::<&str>, path, "org.freedesktop.impl.portal.Session", "Closed", &()).unwrap();
    }

    /// The desktop ends the session with the keyboard.
    pub(crate) fn end_remote_desktop(&self) {
        let session = self.keyboard.lock().unwrap().sessions.pop().expect("there is a session");
        let path: ObjectPath<'_> = session.as_ref();
        self.connection.emit_signal(None::<&str>, path, "org.freedesktop.impl.portal.Session", "Closed", &()).unwrap();
    }

    /// Waits until the program closed its session.
    pub(crate) fn wait_until_closed(&self) {
        let is_closed = || self.state.lock().unwrap().session.is_none();
        assert!(wait_until(Duration::from_secs(60), is_closed), "the session stays open");
    }
}
