//! `cargo xtask bench window`: the time from the start of the program until its main window shows content.
//!
//! It is measured twice: on the screen, by the first picture that contains text; and in the page, by its first contentful paint, which can
//! only be read through WebDriver and so includes its overhead.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aura_tests::aura::Aura;
use aura_tests::desktop::in_private_desktop;
use aura_tests::process::wait_until;
use aura_tests::window::Window;
use serde_json::Value;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt, ImageFormat, Screen};
use x11rb::rust_connection::RustConnection;

const SIZE: (u16, u16) = (1280, 900);

/// A picture with at least this many colours contains text, whose edges are antialiased. Fewer are a background or a frame.
const COLOURS: usize = 12;

/// Returns the time origin of the page in milliseconds since 1970, and its first contentful paint in milliseconds since then.
const PAINT: &str = "return [performance.timeOrigin, performance.getEntriesByType('paint').find((e) => e.name === 'first-contentful-paint')?.startTime ?? null]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(runs), Some(programs)) =
        (arguments.first().and_then(|runs| runs.parse::<usize>().ok()), arguments.get(1))
    else {
        eprintln!("usage: bench-window RUNS FOLDER-OF-PROGRAMS; `cargo xtask bench window` calls it");
        return ExitCode::from(2);
    };
    in_private_desktop(SIZE.0.into(), SIZE.1.into(), false, || measure(runs, Path::new(programs)))
}

fn measure(runs: usize, programs: &Path) {
    let mut rows: Vec<(&str, Vec<f64>)> =
        ["window visible", "first text on the screen", "first contentful paint", "of that, in the page"]
            .map(|name| (name, Vec::new()))
            .into();
    let screen = ScreenReader::open();
    for run in 0..=runs {
        let (shown, written) = on_the_screen(&screen, programs);
        let (painted, page) = in_the_page(programs);
        println!(
            "run {run:2}: window {shown:5.0} ms, text {written:5.0}, contentful paint {painted:5.0}{}",
            // The first run reads programs and libraries from the disk.
            if run == 0 { " (not counted)" } else { "" }
        );
        if run > 0 {
            for ((_, values), value) in rows.iter_mut().zip([shown, written, painted, page]) {
                values.push(value);
            }
        }
    }
    let build = if programs.ends_with("release") { "optimised" } else { "debug" };
    println!(
        "\nfrom the start of the program, {build} build, {runs} runs\n{:34} {:>8} {:>8} {:>8}",
        "milliseconds", "least", "p50", "most"
    );
    for (name, mut values) in rows {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        println!("{name:34} {:8.0} {:8.0} {:8.0}", at(0), at(values.len() / 2), at(values.len().saturating_sub(1)));
    }
}

/// Reads the pixels of the private display.
struct ScreenReader {
    connection: RustConnection,
    screen: Screen,
}

impl ScreenReader {
    fn open() -> Self {
        let (connection, number) = x11rb::connect(None).expect("the private display can be reached");
        let screen = connection.setup().roots.get(number).cloned().expect("a display has a screen");
        Self { connection, screen }
    }

    /// The number of colours on the screen, counted up to [`COLOURS`].
    fn colours(&self) -> usize {
        let drawable = self.screen.root;
        let cookie = self.connection.get_image(ImageFormat::Z_PIXMAP, drawable, 0, 0, SIZE.0, SIZE.1, u32::MAX);
        let picture = cookie.ok().and_then(|cookie| cookie.reply().ok()).map(|reply| reply.data).unwrap_or_default();
        let mut seen: Vec<&[u8]> = Vec::new();
        for pixel in picture.chunks_exact(4) {
            // The fourth byte is unused.
            let colour = &pixel[..3];
            if !seen.contains(&colour) {
                seen.push(colour);
                if seen.len() == COLOURS {
                    break;
                }
            }
        }
        seen.len()
    }
}

/// The milliseconds until the window is visible, and until it contains text.
fn on_the_screen(screen: &ScreenReader, programs: &Path) -> (f64, f64) {
    let dark = wait_until(Duration::from_secs(20), || screen.colours() == 1);
    assert!(dark, "the previous window is still visible");
    let mut aura = Aura::of(programs.join("aura"));
    aura = aura.settings("[appearance]\ntheme = \"light\"\n");
    let begun = Instant::now();
    let program = aura.spawn();
    let until = |colours: usize| {
        let there = wait_until(Duration::from_secs(60), || screen.colours() >= colours);
        assert!(there, "the window shows nothing");
        begun.elapsed().as_secs_f64() * 1_000.0
    };
    let times = (until(2), until(COLOURS));
    drop(program);
    times
}

/// The milliseconds from the start of the program, and from that of the page, to the first contentful paint.
fn in_the_page(programs: &Path) -> (f64, f64) {
    let window = Window::open(Aura::of(programs.join("aura")));
    let mut times = Value::Null;
    let painted = wait_until(Duration::from_secs(20), || {
        times = window.script(PAINT, &[]);
        times[1].is_number()
    });
    assert!(painted, "the page reports no paint: {times}");
    let (origin, paint) = (times[0].as_f64().unwrap_or(f64::NAN), times[1].as_f64().unwrap_or(f64::NAN));
    (origin + paint - window.begun_ms().unwrap_or(f64::NAN), paint)
}
