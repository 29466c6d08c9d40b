//! The tray: what AURA is doing, and the switches one wants without opening a window.

mod words;

use aura_core::Assistant;
use aura_core::api::{self, ChangeSettings, Snapshot, Switch};
use aura_core::config::{Language, Share};
use aura_core::error::{Error, Result};
use aura_core::event::Event;
use aura_core::providers::Service;
use aura_core::record::Stage;
use serde_json::json;
use tauri::menu::{CheckMenuItemBuilder, Menu, MenuBuilder, MenuItem, MenuItemBuilder, SubmenuBuilder};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Runtime};
use tokio::sync::broadcast::error::RecvError;

use crate::windows;
use words::Words;

/// Names the tray.
const TRAY: &str = "aura";
/// Names of its items. A switch is `switch:SERVICE:PROVIDER`.
const MUTE: &str = "mute";
const SCREEN: &str = "screen";
const SHOW: &str = "show";
const QUIT: &str = "quit";
const SWITCH: &str = "switch";
/// A desktop that does not answer so soon has no tray to count on.
#[cfg(target_os = "linux")]
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);

/// What the menu shows, apart from the stage. It is made again when this changes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    language: Language,
    muted: bool,
    /// Whether AURA may see the screen at all.
    screen: bool,
    services: Vec<Choice>,
}

/// Who does one service, and who else could.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    service: Service,
    now: Option<String>,
    /// Name and label.
    ready: Vec<(String, String)>,
}

impl Shown {
    fn of(snapshot: &Snapshot) -> Self {
        let ready = |service: Service| {
            let able =
                snapshot.providers.iter().filter(move |of| of.problem.is_none() && of.services.contains(&service));
            able.map(|of| (of.name.clone(), of.label.clone())).collect()
        };
        let now = |service: Service| {
            let routes = snapshot.routes.iter().find(|routes| routes.service == service)?;
            routes.routes.first().map(|route| route.provider.clone())
        };
        let choice = |service| Choice { service, now: now(service), ready: ready(service) };
        Self {
            language: snapshot.settings.appearance.language,
            muted: snapshot.settings.speaking.muted,
            screen: snapshot.settings.screen.share != Share::Never,
            services: Service::ALL.into_iter().map(choice).collect(),
        }
    }
}

/// Puts the tray there. False where the desktop's library for it is missing; AURA does without.
pub(crate) fn make<R: Runtime>(app: &AppHandle<R>, assistant: &Assistant) -> bool {
    if !library_is_there() {
        tracing::info!("there is no tray: the library for it, libayatana-appindicator3, is not installed");
        return false;
    }
    let made = build(app, assistant);
    if let Err(cause) = &made {
        tracing::warn!(%cause, "the tray could not be made");
    }
    made.is_ok()
}

/// Whether the person can see it. Asks the desktop, which may take a moment.
pub(crate) fn is_seen<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.tray_by_id(TRAY).is_some() && is_shown_by_desktop()
}

fn build<R: Runtime>(app: &AppHandle<R>, assistant: &Assistant) -> tauri::Result<()> {
    let (menu, _) = menu(app, &Shown::of(&assistant.snapshot()), Stage::Idle)?;
    let assistant = assistant.clone();
    let mut tray = TrayIconBuilder::with_id(TRAY).menu(&menu).tooltip("AURA").on_menu_event(move |app, event| {
        let (app, assistant, id) = (app.clone(), assistant.clone(), event.id().0.clone());
        tauri::async_runtime::spawn(async move {
            if let Err(error) = chosen(&app, &assistant, &id).await {
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

/// Keeps the menu true until the program ends.
pub(crate) async fn follow<R: Runtime>(app: AppHandle<R>, assistant: Assistant) {
    let mut events = assistant.subscribe();
    let (mut shown, mut stage, mut line) = (None, Stage::Idle, None::<MenuItem<R>>);
    // What the menu is made from, when it may have changed.
    let mut news = Some(Box::new(assistant.snapshot()));
    loop {
        if let Some(snapshot) = &news {
            stage = snapshot.stage;
        }
        let fresh = news.take().map(|snapshot| Shown::of(&snapshot));
        if let Some(fresh) = fresh.filter(|fresh| shown.as_ref() != Some(fresh)) {
            match menu(&app, &fresh, stage) {
                Ok((menu, first)) => {
                    line = Some(first);
                    if let Some(tray) = app.tray_by_id(TRAY) {
                        let _ = tray.set_menu(Some(menu));
                    }
                }
                Err(cause) => tracing::warn!(%cause, "the tray's menu could not be made"),
            }
            shown = Some(fresh);
        }
        if let Some(shown) = &shown {
            let doing = Words::of(shown.language).stage(stage);
            if let Some(line) = &line {
                let _ = line.set_text(doing);
            }
            if let Some(tray) = app.tray_by_id(TRAY) {
                let _ = tray.set_tooltip(Some(format!("AURA: {doing}")));
            }
        }
        loop {
            match events.recv().await {
                Ok(Event::Stage { stage: now, .. }) => stage = now,
                Ok(Event::Changed { snapshot }) => news = Some(snapshot),
                Err(RecvError::Lagged(_)) => news = Some(Box::new(assistant.snapshot())),
                Ok(_) => continue,
                Err(RecvError::Closed) => return,
            }
            break;
        }
    }
}

/// The menu, and the line in it that says what AURA does.
fn menu<R: Runtime>(app: &AppHandle<R>, shown: &Shown, stage: Stage) -> tauri::Result<(Menu<R>, MenuItem<R>)> {
    let words = Words::of(shown.language);
    let line = MenuItemBuilder::new(words.stage(stage)).enabled(false).build(app)?;
    let mut menu = MenuBuilder::new(app).item(&line).separator();
    for choice in &shown.services {
        let label = choice.ready.iter().find(|(name, _)| Some(name) == choice.now.as_ref());
        let label = label.map_or(words.nobody.as_str(), |(_, label)| label);
        let mut providers = SubmenuBuilder::new(app, format!("{}: {label}", words.service(choice.service)));
        for (name, label) in &choice.ready {
            let id = format!("{SWITCH}:{}:{name}", choice.service.as_str());
            let checked = Some(name) == choice.now.as_ref();
            providers = providers.item(&CheckMenuItemBuilder::with_id(id, label).checked(checked).build(app)?);
        }
        menu = menu.item(&providers.enabled(!choice.ready.is_empty()).build()?);
    }
    let mute = CheckMenuItemBuilder::with_id(MUTE, &words.mute).checked(shown.muted).build(app)?;
    let screen = CheckMenuItemBuilder::with_id(SCREEN, &words.screen).checked(shown.screen).build(app)?;
    let menu = menu.separator().item(&mute).item(&screen).separator();
    Ok((menu.text(SHOW, &words.show).text(QUIT, &words.quit).build()?, line))
}

/// Does what an item says.
async fn chosen<R: Runtime>(app: &AppHandle<R>, assistant: &Assistant, id: &str) -> Result<()> {
    let settings = assistant.snapshot().settings;
    let set = async |changes| api::change_settings(assistant, ChangeSettings { changes }).await.map(drop);
    match id {
        SHOW => windows::show_main(app),
        QUIT => app.exit(0),
        MUTE => set(json!({"speaking": {"muted": !settings.speaking.muted}})).await?,
        // Allowed again means what it usually means: when a question is about the screen.
        SCREEN if settings.screen.share == Share::Never => set(json!({"screen": {"share": null}})).await?,
        SCREEN => set(json!({"screen": {"share": "never"}})).await?,
        _ => {
            if let Some((SWITCH, rest)) = id.split_once(':')
                && let Some((service, provider)) = rest.split_once(':')
            {
                let service = service.parse().map_err(|_| Error::internal(format!("no service `{service}`")))?;
                api::switch(assistant, Switch { service, provider: provider.to_owned(), model: None, voice: None })
                    .await?;
            }
        }
    }
    Ok(())
}

/// Whether the desktop's library is there: without it the tray would end the program.
#[cfg(target_os = "linux")]
fn library_is_there() -> bool {
    // The names and their order are those of the crate libappindicator-sys 0.9.
    ["libayatana-appindicator3.so.1", "libappindicator3.so.1"].into_iter().any(|name| {
        // SAFETY: loading a library runs its initialisers; these two only register GObject types, and the tray loads the same one.
        #[expect(unsafe_code, reason = "a library can only be looked for by loading it")]
        unsafe { libloading::Library::new(name) }.is_ok()
    })
}

#[cfg(not(target_os = "linux"))]
fn library_is_there() -> bool {
    true
}

/// Whether the desktop shows trays: the property of the StatusNotifierItem specification says so. Plain GNOME and window managers alone
/// do not.
#[cfg(target_os = "linux")]
fn is_shown_by_desktop() -> bool {
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    let ask = || -> zbus::Result<bool> {
        let bus = zbus::blocking::connection::Builder::session()?.method_timeout(PATIENCE).build()?;
        let watcher = zbus::blocking::Proxy::new(&bus, WATCHER, "/StatusNotifierWatcher", WATCHER)?;
        watcher.get_property("IsStatusNotifierHostRegistered")
    };
    ask().unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
fn is_shown_by_desktop() -> bool {
    true
}
