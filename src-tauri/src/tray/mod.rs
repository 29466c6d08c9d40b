//! The tray icon: its tooltip shows what AURA is doing, and its menu switches providers and settings without opening a window.

mod labels;

use aura_core::Assistant;
use aura_core::api::{self, ChangeSettings, Nothing, ProviderView, SessionId, SessionsQuery, Snapshot, Switch};
use aura_core::config::{Language, ScreenPolicy};
use aura_core::error::{Error, Result};
use aura_core::event::Event;
use aura_core::record::Stage;
use aura_providers::Service;
use serde_json::json;
use tauri::menu::{CheckMenuItemBuilder, Menu, MenuBuilder, MenuItem, MenuItemBuilder, SubmenuBuilder};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Runtime};
use tokio::sync::broadcast::error::RecvError;

use crate::windows;
use labels::Labels;

/// The id of the tray icon.
const TRAY: &str = "aura";
/// The ids of the menu items. A provider's item is `switch:SERVICE:PROVIDER`.
const MUTE: &str = "mute";
const SCREEN: &str = "screen";
const SHOW: &str = "show";
const QUIT: &str = "quit";
const SWITCH: &str = "switch";
const NEW: &str = "new";
/// A conversation's item is `continue:ID`.
const CONTINUE: &str = "continue";
/// A persona's item is `persona:NAME`; without a name, it stands for none.
const PERSONA: &str = "persona";
/// The earlier conversations in the menu.
const RECENT: u32 = 3;
/// Characters of a conversation's title in the menu.
const MAX_TITLE_CHARS: usize = 40;
/// Longest wait for the desktop. One that does not answer is treated as having no tray.
#[cfg(target_os = "linux")]
const DESKTOP_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(500);

/// What the menu shows, except the stage. The menu is rebuilt when this changes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MenuState {
    language: Language,
    is_muted: bool,
    /// Whether AURA may take screenshots.
    may_see_screen: bool,
    services: Vec<ServiceMenu>,
    /// ID and title of the newest conversations, without the current one.
    recent: Vec<(String, String)>,
    personas: Vec<String>,
    /// The name of the chosen persona; empty: none.
    persona: String,
}

/// The provider of one service, and the providers to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ServiceMenu {
    service: Service,
    /// The name of the current provider.
    current: Option<String>,
    /// Name and label of each provider that is ready.
    ready: Vec<(String, String)>,
}

impl MenuState {
    fn of(snapshot: &Snapshot, recent: Vec<(String, String)>) -> Self {
        let ready = |service: Service| {
            let is_ready =
                |provider: &&ProviderView| provider.problem.is_none() && provider.services.contains(&service);
            snapshot.providers.iter().filter(is_ready).map(|it| (it.name.clone(), it.label.clone())).collect()
        };
        let current = |service: Service| {
            let routes = snapshot.routes.iter().find(|routes| routes.service == service)?;
            routes.routes.first().map(|route| route.provider.clone())
        };
        let menu = |service| ServiceMenu { service, current: current(service), ready: ready(service) };
        Self {
            language: snapshot.settings.appearance.language,
            is_muted: snapshot.settings.speaking.muted,
            may_see_screen: snapshot.settings.screen.share != ScreenPolicy::Never,
            services: Service::ALL.into_iter().map(menu).collect(),
            recent,
            personas: snapshot.settings.personas.iter().map(|persona| persona.name.clone()).collect(),
            persona: snapshot.settings.find_persona(None).map(|persona| persona.name.clone()).unwrap_or_default(),
        }
    }
}

/// ID and title of the newest conversations, without the current one. None when the history cannot be read.
async fn recent(assistant: &Assistant) -> Vec<(String, String)> {
    let query = SessionsQuery { limit: RECENT + 1, ..SessionsQuery::default() };
    let found = api::sessions(assistant, query).await.unwrap_or_default();
    let current = assistant.session();
    let earlier = found.into_iter().filter(|one| one.id != current && !one.title.is_empty());
    earlier.take(RECENT as usize).map(|one| (one.id, shorten(&one.title))).collect()
}

/// The beginning of a title, in one line. In a menu, an underscore and an ampersand mark a mnemonic.
fn shorten(title: &str) -> String {
    let line = title.split_whitespace().collect::<Vec<_>>().join(" ").replace('_', " ").replace('&', "＆");
    match line.char_indices().nth(MAX_TITLE_CHARS) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// Creates the tray icon. Returns false if that fails or the library for it is missing; AURA then works without it.
pub(crate) fn create<R: Runtime>(app: &AppHandle<R>, assistant: &Assistant) -> bool {
    if !has_library() {
        tracing::info!("there is no tray icon, because libayatana-appindicator3 is not installed");
        return false;
    }
    let built = build(app, assistant);
    if let Err(cause) = &built {
        tracing::warn!(%cause, "the tray icon could not be created");
    }
    built.is_ok()
}

/// Whether the tray icon is visible. Queries the desktop, which may block for up to half a second.
pub(crate) fn is_visible<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.tray_by_id(TRAY).is_some() && is_shown_by_desktop()
}

fn build<R: Runtime>(app: &AppHandle<R>, assistant: &Assistant) -> tauri::Result<()> {
    let (menu, _) = menu(app, &MenuState::of(&assistant.snapshot(), Vec::new()), Stage::Idle)?;
    let assistant = assistant.clone();
    let mut tray = TrayIconBuilder::with_id(TRAY).menu(&menu).tooltip("AURA").on_menu_event(move |app, event| {
        let (app, assistant, id) = (app.clone(), assistant.clone(), event.id().0.clone());
        tauri::async_runtime::spawn(async move {
            if let Err(error) = handle(&app, &assistant, &id).await {
                tracing::warn!(code = error.code.as_str(), "{}", error.message);
            }
        });
    });
    if let Some(icon) = app.default_window_icon() {
        tray = tray.icon(icon.clone());
    }
    tray.build(app)?;
    Ok(())
}

/// Keeps the menu and the tooltip up to date until the assistant ends.
pub(crate) async fn follow<R: Runtime>(app: AppHandle<R>, assistant: Assistant) {
    let mut events = assistant.subscribe();
    let (mut shown, mut stage, mut stage_item) = (None, Stage::Idle, None::<MenuItem<R>>);
    // Set when the menu may have changed.
    let mut changed = Some(Box::new(assistant.snapshot()));
    let mut conversations = recent(&assistant).await;
    loop {
        if let Some(snapshot) = &changed {
            stage = snapshot.stage;
        }
        let fresh = changed.take().map(|snapshot| MenuState::of(&snapshot, conversations.clone()));
        if let Some(fresh) = fresh.filter(|fresh| shown.as_ref() != Some(fresh)) {
            match menu(&app, &fresh, stage) {
                Ok((menu, first)) => {
                    stage_item = Some(first);
                    if let Some(tray) = app.tray_by_id(TRAY) {
                        let _ = tray.set_menu(Some(menu));
                    }
                }
                Err(cause) => tracing::warn!(%cause, "the tray menu could not be built"),
            }
            shown = Some(fresh);
        }
        if let Some(shown) = &shown {
            let label = Labels::of(shown.language).stage(stage);
            if let Some(item) = &stage_item {
                let _ = item.set_text(label);
            }
            if let Some(tray) = app.tray_by_id(TRAY) {
                let _ = tray.set_tooltip(Some(format!("AURA: {label}")));
            }
        }
        loop {
            match events.recv().await {
                Ok(Event::Stage { stage: now, .. }) => stage = now,
                Ok(Event::Changed { snapshot }) => {
                    conversations = recent(&assistant).await;
                    changed = Some(snapshot);
                }
                Ok(Event::Done { .. } | Event::History) | Err(RecvError::Lagged(_)) => {
                    conversations = recent(&assistant).await;
                    changed = Some(Box::new(assistant.snapshot()));
                }
                Ok(_) => continue,
                Err(RecvError::Closed) => return,
            }
            break;
        }
    }
}

/// Builds the menu. Also returns its first item, which shows the stage.
fn menu<R: Runtime>(app: &AppHandle<R>, state: &MenuState, stage: Stage) -> tauri::Result<(Menu<R>, MenuItem<R>)> {
    let labels = Labels::of(state.language);
    let stage_item = MenuItemBuilder::new(labels.stage(stage)).enabled(false).build(app)?;
    let mut menu = MenuBuilder::new(app).item(&stage_item).separator();
    for service_menu in &state.services {
        let label = service_menu.ready.iter().find(|(name, _)| Some(name) == service_menu.current.as_ref());
        let label = label.map_or(labels.not_set_up.as_str(), |(_, label)| label);
        let mut providers = SubmenuBuilder::new(app, format!("{}: {label}", labels.service(service_menu.service)));
        for (name, label) in &service_menu.ready {
            let id = format!("{SWITCH}:{}:{name}", service_menu.service.as_str());
            let is_current = Some(name) == service_menu.current.as_ref();
            providers = providers.item(&CheckMenuItemBuilder::with_id(id, label).checked(is_current).build(app)?);
        }
        menu = menu.item(&providers.enabled(!service_menu.ready.is_empty()).build()?);
    }
    if !state.personas.is_empty() {
        let shown = if state.persona.is_empty() { labels.no_persona.as_str() } else { &state.persona };
        let mut personas = SubmenuBuilder::new(app, format!("{}: {shown}", labels.persona));
        let none = std::iter::once((String::new(), labels.no_persona.clone()));
        for (name, label) in none.chain(state.personas.iter().map(|name| (name.clone(), name.clone()))) {
            let is_chosen = name == state.persona;
            let item = CheckMenuItemBuilder::with_id(format!("{PERSONA}:{name}"), label).checked(is_chosen);
            personas = personas.item(&item.build(app)?);
        }
        menu = menu.item(&personas.build()?);
    }
    menu = menu.separator().text(NEW, &labels.new_conversation);
    if !state.recent.is_empty() {
        let mut earlier = SubmenuBuilder::new(app, &labels.earlier_conversations);
        for (id, title) in &state.recent {
            earlier = earlier.text(format!("{CONTINUE}:{id}"), title);
        }
        menu = menu.item(&earlier.build()?);
    }
    let mute = CheckMenuItemBuilder::with_id(MUTE, &labels.mute).checked(state.is_muted).build(app)?;
    let screen = CheckMenuItemBuilder::with_id(SCREEN, &labels.screen).checked(state.may_see_screen).build(app)?;
    let menu = menu.separator().item(&mute).item(&screen).separator();
    Ok((menu.text(SHOW, &labels.show).text(QUIT, &labels.quit).build()?, stage_item))
}

/// Handles a click on a menu item.
async fn handle<R: Runtime>(app: &AppHandle<R>, assistant: &Assistant, id: &str) -> Result<()> {
    let config = assistant.config();
    let settings = &config.settings;
    let set = async |changes| api::change_settings(assistant, ChangeSettings { changes }).await.map(drop);
    match id {
        SHOW => windows::show_main(app),
        QUIT => app.exit(0),
        NEW => api::new_session(assistant, Nothing {}).await.map(drop)?,
        MUTE => set(json!({"speaking": {"muted": !settings.speaking.muted}})).await?,
        // Back to the default: share the screen when a question is about it.
        SCREEN if settings.screen.share == ScreenPolicy::Never => set(json!({"screen": {"share": null}})).await?,
        SCREEN => set(json!({"screen": {"share": "never"}})).await?,
        _ => match id.split_once(':') {
            Some((SWITCH, rest)) => {
                let Some((service, provider)) = rest.split_once(':') else { return Ok(()) };
                let service = service.parse().map_err(|_| Error::internal(format!("no service `{service}`")))?;
                api::switch(assistant, Switch { service, provider: provider.to_owned(), model: None, voice: None })
                    .await?;
            }
            Some((CONTINUE, session)) => {
                api::continue_session(assistant, SessionId { id: session.to_owned() }).await?;
            }
            Some((PERSONA, name)) => set(json!({ "persona": name })).await?,
            _ => {}
        },
    }
    Ok(())
}

/// Whether the appindicator library is installed. Without it, creating the tray icon would end the process.
#[cfg(target_os = "linux")]
fn has_library() -> bool {
    // The names and their order are from the crate libappindicator-sys 0.9.
    ["libayatana-appindicator3.so.1", "libappindicator3.so.1"].into_iter().any(|name| {
        // SAFETY: loading a library runs its initialisers. Those of these two only register GObject types, and the tray loads the same one.
        #[expect(unsafe_code, reason = "the only way to look for a library is to load it")]
        unsafe { libloading::Library::new(name) }.is_ok()
    })
}

#[cfg(not(target_os = "linux"))]
fn has_library() -> bool {
    true
}

/// Whether the desktop shows tray icons, by a property that the StatusNotifierItem specification defines. Plain GNOME and bare window
/// managers do not.
#[cfg(target_os = "linux")]
fn is_shown_by_desktop() -> bool {
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    let query = || -> zbus::Result<bool> {
        let bus = zbus::blocking::connection::Builder::session()?.method_timeout(DESKTOP_TIMEOUT).build()?;
        let watcher = zbus::blocking::Proxy::new(&bus, WATCHER, "/StatusNotifierWatcher", WATCHER)?;
        watcher.get_property("IsStatusNotifierHostRegistered")
    };
    query().unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
fn is_shown_by_desktop() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_short_line_without_mnemonics() {
        assert_eq!(shorten("Salt & pepper\nin snake_case"), "Salt ＆ pepper in snake case");
        let long = shorten(&"long ".repeat(20));
        assert_eq!((long.chars().count(), long.ends_with('…')), (MAX_TITLE_CHARS + 1, true));
    }
}
