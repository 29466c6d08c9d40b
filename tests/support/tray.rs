//! A tray host: the watcher of the StatusNotifierItem specification on the test's bus, and a client of `com.canonical.dbusmenu` that
//! reads and clicks the menu of an icon.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use zbus::blocking::{Connection, Proxy, connection};
use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Structure, Value};

use crate::desktop::bus_address;
use crate::process::wait_until;

/// A menu entry on the bus: its ID, its properties, its children.
type Entry = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

const WATCHER: &str = "org.kde.StatusNotifierWatcher";

/// The bus name and the object path of each registered icon.
type Icons = Arc<Mutex<Vec<(String, String)>>>;

struct Watcher(Icons);

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        self.0.lock().push((sender, service.to_owned()));
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        Vec::new()
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

/// A menu item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    id: i32,
    /// The text without the mnemonic underscore.
    pub label: String,
    /// Whether the item is ticked.
    pub ticked: bool,
}

/// A running tray host.
#[derive(Debug)]
pub struct Tray {
    bus: Connection,
    icons: Icons,
}

impl Tray {
    /// Starts on the bus of [`crate::desktop::with_desktop_and_bus`].
    pub fn start() -> Self {
        let address = bus_address();
        let icons = Icons::default();
        let serve = || -> zbus::Result<Connection> {
            let builder = connection::Builder::address(address.as_str())?.name(WATCHER)?;
            builder.serve_at("/StatusNotifierWatcher", Watcher(icons.clone()))?.build()
        };
        Self { bus: serve().expect("the watcher's name is free on a private bus"), icons }
    }

    /// All items of the first icon's menu. The items of a submenu follow the one that opens it.
    pub fn items(&self) -> Vec<Item> {
        self.read().unwrap_or_default()
    }

    fn read(&self) -> Option<Vec<Item>> {
        let menu = self.menu()?;
        let nothing: &[&str] = &[];
        let (_, root): (u32, OwnedValue) = {
            let reply = menu.call_method("GetLayout", &(0_i32, -1_i32, nothing)).ok()?;
            let (revision, root): (u32, Entry) = reply.body().deserialize().ok()?;
            let root = Value::from(Structure::from(root));
            (revision, root.try_to_owned().ok()?)
        };
        let mut items = Vec::new();
        gather(&root, &mut items);
        Some(items)
    }

    fn menu(&self) -> Option<Proxy<'_>> {
        let (owner, path) = self.icons.lock().first().cloned()?;
        let icon = Proxy::new(&self.bus, owner.clone(), path, "org.kde.StatusNotifierItem").ok()?;
        let menu: OwnedObjectPath = icon.get_property("Menu").ok()?;
        Proxy::new(&self.bus, owner, menu, "com.canonical.dbusmenu").ok()
    }

    /// Waits for an item with this label.
    pub fn wait_for(&self, label: &str) -> Item {
        let mut items = Vec::new();
        let there = wait_until(Duration::from_secs(60), || {
            items = self.items();
            items.iter().any(|item| item.label == label)
        });
        assert!(there, "the tray has no `{label}`: {items:#?}");
        items.into_iter().find(|item| item.label == label).expect("it was there")
    }

    /// Clicks an item. Retries, because a menu that is rebuilt in between gives its items new IDs. A program that ends on the click need
    /// not answer.
    pub fn click(&self, label: &str) {
        let clicked = || {
            let item = self.wait_for(label);
            let event = (item.id, "clicked", Value::from(0_i32), 0_u32);
            let Some(menu) = self.menu() else { return false };
            match menu.call_method("Event", &event) {
                Ok(_) => true,
                Err(zbus::Error::MethodError(name, ..)) => name.as_str() == "org.freedesktop.DBus.Error.NoReply",
                Err(_) => false,
            }
        };
        assert!(wait_until(Duration::from_secs(60), clicked), "`{label}` cannot be clicked");
    }
}

/// Collects an item and its descendants. An item is `(ia{sv}av)`: its ID, its properties, its children.
fn gather(item: &Value<'_>, items: &mut Vec<Item>) {
    let item = if let Value::Value(inner) = item { inner } else { item };
    let Value::Structure(item) = item else { return };
    let [Value::I32(id), Value::Dict(properties), Value::Array(own)] = item.fields() else { return };
    let label: Option<&str> = properties.get(&"label").ok().flatten();
    let ticked: Option<i32> = properties.get(&"toggle-state").ok().flatten();
    if let Some(label) = label.filter(|label| !label.is_empty()) {
        // An underscore marks the mnemonic.
        items.push(Item { id: *id, label: label.replacen('_', "", 1), ticked: ticked == Some(1) });
    }
    for item in own.iter() {
        gather(item, items);
    }
}
