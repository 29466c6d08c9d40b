//! Scales and encodes screenshots.

use aura_core::error::{Error, Result};
use aura_core::ports::{Area, Screenshot};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x4;
use fast_image_resize::{ResizeOptions, Resizer};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use xcap::image::RgbaImage;

/// Longest edge in pixels. Models scale larger pictures down themselves, so more would only cost upload time.
const MAX_EDGE: u32 = 1568;

/// JPEG quality. Below this, small text becomes hard to read; above, the file only grows.
const QUALITY: u8 = 80;

/// Scales and encodes a picture that shows `area` of the desktop.
pub(super) fn encode(image: &RgbaImage, area: Area) -> Result<Screenshot> {
    let (width, height) = scaled_size(image.width(), image.height());
    let mut jpeg = Vec::with_capacity(512 * 1024);
    if (width, height) == image.dimensions() {
        write(&mut jpeg, image.as_raw(), width, height)?;
    } else {
        // Names one pixel type, because the function for all types takes minutes to compile.
        let source = TypedImageRef::<U8x4>::from_buffer(image.width(), image.height(), image.as_raw())
            .map_err(Error::internal)?;
        let mut scaled = vec![0; width as usize * height as usize * 4];
        let mut target = TypedImage::<U8x4>::from_buffer(width, height, &mut scaled).map_err(Error::internal)?;
        // The screen is opaque; this saves a multiplication per pixel.
        let options = ResizeOptions::new().use_alpha(false);
        Resizer::new().resize_typed(&source, &mut target, &options).map_err(Error::internal)?;
        write(&mut jpeg, &scaled, width, height)?;
    }
    Ok(Screenshot { jpeg: jpeg.into(), width, height, area })
}

fn write(into: &mut Vec<u8>, pixels: &[u8], width: u32, height: u32) -> Result<()> {
    let mut encoder = Encoder::new(into, QUALITY);
    // Chroma subsampling would smear coloured text.
    encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
    let side = |pixels: u32| u16::try_from(pixels).map_err(Error::internal);
    encoder.encode(pixels, side(width)?, side(height)?, ColorType::Rgba).map_err(Error::internal)
}

/// The size of the picture with the same aspect ratio and no edge above [`MAX_EDGE`].
fn scaled_size(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= MAX_EDGE {
        return (width, height);
    }
    let scaled = |side: u32| {
        let rounded = (u64::from(side) * u64::from(MAX_EDGE) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(rounded).unwrap_or(MAX_EDGE).max(1)
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_keeps_the_aspect_ratio() {
        assert_eq!(scaled_size(800, 600), (800, 600));
        assert_eq!(scaled_size(1568, 10), (1568, 10));
        assert_eq!(scaled_size(1920, 1080), (1568, 882));
        assert_eq!(scaled_size(1080, 1920), (882, 1568));
        assert_eq!(scaled_size(100_000, 1), (1568, 1));
    }

    #[test]
    fn the_jpeg_has_the_scaled_size_and_the_right_colour() {
        let image = RgbaImage::from_pixel(1920, 1080, xcap::image::Rgba([200, 30, 60, 255]));
        let shot = encode(&image, Area::default()).unwrap();
        assert_eq!((shot.width, shot.height), (1568, 882));
        let read = image::load_from_memory(&shot.jpeg).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (1568, 882));
        let near = read.get_pixel(700, 400).0.iter().zip([200, 30, 60]).all(|(a, b)| a.abs_diff(b) < 6);
        assert!(near, "{:?}", read.get_pixel(700, 400));
    }
}
