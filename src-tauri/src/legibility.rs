//! The desktop's text size and contrast. Web views follow both by themselves, but for two things on Linux: a window of a fixed size has to
//! grow with its text, and WebKitGTK takes the contrast from GTK's theme alone.

#[cfg(target_os = "linux")]
pub(crate) use linux::{follow_contrast, text_scale};

/// How much larger than usual the desktop makes text: nothing that a window has to make room for.
#[cfg(not(target_os = "linux"))]
pub(crate) fn text_scale() -> f64 {
    1.0
}

#[cfg(target_os = "linux")]
mod linux {
    use gtk::prelude::GtkSettingsExt;
    use tauri::{AppHandle, Runtime};
    use zbus::blocking::{Proxy, connection};
    use zbus::zvariant::{OwnedValue, Value};

    /// The resolution at which GTK shows text in its usual size, in dots per inch.
    const USUAL_DPI: f64 = 96.0;
    /// GTK gives the resolution in parts of a dot.
    const PARTS: f64 = 1024.0;

    const PORTAL: &str = "org.freedesktop.portal.Desktop";
    const PORTAL_PATH: &str = "/org/freedesktop/portal/desktop";
    const PORTAL_SETTINGS: &str = "org.freedesktop.portal.Settings";
    const APPEARANCE: &str = "org.freedesktop.appearance";
    const CONTRAST: &str = "contrast";
    /// The value of [`CONTRAST`] that asks for more of it.
    const HIGH: u32 = 1;

    /// How much larger than usual GTK and WebKitGTK make text. Must be called on the main thread.
    pub(crate) fn text_scale() -> f64 {
        // A desktop that says nothing leaves a negative number.
        let dpi = gtk::Settings::default().map_or(0, |settings| settings.gtk_xft_dpi());
        if dpi <= 0 { 1.0 } else { (f64::from(dpi) / PARTS / USUAL_DPI).clamp(0.5, 3.0) }
    }

    /// Gives the windows the contrast that the desktop's portal asks for, now and whenever it changes.
    pub(crate) fn follow_contrast<R: Runtime>(app: AppHandle<R>) {
        let apply = move |contrast: u32| {
            let _ = app.run_on_main_thread(move || use_contrast(contrast));
        };
        let watch = move || {
            if let Err(cause) = watch_contrast(apply) {
                tracing::debug!(%cause, "the desktop does not tell its contrast");
            }
        };
        if let Err(cause) = std::thread::Builder::new().name("contrast".into()).spawn(watch) {
            tracing::warn!(%cause, "the desktop's contrast is not followed");
        }
    }

    /// WebKitGTK looks at the name of GTK's theme. GNOME changes that as well; other desktops tell the portal alone.
    fn use_contrast(contrast: u32) {
        let Some(settings) = gtk::Settings::default() else { return };
        if contrast != HIGH {
            settings.reset_property("gtk-theme-name");
            return;
        }
        let theme = settings.gtk_theme_name().unwrap_or_default().to_lowercase();
        if !theme.starts_with("highcontrast") {
            let is_dark = theme.ends_with("dark");
            settings.set_gtk_theme_name(Some(if is_dark { "HighContrastInverse" } else { "HighContrast" }));
        }
    }

    /// Passes on the portal's contrast and each change of it, until the message bus ends.
    fn watch_contrast(apply: impl Fn(u32)) -> zbus::Result<()> {
        let bus = connection::Builder::session()?.build()?;
        let portal = Proxy::new(&bus, PORTAL, PORTAL_PATH, PORTAL_SETTINGS)?;
        let changes = portal.receive_signal_with_args("SettingChanged", &[(0, APPEARANCE), (1, CONTRAST)])?;
        // A desktop without this setting, or one whose portal starts later, is no error.
        if let Ok(now) = portal.call::<_, _, OwnedValue>("Read", &(APPEARANCE, CONTRAST)) {
            apply(number(&now));
        }
        for change in changes {
            let body = change.body();
            let (_, _, now): (&str, &str, Value<'_>) = body.deserialize()?;
            apply(number(&now));
        }
        Ok(())
    }

    /// The number in a value, which the portal's older methods wrap in another value.
    fn number(value: &Value<'_>) -> u32 {
        match value {
            Value::U32(contrast) => *contrast,
            Value::Value(inner) => number(inner),
            _ => 0,
        }
    }
}
