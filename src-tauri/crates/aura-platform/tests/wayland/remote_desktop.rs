//! Desktops whose keyboard a program may use: one behind the real portal, and a newer portal that remembers the permission.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::ConnectionExt as _;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus::{fdo, interface};

use crate::desktop;
use crate::portal::{NAME, PATH, path, respond};

type Options = HashMap<String, OwnedValue>;

/// The bit of the keyboard among the devices.
pub(crate) const KEYBOARD: u32 = 1;

/// A key that went down or up: its keysym, and whether it is down.
pub(crate) type Key = (u32, bool);

/// What a desktop saw of a program that controls it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How often the person was asked.
    pub(crate) asked: u32,
    /// The keys that went down and up, in order.
    pub(crate) keys: Vec<Key>,
    /// The sessions that are open.
    pub(crate) sessions: Vec<OwnedObjectPath>,
    /// Whether the person refuses.
    pub(crate) refuses: bool,
    /// The token that the next session may show, instead of asking the person.
    token: Option<String>,
    tokens: u32,
}

impl Seen {
    /// The text that the keys wrote: those that went down, without Shift.
    pub(crate) fn text(&self) -> String {
        let downs = self.keys.iter().filter(|(_, is_down)| *is_down).map(|(keysym, _)| *keysym);
        downs.filter_map(|keysym| if keysym == 0xff0d { Some('\n') } else { char::from_u32(keysym) }).collect()
    }
}

/// A portal of version 2, which remembers the permission. Keys go to the X server of this process, as those of a compositor go to its clients.
pub(crate) struct Portal {
    pub(crate) seen: Arc<Mutex<Seen>>,
    _connection: Connection,
}

struct RemoteDesktop(Arc<Mutex<Seen>>);
struct Session(Arc<Mutex<Seen>>, OwnedObjectPath);

#[interface(name = "org.freedesktop.portal.Session")]
impl Session {
    fn close(&self) {
        self.0.lock().unwrap().sessions.retain(|session| *session != self.1);
    }
}

#[interface(name = "org.freedesktop.portal.RemoteDesktop")]
impl RemoteDesktop {
    async fn create_session(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> OwnedObjectPath {
        let request = path("request", &header, &options, "handle_token");
        let session = path("session", &header, &options, "session_handle_token");
        self.0.lock().unwrap().sessions.push(session.clone());
        connection.object_server().at(&session, Session(self.0.clone(), session.clone())).await.unwrap();
        respond(connection, &request, 0, HashMap::from([("session_handle", Value::from(session.as_str()))])).await;
        request
    }

    async fn select_devices(
        &self,
        _session: OwnedObjectPath,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> OwnedObjectPath {
        let request = path("request", &header, &options, "handle_token");
        let shown = options.get("restore_token").map(|token| String::try_from(token.clone()).unwrap());
        let types = u32::try_from(options["types"].clone()).unwrap();
        assert_eq!(types, KEYBOARD, "neither the pointer nor the screen is asked for");
        {
            let mut seen = self.0.lock().unwrap();
            let is_known = seen.token.is_some() && seen.token == shown;
            seen.asked += u32::from(!is_known);
            // Each is good for one session.
            seen.token = None;
        }
        respond(connection, &request, 0, HashMap::new()).await;
        request
    }

    async fn start(
        &self,
        _session: OwnedObjectPath,
        _parent: String,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &zbus::Connection,
    ) -> OwnedObjectPath {
        let request = path("request", &header, &options, "handle_token");
        let token = {
            let mut seen = self.0.lock().unwrap();
            seen.tokens += 1;
            seen.token = Some(format!("token-{}", seen.tokens)).filter(|_| !seen.refuses);
            seen.token.clone()
        };
        let (code, results) = match token {
            Some(token) => (0, HashMap::from([("devices", Value::from(KEYBOARD)), ("restore_token", token.into())])),
            None => (1, HashMap::new()),
        };
        respond(connection, &request, code, results).await;
        request
    }

    fn notify_keyboard_keysym(
        &self,
        session: OwnedObjectPath,
        _options: Options,
        keysym: i32,
        state: u32,
    ) -> fdo::Result<()> {
        let mut seen = self.0.lock().unwrap();
        if !seen.sessions.contains(&session) {
            return Err(fdo::Error::AccessDenied("Invalid session".into()));
        }
        seen.keys.push((keysym.cast_unsigned(), state == 1));
        if std::env::var_os("DISPLAY").is_some_and(|display| !display.is_empty()) {
            strike(keysym.cast_unsigned(), state == 1);
        }
        Ok(())
    }

    #[zbus(property)]
    fn available_device_types(&self) -> u32 {
        KEYBOARD
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        2
    }
}

/// Presses or releases the key with this keysym on the X server, with Shift where the layout has it there.
fn strike(keysym: u32, is_down: bool) {
    let (server, _) = x11rb::connect(None).unwrap();
    let (first, last) = (server.setup().min_keycode, server.setup().max_keycode);
    let map = server.get_keyboard_mapping(first, last - first + 1).unwrap().reply().unwrap();
    let key = |keysym: u32| {
        let mut keys = map.keysyms.chunks(map.keysyms_per_keycode.into()).zip(first..=last);
        keys.find_map(|(syms, keycode)| Some((keycode, syms.iter().take(2).position(|sym| *sym == keysym)?)))
    };
    let (keycode, level) = key(keysym).unwrap_or_else(|| panic!("the layout has no key for {keysym:#x}"));
    let shift = key(0xffe1).filter(|_| level == 1).map(|(keycode, _)| keycode);
    let kind = if is_down { 2 } else { 3 };
    let mut keycodes: Vec<u8> = shift.into_iter().chain([keycode]).collect();
    if !is_down {
        keycodes.reverse();
    }
    for keycode in keycodes {
        x11rb::protocol::xtest::fake_input(&server, kind, keycode, 0, x11rb::NONE, 0, 0, 0).unwrap().check().unwrap();
    }
}

impl Portal {
    /// Starts the portal.
    pub(crate) fn start() -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let builder = Builder::session().unwrap().name(NAME).unwrap();
        let connection = builder.serve_at(PATH, RemoteDesktop(seen.clone())).unwrap().build().unwrap();
        Self { seen, _connection: connection }
    }
}

/// The same, as a part of the desktop behind the real portal, which has version 1 there: it remembers nothing.
pub(crate) struct Backend(pub(crate) Arc<Mutex<Seen>>);

#[interface(name = "org.freedesktop.impl.portal.RemoteDesktop")]
impl Backend {
    async fn create_session(
        &self,
        _handle: OwnedObjectPath,
        session: OwnedObjectPath,
        _app_id: String,
        _options: Options,
        #[zbus(object_server)] server: &zbus::ObjectServer,
    ) -> (u32, Options) {
        let (seen, closed) = (self.0.clone(), session.clone());
        let close = move || seen.lock().unwrap().sessions.retain(|session| *session != closed);
        server.at(&session, desktop::Session(Box::new(close))).await.unwrap();
        self.0.lock().unwrap().sessions.push(session);
        (0, Options::new())
    }

    fn select_devices(
        &self,
        _handle: OwnedObjectPath,
        _session: OwnedObjectPath,
        _app_id: String,
        _options: Options,
    ) -> (u32, Options) {
        (0, Options::new())
    }

    fn start(
        &self,
        _handle: OwnedObjectPath,
        _session: OwnedObjectPath,
        _app_id: String,
        _parent: String,
        _options: Options,
    ) -> (u32, Options) {
        let mut seen = self.0.lock().unwrap();
        seen.asked += 1;
        if seen.refuses {
            return (1, Options::new());
        }
        (0, Options::from([("devices".to_owned(), KEYBOARD.into())]))
    }

    fn notify_keyboard_keysym(&self, _session: OwnedObjectPath, _options: Options, keysym: i32, state: u32) {
        self.0.lock().unwrap().keys.push((keysym.cast_unsigned(), state == 1));
    }

    #[zbus(property)]
    fn available_device_types(&self) -> u32 {
        KEYBOARD
    }

    #[zbus(property, name = "version")]
    fn version(&self) -> u32 {
        1
    }
}
