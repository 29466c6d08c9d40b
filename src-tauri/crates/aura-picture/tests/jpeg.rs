//! Pictures as JPEG files. Here and not in the crate, so that the resizer and the encoder are compiled once.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use aura_picture::encode;

#[test]
fn scaling_keeps_the_aspect_ratio() {
    let sizes = [
        ((800, 600), (800, 600)),
        ((1568, 10), (1568, 10)),
        ((1920, 1080), (1568, 882)),
        ((1080, 1920), (882, 1568)),
        ((60_000, 1), (1568, 1)),
    ];
    for ((width, height), expected) in sizes {
        let jpeg = encode(&vec![255; width as usize * height as usize * 4], width, height).unwrap();
        assert_eq!((jpeg.width, jpeg.height), expected, "{width} × {height}");
    }
}

#[test]
fn the_jpeg_has_the_scaled_size_and_the_right_colour() {
    let pixels = [200, 30, 60, 255].repeat(1920 * 1080);
    let jpeg = encode(&pixels, 1920, 1080).unwrap();
    assert_eq!((jpeg.width, jpeg.height), (1568, 882));
    let read = image::load_from_memory(&jpeg.file).unwrap().to_rgb8();
    assert_eq!(read.dimensions(), (1568, 882));
    let near = read.get_pixel(700, 400).0.iter().zip([200, 30, 60]).all(|(a, b)| a.abs_diff(b) < 6);
    assert!(near, "{:?}", read.get_pixel(700, 400));
}

#[test]
fn a_buffer_that_is_too_short_is_an_error() {
    for (width, height) in [(10, 10), (4_000, 4_000), (0, 0)] {
        assert!(encode(&[0; 36], width, height).is_err(), "{width} × {height}");
    }
}
