//! A desktop portal with the traps of real ones: newer ones serve only programs that told their ID, and some list no shortcuts although
//! they are bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus::{fdo, interface};

pub(crate) const PATH: &str = "/org/freedesktop/portal/desktop";
pub(crate) const NAME: &str = "org.freedesktop.portal.Desktop";
const INTERFACE: &str = "org.freedesktop.portal.GlobalShortcuts";

type Options = HashMap<String, OwnedValue>;

/// What makes this portal difficult.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Traps {
    /// Whether a program must register its ID before anything else.
    pub(crate) wants_app_id: bool,
    /// Whether the answer to a binding lists no shortcuts.
    pub(crate) lists_nothing: bool,
}

#[derive(Default)]
struct State {
    app_id: Option<String>,
    session: Option<OwnedObjectPath>,
}

/// A portal on the bus of this process.
pub(crate) struct Portal {
    state: Arc<Mutex<State>>,
    connection: Connection,
}

struct Registry(Arc<Mutex<State>>);
struct Shortcuts(Arc<Mutex<State>>, Traps);

#[interface(name = "org.freedesktop.host.portal.Registry")]
impl Registry {
    fn register(&self, app_id: String, _options: Options) {
        self.0.lock().unwrap().app_id = Some(app_id);
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        1
    }
}

/// The path of an object of this caller: its bus name with other separators, and the token that it chose.
pub(crate) fn path(kind: &str, header: &Header<'_>, options: &Options, token: &str) -> OwnedObjectPath {
    let sender = header.sender().unwrap().trim_start_matches(':').replace('.', "_");
    let token = String::try_from(options[token].clone()).unwrap();
    format!("{PATH}/{kind}/{sender}/{token}").try_into().unwrap()
}

/// Answers a request: 0 is done, 1 is refused.
pub(crate) async fn respond(
    connection: &zbus::Connection,
    request: &OwnedObjectPath,
    code: u32,
    results: HashMap<&str, Value<'_>>,
) {
    let interface = "org.freedesktop.portal.Request";
    connection.emit_signal(None::<&str>, request, interface, "Response", &(code, results)).await.unwrap();
}

#[interface(name = "org.freedesktop.portal.GlobalShortcuts")]
impl Shortcuts {
    async fn create_session(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> fdo::Result<OwnedObjectPath> {
        if self.1.wants_app_id && self.0.lock().unwrap().app_id.is_none() {
            return Err(fdo::Error::AccessDenied("An app id is required".into()));
        }
        let request = path("request", &header, &options, "handle_token");
        let session = path("session", &header, &options, "session_handle_token");
        self.0.lock().unwrap().session = Some(session.clone());
        respond(connection, &request, 0, HashMap::from([("session_handle", Value::from(session.as_str()))])).await;
        Ok(request)
    }

    async fn bind_shortcuts(
        &self,
        _session: OwnedObjectPath,
        shortcuts: Vec<(String, Options)>,
        _parent: String,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> OwnedObjectPath {
        let request = path("request", &header, &options, "handle_token");
        let bound: Vec<(String, HashMap<&str, Value<'_>>)> = shortcuts
            .into_iter()
            .map(|(id, _)| (id, HashMap::from([("description", "".into()), ("trigger_description", "".into())])))
            .filter(|_| !self.1.lists_nothing)
            .collect();
        respond(connection, &request, 0, HashMap::from([("shortcuts", Value::from(bound))])).await;
        request
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        2
    }
}

impl Portal {
    /// Starts the portal.
    pub(crate) fn start(traps: Traps) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let builder = Builder::session().unwrap().name(NAME).unwrap();
        let builder = builder.serve_at(PATH, Registry(state.clone())).unwrap();
        let connection = builder.serve_at(PATH, Shortcuts(state.clone(), traps)).unwrap().build().unwrap();
        Self { state, connection }
    }

    /// The ID that the program told.
    pub(crate) fn app_id(&self) -> Option<String> {
        self.state.lock().unwrap().app_id.clone()
    }

    /// The keys of a shortcut go down.
    pub(crate) fn activate(&self, id: &str) {
        let session = self.state.lock().unwrap().session.clone().expect("there is a session");
        let options: HashMap<&str, Value<'_>> = HashMap::new();
        self.connection
            .emit_signal(None::<&str>, PATH, INTERFACE, "Activated", &(session, id, 1_u64, options))
            .unwrap();
    }
}
