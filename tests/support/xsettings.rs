//! The settings that a desktop gives to the programs on an X display, such as the size of text, by the protocol XSETTINGS.

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt, CreateWindowAux, EventMask, PropMode, WindowClass};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// The value of a setting.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    /// For example of `Xft/DPI`, in parts of 1024.
    Number(i32),
    /// For example of `Net/ThemeName`.
    Text(&'static str),
}

/// The program that owns the settings of the display which this process uses. Dropping this ends them.
#[derive(Debug)]
pub struct Settings {
    connection: RustConnection,
    window: u32,
    /// How often they were changed.
    serial: u32,
}

impl Settings {
    /// Gives these settings to all programs.
    pub fn start(settings: &[(&str, Value)]) -> Self {
        let begin = || -> Result<(Self, u32), Box<dyn std::error::Error>> {
            let (connection, screen) = x11rb::connect(None)?;
            let (root, window) = (connection.setup().roots[screen].root, connection.generate_id()?);
            let only_here = CreateWindowAux::new();
            connection.create_window(0, window, root, -1, -1, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &only_here)?;
            Ok((Self { connection, window, serial: 0 }, root))
        };
        let (mut owner, root) = begin().expect("the private display can be reached");
        owner.change(settings);
        owner.announce(root).expect("the private display can be reached");
        owner
    }

    fn announce(&self, root: u32) -> Result<(), Box<dyn std::error::Error>> {
        let atom =
            |name: &[u8]| Ok::<_, Box<dyn std::error::Error>>(self.connection.intern_atom(false, name)?.reply()?.atom);
        let (selection, manager) = (atom(b"_XSETTINGS_S0")?, atom(b"MANAGER")?);
        self.connection.set_selection_owner(self.window, selection, x11rb::CURRENT_TIME)?.check()?;
        let data = [x11rb::CURRENT_TIME, selection, self.window, 0, 0];
        let message = ClientMessageEvent::new(32, root, manager, data);
        self.connection.send_event(false, root, EventMask::STRUCTURE_NOTIFY, message)?.check()?;
        Ok(())
    }

    /// Replaces all settings.
    pub fn change(&mut self, settings: &[(&str, Value)]) {
        self.serial += 1;
        let encoded = encode(self.serial, settings);
        let write = || -> Result<(), Box<dyn std::error::Error>> {
            let property = self.connection.intern_atom(false, b"_XSETTINGS_SETTINGS")?.reply()?.atom;
            self.connection.change_property8(PropMode::REPLACE, self.window, property, property, &encoded)?.check()?;
            Ok(())
        };
        write().expect("the private display can be reached");
    }
}

/// The settings as the protocol has them, least significant byte first.
fn encode(serial: u32, settings: &[(&str, Value)]) -> Vec<u8> {
    let pad = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(4), 0);
    let length = |text: &str| u16::try_from(text.len()).expect("a short name");
    let mut bytes = vec![0; 4];
    bytes.extend(serial.to_le_bytes());
    bytes.extend(u32::try_from(settings.len()).expect("a few settings").to_le_bytes());
    for (name, value) in settings {
        bytes.extend([u8::from(matches!(value, Value::Text(_))), 0]);
        bytes.extend(length(name).to_le_bytes());
        bytes.extend(name.as_bytes());
        pad(&mut bytes);
        bytes.extend(serial.to_le_bytes());
        match value {
            Value::Number(number) => bytes.extend(number.to_le_bytes()),
            Value::Text(text) => {
                bytes.extend(u32::from(length(text)).to_le_bytes());
                bytes.extend(text.as_bytes());
                pad(&mut bytes);
            }
        }
    }
    bytes
}
