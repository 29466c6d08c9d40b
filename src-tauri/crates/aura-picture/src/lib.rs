//! Scales a picture to what models take, and encodes it as JPEG.
//!
//! A crate of its own: the resizer and the encoder are generic code, which is compiled where it is used, and too slow without
//! optimisation. So this crate alone is optimised in development builds.
#![forbid(unsafe_code)]

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x4;
use fast_image_resize::{ResizeOptions, Resizer};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Longest edge in pixels. Models scale larger pictures down themselves, so more would only cost upload time.
const MAX_EDGE: u32 = 1568;

/// JPEG quality. Below this, small text becomes hard to read; above, the file only grows.
const QUALITY: u8 = 80;

/// A JPEG file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jpeg {
    /// The file.
    pub file: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// The picture could not be scaled or encoded: the buffer is shorter than its size says, or it has no pixel.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be encoded: {0}")]
pub struct Error(String);

impl Error {
    fn new(cause: impl std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

/// Scales and encodes an opaque picture: four bytes a pixel (red, green, blue and one that is ignored), row after row.
///
/// # Errors
/// See [`Error`].
pub fn encode(pixels: &[u8], width: u32, height: u32) -> Result<Jpeg, Error> {
    let (new_width, new_height) = scaled_size(width, height);
    let mut file = Vec::with_capacity(512 * 1024);
    if (new_width, new_height) == (width, height) {
        write(&mut file, pixels, width, height)?;
    } else {
        // Names one pixel type, because the function for all types takes minutes to compile.
        let source = TypedImageRef::<U8x4>::from_buffer(width, height, pixels).map_err(Error::new)?;
        let mut scaled = vec![0; new_width as usize * new_height as usize * 4];
        let mut target = TypedImage::<U8x4>::from_buffer(new_width, new_height, &mut scaled).map_err(Error::new)?;
        // The picture is opaque; this saves a multiplication per pixel.
        let options = ResizeOptions::new().use_alpha(false);
        Resizer::new().resize_typed(&source, &mut target, &options).map_err(Error::new)?;
        write(&mut file, &scaled, new_width, new_height)?;
    }
    Ok(Jpeg { file, width: new_width, height: new_height })
}

fn write(into: &mut Vec<u8>, pixels: &[u8], width: u32, height: u32) -> Result<(), Error> {
    let mut encoder = Encoder::new(into, QUALITY);
    // Chroma subsampling would smear coloured text.
    encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
    let side = |pixels: u32| u16::try_from(pixels).map_err(Error::new);
    encoder.encode(pixels, side(width)?, side(height)?, ColorType::Rgba).map_err(Error::new)
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
