//! What is in the windows of other programs, by AT-SPI: the interface of Linux desktops for screen readers.
//!
//! AT-SPI has a message bus of its own, on which each program answers for its windows. A program that hangs, or describes a million rows, ends
//! at the limits below. Errors name no window and no control: both are the other program's words, and the model reads errors as AURA's own.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use atspi_common::{Interface, InterfaceSet, ObjectRef, ObjectRefOwned, RelationType, Role, State, StateSet};
use atspi_proxies::accessible::AccessibleProxyBlocking;
use atspi_proxies::action::ActionProxyBlocking;
use atspi_proxies::bus::{BusProxyBlocking, StatusProxyBlocking};
use atspi_proxies::component::ComponentProxyBlocking;
use atspi_proxies::text::TextProxyBlocking;
use aura_core::desktop::{Control, Element, ElementState, TargetWindow, WindowContents};
use aura_core::error::{Error, ErrorCode, Result};
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::blocking::fdo::DBusProxy;
use zbus::names::{BusName, OwnedUniqueName};
use zbus::proxy::{CacheProperties, Defaults};
use zbus::zvariant::OwnedObjectPath;

/// The longest time for one answer of a program.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest time for a window. What was read by then counts.
const READ_TIME: Duration = Duration::from_secs(5);
/// The time that programs have to begin with their descriptions, once AT-SPI is enabled.
const ENABLE_TIME: Duration = Duration::from_secs(1);
/// The most objects that are asked, and the most elements that are listed.
const MAX_VISITED: usize = 4_000;
const MAX_ELEMENTS: usize = 400;
/// The most children of one object. Rows of a table are children of the table.
const MAX_CHILDREN: i32 = 200;
/// The longest text of an element that is read, in characters: of a field its end, else its beginning.
const MAX_TEXT: i32 = 200;

/// The registry of the programs, an object like those that they have.
const REGISTRY: (&str, &str) = ("org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root");

/// The connection to the programs that describe their windows.
pub(super) struct Accessibility {
    bus: Connection,
    /// Whether AT-SPI was enabled just now.
    just_enabled: bool,
}

/// An element with the object that it describes.
struct Found {
    element: Element,
    object: ObjectRefOwned,
    interfaces: InterfaceSet,
}

/// How far the elements of a window were read.
struct Walk {
    begun: Instant,
    visited: usize,
    listed: usize,
    is_cut: bool,
    /// The menus, each with the place and the depth of its entries in the list.
    menus: Vec<(usize, usize, ObjectRefOwned)>,
    /// The unique names of those who own the well-known names on the bus.
    owners: HashMap<String, OwnedUniqueName>,
}

/// An object of a program: the program's name on the bus, and the path.
type Reference = (String, OwnedObjectPath);

impl Accessibility {
    /// Connects to the bus.
    ///
    /// # Errors
    /// When the desktop has none.
    pub(super) fn connect() -> Result<Self> {
        let connect = || -> zbus::Result<Self> {
            let session = Connection::session()?;
            let address = BusProxyBlocking::new(&session)?.get_address()?;
            let bus = Builder::address(address.as_str())?.method_timeout(CALL_TIMEOUT).build()?;
            // Qt and browsers describe nothing until then.
            let status = StatusProxyBlocking::new(&session)?;
            let just_enabled = !status.is_enabled().unwrap_or(true) && status.set_is_enabled(true).is_ok();
            Ok(Self { bus, just_enabled })
        };
        connect().map_err(|cause| {
            let message = "This desktop does not describe its windows to screen readers. Install the package at-spi2-core, log in again, \
                           then try again.";
            Error::new(ErrorCode::Desktop, message).because(cause)
        })
    }

    /// The window of another program that has the focus, for desktops that do not tell it otherwise. See [`Self::focus`].
    ///
    /// # Errors
    /// When no program describes such a window.
    pub(super) fn front(&self) -> Result<TargetWindow> {
        match self.focus()? {
            Focus::Window(window) => Ok(window),
            Focus::Aura | Focus::Unknown => Err(Error::new(
                ErrorCode::NotFound,
                "No window of another program has the focus. Click into the one that you mean, then ask again.",
            )),
        }
    }

    /// Who has the focus. On Wayland programs know no IDs of each other's windows, so the window has the ID of its process.
    ///
    /// # Errors
    /// When AT-SPI does not answer.
    pub(super) fn focus(&self) -> Result<Focus> {
        let windows = self.windows().map_err(failed)?;
        let active = windows.into_iter().find(|window| window.state.contains(State::Active));
        Ok(match active {
            Some(window) if window.is_own() => Focus::Aura,
            Some(window) => Focus::Window(TargetWindow::new(window.process.unwrap_or_default(), &window.title)),
            None => Focus::Unknown,
        })
    }

    /// What a window shows. `process` is the ID of its program, where that is known.
    ///
    /// # Errors
    /// When its program does not describe it.
    pub(super) fn read(&self, window: &TargetWindow, process: Option<u32>) -> Result<WindowContents> {
        let (found, is_cut) = self.elements(window, process)?;
        Ok(WindowContents { elements: found.into_iter().map(|found| found.element).collect(), is_cut })
    }

    /// Presses a control, or puts the cursor into it.
    ///
    /// # Errors
    /// When it is not there any more, or its program does not let AURA do it.
    pub(super) fn use_control(&self, control: &Control, window: &TargetWindow, process: Option<u32>) -> Result<()> {
        let (found, _) = self.elements(window, process)?;
        let mut same = found.into_iter().filter(|found| found.element.control == *control);
        let (Some(found), None) = (same.next(), same.next()) else {
            let message = "The window has changed, and what was to be used is no longer the only thing of its name. Nothing was done.";
            return Err(Error::new(ErrorCode::Desktop, message));
        };
        let done = if !control.is_field && found.interfaces.contains(Interface::Action) {
            self.press(&found.object)
        } else {
            self.proxy::<ComponentProxyBlocking<'_>>(&found.object).and_then(|component| component.grab_focus())
        };
        match done {
            Ok(true) => Ok(()),
            Ok(false) => Err(not_usable()),
            Err(cause) => Err(not_usable().because(cause)),
        }
    }

    fn press(&self, object: &ObjectRefOwned) -> zbus::Result<bool> {
        let actions = self.proxy::<ActionProxyBlocking<'_>>(object)?;
        let count = actions.n_actions()?.clamp(0, 16);
        // Qt lists "set focus", too. A single action needs no name.
        let is_press = |index: &i32| {
            let name = actions.get_name(*index).unwrap_or_default().to_lowercase();
            ["press", "click", "activate", "toggle", "jump", "dodefault", "open"].contains(&name.as_str())
        };
        match (0..count).find(is_press).or((count > 0).then_some(0)) {
            Some(index) => actions.do_action(index),
            None => Ok(false),
        }
    }

    fn proxy<'p, P: Defaults + From<zbus::Proxy<'p>>>(&self, object: &ObjectRefOwned) -> zbus::Result<P> {
        let name = object.name().ok_or(zbus::Error::InterfaceNotFound)?.clone();
        // Without a cache: each object is asked once, and a subscription for each would be two calls more.
        zbus::blocking::proxy::Builder::new(&self.bus)
            .destination(name)?
            .path(object.path().clone())?
            .cache_properties(CacheProperties::No)
            .build()
    }

    fn accessible(&self, object: &ObjectRefOwned) -> zbus::Result<AccessibleProxyBlocking<'static>> {
        self.proxy(object)
    }

    /// The windows of all programs.
    fn windows(&self) -> zbus::Result<Vec<Window>> {
        let registry = AccessibleProxyBlocking::builder(&self.bus)
            .destination(REGISTRY.0)?
            .path(REGISTRY.1)?
            .cache_properties(CacheProperties::No)
            .build()?;
        let daemon = DBusProxy::new(&self.bus)?;
        let mut windows = Vec::new();
        for program in registry.get_children()? {
            let Some(name) = program.name() else { continue };
            let process = daemon.get_connection_unix_process_id(name.clone().into()).ok();
            // A program that hangs or ends describes no windows.
            let Ok(objects) = self.accessible(&program).and_then(|program| program.get_children()) else { continue };
            for object in objects {
                let described = self.accessible(&object).and_then(|window| Ok((window.name()?, window.get_state()?)));
                if let Ok((title, state)) = described {
                    windows.push(Window { object, title, state, process });
                }
            }
        }
        Ok(windows)
    }

    fn window(&self, window: &TargetWindow, process: Option<u32>) -> zbus::Result<Option<ObjectRefOwned>> {
        // The title as it is shown is all that is known of it.
        let rank = |described: &Window| {
            if described.is_own() {
                return None;
            }
            let has_title = !window.title.is_empty() && TargetWindow::new(0, &described.title).title == window.title;
            let is_its = process.is_some() && described.process == process;
            let is_active = described.state.contains(State::Active);
            (has_title || is_its).then_some((has_title, is_its, is_active))
        };
        let ranked = self.windows()?.into_iter().filter_map(|window| Some((rank(&window)?, window)));
        Ok(ranked.max_by_key(|(rank, _)| *rank).map(|(_, window)| window.object))
    }

    /// The elements of a window in their order, and whether there are more.
    fn elements(&self, window: &TargetWindow, process: Option<u32>) -> Result<(Vec<Found>, bool)> {
        let mut object = self.window(window, process).map_err(failed)?;
        if object.is_none() && self.just_enabled {
            std::thread::sleep(ENABLE_TIME);
            object = self.window(window, process).map_err(failed)?;
        }
        let object = object.ok_or_else(|| {
            let message =
                "The program does not describe its window to screen readers. Ask AURA to look at the screen instead.";
            Error::new(ErrorCode::NotFound, message)
        })?;
        let mut walk = Walk {
            begun: Instant::now(),
            visited: 0,
            listed: 0,
            is_cut: false,
            menus: Vec::new(),
            owners: HashMap::new(),
        };
        let mut found = self.walk(&object, 0, false, &mut walk);
        // The entries of menus are read last, so that the limits leave out these rather than what is shown.
        let menus = std::mem::take(&mut walk.menus);
        let entries: Vec<_> =
            menus.into_iter().map(|(place, depth, menu)| (place, self.walk(&menu, depth, true, &mut walk))).collect();
        // The last first, so that the places of the others stay right.
        for (place, entries) in entries.into_iter().rev() {
            found.splice(place..place, entries);
        }
        Ok((found, walk.is_cut))
    }

    /// The elements below an object. Menus are noted and not entered, unless the object is one itself.
    fn walk(&self, object: &ObjectRefOwned, depth: usize, in_menu: bool, walk: &mut Walk) -> Vec<Found> {
        let mut found = Vec::new();
        // The next object is the last: the children of an object come before what follows it.
        let mut waiting = self.children(object, depth, walk);
        while let Some((object, depth)) = waiting.pop() {
            walk.visited += 1;
            if walk.visited > MAX_VISITED || walk.listed >= MAX_ELEMENTS || walk.begun.elapsed() > READ_TIME {
                walk.is_cut = true;
                break;
            }
            // It may be gone by now.
            let Ok(Some(described)) = self.describe(object.clone(), depth, in_menu) else { continue };
            let is_menu = described.element.control.role == Role::Menu.name();
            let below = depth + usize::from(described.is_listed());
            if described.is_listed() {
                walk.listed += 1;
                found.push(described);
            }
            if is_menu && !in_menu {
                walk.menus.push((found.len(), below, object));
            } else {
                waiting.append(&mut self.children(&object, below, walk));
            }
        }
        found
    }

    /// The children of an object, the last first.
    fn children(&self, object: &ObjectRefOwned, depth: usize, walk: &mut Walk) -> Vec<(ObjectRefOwned, usize)> {
        let mut read = || -> zbus::Result<Vec<ObjectRefOwned>> {
            let parent = self.accessible(object)?;
            let (calls, count) = (parent.inner(), parent.child_count()?);
            walk.is_cut |= count > MAX_CHILDREN;
            let mut children: Vec<Reference> = match count {
                1..=MAX_CHILDREN => calls.call("GetChildren", &())?,
                _ => Vec::new(),
            };
            // A box with a page of WebKit lists nothing, and has a child all the same.
            if children.is_empty() {
                let child = |index| calls.call("GetChildAtIndex", &(index,));
                children = (0..count.min(MAX_CHILDREN)).map(child).collect::<zbus::Result<_>>()?;
            }
            children.into_iter().map(|child| self.object(child, &mut walk.owners)).collect()
        };
        let children = read().unwrap_or_default();
        children.into_iter().rev().map(|child| (child, depth)).collect()
    }

    /// The object that a program refers to. WebKit refers to its processes by well-known names.
    fn object(
        &self,
        (name, path): Reference,
        owners: &mut HashMap<String, OwnedUniqueName>,
    ) -> zbus::Result<ObjectRefOwned> {
        let unique = match OwnedUniqueName::try_from(name.as_str()) {
            Ok(unique) => unique,
            Err(_) => match owners.get(&name) {
                Some(owner) => owner.clone(),
                None => {
                    let owner = DBusProxy::new(&self.bus)?.get_name_owner(BusName::try_from(name.as_str())?)?;
                    owners.insert(name, owner.clone());
                    owner
                }
            },
        };
        Ok(ObjectRef::Owned { name: unique.into_inner(), path: path.into_inner() }.into())
    }

    /// An object in words; `None` when it is neither shown nor an entry of a closed menu, and cannot hold anything that is.
    fn describe(&self, object: ObjectRefOwned, depth: usize, in_menu: bool) -> zbus::Result<Option<Found>> {
        let described = self.accessible(&object)?;
        let state = described.get_state()?;
        // A menu that is opened takes the keyboard, and with it the shortcut by which the next question is answered. Its entries can be
        // chosen while it is closed.
        let can_be_used = state.contains(State::Showing) || (in_menu && state.contains(State::Visible));
        let role = described.get_role()?;
        // WebKit puts its pages into boxes that do not say that they are shown.
        if !can_be_used && !matches!(role, Role::Filler | Role::ScrollPane) {
            return Ok(None);
        }
        let interfaces = described.get_interfaces()?;
        let has_text = interfaces.contains(Interface::Text) && role != Role::PasswordText;
        let is_field =
            state.contains(State::Editable) || matches!(role, Role::Entry | Role::PasswordText | Role::Terminal);
        let mut name = if can_be_used { described.name()? } else { String::new() };
        let text = if has_text && (is_field || name.is_empty()) {
            self.text(&object, is_field).unwrap_or_default()
        } else {
            String::new()
        };
        // Boxes that only arrange others have no label, and are many.
        let can_have_label =
            is_field || interfaces.contains(Interface::Action) || interfaces.contains(Interface::Value);
        if name.is_empty() && can_have_label {
            name = self.label(&described).unwrap_or_default();
        }
        let (name, text) = if name.is_empty() && !is_field { (text, String::new()) } else { (name, text) };
        let element =
            Element { control: Control::new(role.name(), &name, is_field), text, states: states(state), depth };
        Ok(Some(Found { element, object, interfaces }))
    }

    /// The text in an object.
    fn text(&self, object: &ObjectRefOwned, is_field: bool) -> zbus::Result<String> {
        let text = self.proxy::<TextProxyBlocking<'_>>(object)?;
        let count = text.character_count()?;
        let first = if is_field { (count - MAX_TEXT).max(0) } else { 0 };
        let read = text.get_text(first, count.min(first.saturating_add(MAX_TEXT)))?;
        // Objects within the text, such as links, which are elements of their own.
        Ok(read.replace('\u{fffc}', " ").trim().to_owned())
    }

    /// The label of an object that has no name of its own: that of the text beside it, or its tooltip.
    fn label(&self, object: &AccessibleProxyBlocking<'_>) -> zbus::Result<String> {
        let relations = object.get_relation_set()?;
        let labels = relations.into_iter().filter(|(kind, _)| *kind == RelationType::LabelledBy);
        for label in labels.flat_map(|(_, objects)| objects) {
            let name = self.accessible(&label)?.name()?;
            if !name.is_empty() {
                return Ok(name);
            }
        }
        object.description()
    }
}

/// A window as its program describes it.
struct Window {
    object: ObjectRefOwned,
    title: String,
    state: StateSet,
    process: Option<u32>,
}

impl Window {
    /// Whether it is one of AURA's.
    fn is_own(&self) -> bool {
        self.process == Some(std::process::id())
    }
}

/// Who has the focus.
pub(super) enum Focus {
    /// A window of another program.
    Window(TargetWindow),
    /// One of AURA's own windows.
    Aura,
    /// No program says that it has it.
    Unknown,
}

impl Found {
    /// Whether it says anything: boxes that only arrange others do not.
    fn is_listed(&self) -> bool {
        let Element { control, text, .. } = &self.element;
        !control.name.is_empty() || !text.is_empty() || control.is_field
    }
}

fn states(state: StateSet) -> Vec<ElementState> {
    let said = [
        (state.contains(State::Checked), ElementState::Checked),
        (state.contains(State::Selected), ElementState::Selected),
        (state.contains(State::Focused), ElementState::Focused),
        (!state.contains(State::Sensitive) && !state.contains(State::Enabled), ElementState::Disabled),
        (!state.contains(State::Showing), ElementState::InClosedMenu),
    ];
    said.into_iter().filter(|(is_so, _)| *is_so).map(|(_, state)| state).collect()
}

fn failed(cause: zbus::Error) -> Error {
    Error::new(ErrorCode::Desktop, "The desktop's accessibility service does not answer. Try again, or log in again.")
        .because(cause)
}

fn not_usable() -> Error {
    Error::new(ErrorCode::Desktop, "The program does not let AURA do that in its window. Do it yourself.")
}
