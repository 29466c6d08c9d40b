//! The screen port against a private X server.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::time::{Duration, Instant};

use aura_core::error::ErrorCode;
use aura_core::ports::{CaptureTarget, Screen, Screenshot};
use aura_platform::DesktopScreen;
use aura_tests::display::{self, Display, with_display};
use aura_tests::process::{in_own_process, run as run_program};

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn monitor() -> CaptureTarget {
    CaptureTarget::Monitor { name: None }
}

/// The colour at a position in thousandths of the picture.
fn colour(shot: &Screenshot, x: u32, y: u32) -> [u8; 3] {
    let image = image::load_from_memory(&shot.jpeg).unwrap().to_rgb8();
    assert_eq!(image.dimensions(), (shot.width, shot.height));
    image.get_pixel(shot.width * x / 1000, shot.height * y / 1000).0
}

fn near(got: [u8; 3], wanted: [u8; 3]) {
    assert!(got.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 12), "{got:?} is not {wanted:?}");
}

#[test]
fn the_whole_monitor_and_regions_are_captured() {
    with_display(
        "the_whole_monitor_and_regions_are_captured",
        || Display::start(1920, 1080),
        || {
            run(async {
                let folder = tempfile::tempdir().unwrap();
                let picture = folder.path().join("desktop.png");
                // Blue, with a red rectangle and text as a desktop has.
                display::make_picture(
                    &picture,
                    &[
                        "-size",
                        "1920x1080",
                        "xc:#1030c0",
                        "-fill",
                        "#d02010",
                        "-draw",
                        "rectangle 960,540 1919,1079",
                        "-fill",
                        "white",
                        "-pointsize",
                        "36",
                        "-annotate",
                        "+100+200",
                        "Meeting at ten in room four",
                    ],
                );
                display::paint(&picture);

                let screen = DesktopScreen::default();
                let mut times = Vec::new();
                for _ in 0..7 {
                    let begun = Instant::now();
                    let shot = screen.capture(&monitor()).await.unwrap();
                    times.push(begun.elapsed().as_secs_f64() * 1000.0);
                    assert_eq!((shot.width, shot.height), (1568, 882));
                    near(colour(&shot, 50, 900), [0x10, 0x30, 0xc0]);
                    near(colour(&shot, 900, 900), [0xd0, 0x20, 0x10]);
                }
                times.sort_by(f64::total_cmp);
                let shot = screen.capture(&monitor()).await.unwrap();
                eprintln!(
                    "1920x1080: capture and encode p50 {:.0} ms (min {:.0}, max {:.0}), {} KB",
                    times[3],
                    times[0],
                    times[6],
                    shot.jpeg.len() / 1024
                );

                // The text is legible.
                let jpeg = folder.path().join("shot.jpg");
                std::fs::write(&jpeg, &shot.jpeg).unwrap();
                let text = run_program(
                    std::process::Command::new("tesseract").arg(&jpeg).args(["-", "--psm", "11"]),
                    "tesseract-ocr",
                );
                for word in ["Meeting", "ten", "room", "four"] {
                    assert!(text.contains(word), "{text}");
                }

                // A small region is not scaled, and a region is cut off at the edge of the monitor.
                let region = |x, y, width, height| CaptureTarget::Region { x, y, width, height };
                let shot = screen.capture(&region(900, 480, 200, 100)).await.unwrap();
                assert_eq!((shot.width, shot.height), (200, 100));
                near(colour(&shot, 100, 100), [0x10, 0x30, 0xc0]);
                near(colour(&shot, 900, 900), [0xd0, 0x20, 0x10]);
                let shot = screen.capture(&region(-50, -50, 100, 80)).await.unwrap();
                assert_eq!((shot.width, shot.height), (50, 30));
                let error = screen.capture(&region(5000, 0, 10, 10)).await.unwrap_err();
                assert_eq!(error.code, ErrorCode::CaptureRefused);

                let targets = screen.targets().await.unwrap();
                eprintln!("{targets:?}");
                let Some(CaptureTarget::Monitor { name: Some(name) }) = targets.first() else { panic!("{targets:?}") };
                assert!(screen.capture(&CaptureTarget::Monitor { name: Some(name.clone()) }).await.is_ok());
                let error = screen.capture(&CaptureTarget::Monitor { name: Some("DP-9".into()) }).await.unwrap_err();
                assert!(error.message.contains("“DP-9”") && error.message.contains(name), "{}", error.message);
            });
        },
    );
}

#[test]
fn windows_are_captured_by_title_and_focus() {
    with_display(
        "windows_are_captured_by_title_and_focus",
        || Display::managed(1280, 800),
        || {
            run(async {
                let folder = tempfile::tempdir().unwrap();
                let (green, grey) = (folder.path().join("green.png"), folder.path().join("grey.png"));
                display::make_picture(&green, &["-size", "400x300", "xc:#20a040"]);
                display::make_picture(&grey, &["-size", "300x200", "xc:#808080"]);
                let _green = display::open_window("Quarterly numbers", &green);
                let _grey = display::open_window("Shopping list", &grey);

                let screen = DesktopScreen::default();
                let titles: Vec<_> = screen
                    .targets()
                    .await
                    .unwrap()
                    .into_iter()
                    .filter(|target| matches!(target, CaptureTarget::Window { .. }))
                    .collect();
                eprintln!("{titles:?}");
                assert!(titles.len() >= 2, "{titles:?}");

                let window = |title: Option<&str>| CaptureTarget::Window { title: title.map(str::to_owned) };
                let shot = screen.capture(&window(Some("quarterly"))).await.unwrap();
                assert_eq!((shot.width, shot.height), (400, 300));
                near(colour(&shot, 500, 900), [0x20, 0xa0, 0x40]);

                display::xdotool(&["search", "--name", "Shopping list", "windowactivate", "--sync"]);
                let shot = screen.capture(&window(None)).await.unwrap();
                assert_eq!((shot.width, shot.height), (300, 200));

                let error = screen.capture(&window(Some("no such window"))).await.unwrap_err();
                assert_eq!(error.code, ErrorCode::CaptureRefused);
                assert!(error.message.contains("“no such window”"), "{}", error.message);
            });
        },
    );
}

#[test]
fn a_computer_without_a_display_is_reported() {
    let nowhere = || ((), vec![("DISPLAY", "".into()), ("WAYLAND_DISPLAY", "".into())]);
    in_own_process("a_computer_without_a_display_is_reported", nowhere, || {
        run(async {
            let error = DesktopScreen::default().capture(&monitor()).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::CaptureRefused);
            assert!(error.message.contains("DISPLAY"), "{}", error.message);
        });
    });
}

#[test]
fn a_desktop_that_does_not_answer_times_out_once() {
    with_display(
        "a_desktop_that_does_not_answer_times_out_once",
        || Display::start(640, 480),
        || {
            run(async {
                let screen = DesktopScreen::default();
                screen.capture(&monitor()).await.unwrap();
                display::freeze(true);
                // The paused clock advances by itself while all tasks are idle.
                tokio::time::pause();
                let error = screen.capture(&monitor()).await.unwrap_err();
                assert_eq!(error.code, ErrorCode::CaptureRefused);
                assert!(error.message.contains("in time"), "{}", error.message);
                // The next capture does not wait.
                let begun = tokio::time::Instant::now();
                assert!(screen.capture(&monitor()).await.is_err());
                assert_eq!(begun.elapsed(), Duration::ZERO, "it waits once more");
                tokio::time::resume();
                display::freeze(false);
                let again = async {
                    while screen.capture(&monitor()).await.is_err() {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                };
                tokio::time::timeout(Duration::from_secs(60), again).await.expect("it never answers again");
            });
        },
    );
}

#[test]
fn a_display_that_cannot_be_reached_is_reported() {
    let gone = || ((), vec![("DISPLAY", ":987".into()), ("WAYLAND_DISPLAY", "".into())]);
    in_own_process("a_display_that_cannot_be_reached_is_reported", gone, || {
        run(async {
            let error = DesktopScreen::default().capture(&monitor()).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::CaptureRefused);
            assert!(error.message.contains("desktop session"), "{}", error.message);
        });
    });
}
