//! Recognises images and sound files by their first bytes.

/// A media format that this crate can send to a provider, or that a provider can reply with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaType {
    /// A JPEG image.
    Jpeg,
    /// A PNG image.
    Png,
    /// A WebP image.
    Webp,
    /// A GIF image, animated or not.
    Gif,
    /// A WAV sound file: RIFF with the form type `WAVE`.
    Wav,
    /// MPEG audio layer III, with or without an ID3 tag in front.
    Mp3,
    /// An Ogg file. The codec inside is not examined.
    Ogg,
    /// A FLAC sound file.
    Flac,
}

impl MediaType {
    /// The format of a file, from its first 12 bytes; 4 are enough for everything but WebP and WAV.
    ///
    /// `None` for everything else, for an empty file, and for a RIFF file that is cut before its form type. The rest of the file
    /// is not examined: it may still be damaged.
    ///
    /// ```
    /// use aura_providers::MediaType;
    ///
    /// assert_eq!(MediaType::of(b"GIF89a..."), Some(MediaType::Gif));
    /// assert_eq!(MediaType::of(b"hello"), None);
    /// ```
    pub fn of(file: &[u8]) -> Option<Self> {
        Some(match file {
            [0xFF, 0xD8, 0xFF, ..] => Self::Jpeg,
            [0x89, b'P', b'N', b'G', ..] => Self::Png,
            [b'G', b'I', b'F', b'8', ..] => Self::Gif,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::Webp,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Self::Wav,
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            [b'I', b'D', b'3', ..] => Self::Mp3,
            // A frame header: 11 bits of sync, then the layer, of which III is `01`. ISO 11172-3, 2.4.1.3.
            [0xFF, second, ..] if second & 0xE6 == 0xE2 => Self::Mp3,
            _ => return None,
        })
    }

    /// The MIME type, such as `image/jpeg` or `audio/mpeg`.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Ogg => "audio/ogg",
            Self::Flac => "audio/flac",
        }
    }

    /// Whether this is an image format.
    pub fn is_image(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::Webp | Self::Gif)
    }

    /// Whether this is a sound format. [`aura_audio::decode`] reads all of them, Ogg with Vorbis inside.
    pub fn is_audio(self) -> bool {
        !self.is_image()
    }
}

/// The MIME type under which an image is sent. What is not recognised is called JPEG, so that the provider decides about it.
pub(crate) fn image_mime(image: &[u8]) -> &'static str {
    MediaType::of(image).filter(|media| media.is_image()).unwrap_or(MediaType::Jpeg).mime()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_recognised_by_their_first_bytes() {
        for (file, expected) in [
            (&b"\xff\xd8\xff\xe0\x00\x10JFIF"[..], Some(MediaType::Jpeg)),
            (b"\x89PNG\r\n\x1a\n", Some(MediaType::Png)),
            (b"GIF87a", Some(MediaType::Gif)),
            (b"RIFF\0\0\0\0WEBPVP8 ", Some(MediaType::Webp)),
            (b"RIFF\xff\xff\xff\xffWAVEfmt ", Some(MediaType::Wav)),
            (b"OggS\0", Some(MediaType::Ogg)),
            (b"fLaC\0", Some(MediaType::Flac)),
            (b"ID3\x04", Some(MediaType::Mp3)),
            (b"\xff\xfb\x90\x64", Some(MediaType::Mp3)),
            (b"\xff\xf3\x40", Some(MediaType::Mp3)),
            (b"\xff\xf1\x50", None), // ADTS: AAC
            (b"RIFF\0\0\0\0AVI ", None),
            (b"RIFF", None),
            (b"<html>", None),
            (b"\xff", None),
            (b"", None),
        ] {
            assert_eq!(MediaType::of(file), expected, "{file:?}");
        }
    }

    #[test]
    fn each_format_is_an_image_or_a_sound() {
        use MediaType::*;
        for media in [Jpeg, Png, Webp, Gif, Wav, Mp3, Ogg, Flac] {
            assert_eq!(media.is_image(), media.mime().starts_with("image/"), "{media:?}");
            assert_eq!(media.is_audio(), media.mime().starts_with("audio/"), "{media:?}");
        }
    }
}
