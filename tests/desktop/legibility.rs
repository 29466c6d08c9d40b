//! The windows follow the text size and the contrast of the desktop, at once.

use std::time::Duration;

use aura_tests::aura::Aura;
use aura_tests::desktop::{bus_address, with_desktop, with_desktop_and_bus};
use aura_tests::display::{frame, make_picture, open_window, windows, with_window};
use aura_tests::process::wait_until;
use aura_tests::window::{MAIN, OVERLAY, Window, screenshots};
use aura_tests::xsettings::{Settings, Value};
use serde_json::{Value as Json, json};
use zbus::blocking::connection;
use zbus::interface;
use zbus::zvariant;

/// Text at 150 %: 144 dots per inch, in parts of 1024.
const LARGE: Value = Value::Number(144 * 1024);
const USUAL: Value = Value::Number(96 * 1024);

/// How many of its pixels the page has for each pixel of the window. Fewer are larger.
const TEXT_SIZE: &str = "return (outerWidth / innerWidth).toFixed(1)";
const CONTRAST: &str = "return document.documentElement.dataset.contrast";

fn wait_for(window: &Window, script: &str, wanted: &str) {
    let mut found = Json::Null;
    let there = wait_until(Duration::from_secs(10), || {
        found = window.script(script, &[]);
        found == wanted
    });
    assert!(there, "`{script}` is {found} and not {wanted}");
}

/// Waits until the overlay is this wide and high.
fn wait_for_size(width: i32, height: i32) {
    let fits = || frame("^AURA overlay$").is_some_and(|[.., w, h]| (w, h) == (width, height));
    assert!(wait_until(Duration::from_secs(5), fits), "it is {:?}", frame("^AURA overlay$"));
}

#[test]
fn text_size_and_contrast_of_the_theme() {
    with_desktop("legibility::text_size_and_contrast_of_the_theme", || {
        let mut desktop = Settings::start(&[("Xft/DPI", LARGE), ("Net/ThemeName", Value::Text("HighContrast"))]);
        let window = Window::open(Aura::new().settings("[appearance]\ntheme = \"light\"\n"));
        wait_for(&window, TEXT_SIZE, "1.5");
        wait_for(&window, CONTRAST, "more");
        window.picture_on_screen("^AURA$", &screenshots().join("main-large-text-high-contrast.png"));

        // The overlay is as large as its text needs.
        let picture = window.app.aura().folder().join("letter.png");
        make_picture(&picture, &["-size", "600x300", "xc:white"]);
        let _letter = open_window("Letter", &picture);
        with_window("^Letter$", &["windowactivate", "--sync"]);
        let showing = || {
            window.app.call("press", json!({}));
            let shown = wait_until(Duration::from_secs(10), || !windows("^AURA overlay$").is_empty());
            assert!(shown, "the overlay does not show");
        };
        showing();
        wait_for_size(660, 192);
        window.switch_to(OVERLAY);
        wait_for(&window, TEXT_SIZE, "1.5");
        wait_for(&window, CONTRAST, "more");
        window.picture_on_screen("^AURA overlay$", &screenshots().join("overlay-large-text-high-contrast.png"));
        window.app.call("cancel", json!({}));
        assert!(wait_until(Duration::from_secs(10), || windows("^AURA overlay$").is_empty()), "it stays");

        desktop.change(&[("Xft/DPI", USUAL), ("Net/ThemeName", Value::Text("Adwaita"))]);
        showing();
        for page in [MAIN, OVERLAY] {
            window.switch_to(page);
            wait_for(&window, TEXT_SIZE, "1.0");
            wait_for(&window, CONTRAST, "usual");
        }
        wait_for_size(440, 128);
        window.app.call("cancel", json!({}));
    });
}

/// A desktop portal that tells the contrast.
struct Portal(u32);

#[interface(name = "org.freedesktop.portal.Settings")]
impl Portal {
    fn read(&self, namespace: &str, key: &str) -> zbus::fdo::Result<zvariant::Value<'static>> {
        match (namespace, key) {
            // A value in a value, as this method has always answered.
            ("org.freedesktop.appearance", "contrast") => Ok(zvariant::Value::new(zvariant::Value::new(self.0))),
            _ => Err(zbus::fdo::Error::Failed("unknown".into())),
        }
    }
}

#[test]
fn contrast_of_the_portal() {
    with_desktop_and_bus("legibility::contrast_of_the_portal", || {
        const PATH: &str = "/org/freedesktop/portal/desktop";
        let begin = || -> zbus::Result<_> {
            connection::Builder::address(bus_address().as_str())?
                .serve_at(PATH, Portal(1))?
                .name("org.freedesktop.portal.Desktop")?
                .build()
        };
        let portal = begin().expect("the private bus can be reached");
        let window = Window::open(Aura::new().with_store());
        let change = |contrast: u32| {
            let body = ("org.freedesktop.appearance", "contrast", zvariant::Value::new(contrast));
            let interface = "org.freedesktop.portal.Settings";
            portal.emit_signal(None::<&str>, PATH, interface, "SettingChanged", &body).expect("the bus takes signals");
        };
        for page in [MAIN, OVERLAY] {
            window.switch_to(page);
            wait_for(&window, CONTRAST, "more");
        }
        // A hidden page learns of a change when it is shown.
        window.switch_to(MAIN);
        change(0);
        wait_for(&window, CONTRAST, "usual");
        change(1);
        wait_for(&window, CONTRAST, "more");
    });
}
