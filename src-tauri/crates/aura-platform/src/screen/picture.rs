//! From the screen's pixels to a JPEG file that can be sent.

use aura_core::error::{Error, Result};
use aura_core::ports::{Area, Screenshot};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x4;
use fast_image_resize::{ResizeOptions, Resizer};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use xcap::image::RgbaImage;

/// Pixels on the long edge at most: more is scaled down by the models themselves, and only costs upload time.
const LONGEST: u32 = 1568;

/// Below this, small text becomes hard to read; above, the file only grows.
const QUALITY: u8 = 80;

/// Scales and encodes a picture of this part of the desktop.
pub(super) fn encode(image: &RgbaImage, area: Area) -> Result<Screenshot> {
    let (width, height) = fit(image.width(), image.height());
    let mut jpeg = Vec::with_capacity(512 * 1024);
    if (width, height) == image.dimensions() {
        write(&mut jpeg, image.as_raw(), width, height)?;
    } else {
        // One kind of pixel, by name: the form for all kinds takes minutes to compile.
        let source = TypedImageRef::<U8x4>::from_buffer(image.width(), image.height(), image.as_raw())
            .map_err(Error::internal)?;
        let mut scaled = vec![0; width as usize * height as usize * 4];
        let mut target = TypedImage::<U8x4>::from_buffer(width, height, &mut scaled).map_err(Error::internal)?;
        // The screen is opaque; telling so saves a multiplication per pixel.
        let options = ResizeOptions::new().use_alpha(false);
        Resizer::new().resize_typed(&source, &mut target, &options).map_err(Error::internal)?;
        write(&mut jpeg, &scaled, width, height)?;
    }
    Ok(Screenshot { jpeg: jpeg.into(), width, height, area })
}

fn write(into: &mut Vec<u8>, pixels: &[u8], width: u32, height: u32) -> Result<()> {
    let mut encoder = Encoder::new(into, QUALITY);
    // Halved colour smears coloured text.
    encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
    let side = |pixels: u32| u16::try_from(pixels).map_err(Error::internal);
    encoder.encode(pixels, side(width)?, side(height)?, ColorType::Rgba).map_err(Error::internal)
}

/// The largest size of the same shape that is allowed.
fn fit(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= LONGEST {
        return (width, height);
    }
    let scaled = |side: u32| {
        let rounded = (u64::from(side) * u64::from(LONGEST) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(rounded).unwrap_or(LONGEST).max(1)
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_shape() {
        assert_eq!(fit(800, 600), (800, 600));
        assert_eq!(fit(1568, 10), (1568, 10));
        assert_eq!(fit(1920, 1080), (1568, 882));
        assert_eq!(fit(1080, 1920), (882, 1568));
        assert_eq!(fit(100_000, 1), (1568, 1));
    }

    #[test]
    fn writes_a_jpeg_of_that_size_and_colour() {
        let image = RgbaImage::from_pixel(1920, 1080, xcap::image::Rgba([200, 30, 60, 255]));
        let shot = encode(&image, Area::default()).unwrap();
        assert_eq!((shot.width, shot.height), (1568, 882));
        let read = image::load_from_memory(&shot.jpeg).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (1568, 882));
        let near = read.get_pixel(700, 400).0.iter().zip([200, 30, 60]).all(|(a, b)| a.abs_diff(b) < 6);
        assert!(near, "{:?}", read.get_pixel(700, 400));
    }
}
