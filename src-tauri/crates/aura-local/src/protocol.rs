//! What AURA and an engine process say to each other: frames over the engine's standard input and output.
//!
//! A frame is the length of its JSON in bytes (`u32`, little-endian), the length of its payload (the same), the JSON, and the payload:
//! audio or image bytes, which JSON would only make larger. The first request is [`Request::Load`]; the engine answers it with
//! [`Event::Ready`] or [`Event::LoadFailed`]. After that it handles one request at a time, in order, and answers each with any number
//! of events of the request's `id` of which the last is [`Event::End`] or [`Event::Failed`]. [`Request::Cancel`] overtakes: it is read
//! while a request is being handled. The engine ends when its standard input ends.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest JSON of a frame, in bytes: a conversation of 128,000 tokens is about half as long.
pub const MAX_JSON: usize = 4 << 20;
/// The longest payload of a frame, in bytes: 13 minutes of speech are 25 MB.
pub const MAX_PAYLOAD: usize = 64 << 20;

/// The model family that an engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Engine {
    /// Speech to text: Moonshine, as ONNX. Files `encoder`, `decoder`, `tokenizer`.
    Moonshine,
    /// Speech to text: Whisper, as ONNX in the layout of Hugging Face Optimum. Files `encoder`, `decoder`, `tokenizer`.
    Whisper,
    /// Speech to text: Parakeet TDT, as ONNX. Files `encoder`, `decoder`, `vocabulary`.
    Parakeet,
    /// Text to speech: Piper, as ONNX. Files `model` (`….onnx`) and `config` (`….onnx.json`). Its phonemes come from the program
    /// espeak-ng, unless its settings say that they are the characters of the text.
    Piper,
    /// Text to speech: Hibari, as ONNX, English. The roles are the names of the files in its package's folder `assets`: `hibari.onnx`
    /// (also for another voice's file), `vocab.json`, `normalize.json`, `tokenizer_exceptions.json`, `tagger.json.gz`; for American
    /// English `lexicon_us_gold.json.gz`, `lexicon_us_silver.json.gz`, `oov.onnx`, `oov.json`; for a British voice instead of these
    /// four `lexicon_gb_gold.json.gz`, `lexicon_gb_silver.json.gz`, `oov_gb.onnx`, `oov_gb.json`. It needs no other program.
    Hibari,
    /// Text to speech: Kokoro, as ONNX in the layout of `onnx-community/Kokoro-82M-v1.0-ONNX`. Files `model`, and `voices`: the style
    /// table of a voice, whose name the file has, such as `af_heart.bin`; those of more voices as `voices/<anything>`. The first letter
    /// is the voice's language: a and b English, e, f, h, i, p for es, fr, hi, it, pt. Its phonemes come from the program espeak-ng.
    Kokoro,
    /// Text, and images where the file `projector` is there: any GGUF model that llama.cpp runs. File `model`.
    Llama,
}

/// A model to load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// The model family.
    pub engine: Engine,
    /// The model's files by their role.
    pub files: BTreeMap<String, PathBuf>,
    /// The shared library of ONNX Runtime, for the engines that need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onnx_runtime: Option<PathBuf>,
    /// The program espeak-ng, for the voices that need phonemes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub espeak: Option<PathBuf>,
    /// The number of threads to compute with; 0 for one per physical core, at most eight.
    #[serde(default)]
    pub threads: usize,
    /// The longest context of a language model, in tokens; 0 for the engine's choice.
    #[serde(default)]
    pub context: u32,
}

/// What AURA asks of an engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Request {
    /// Loads a model. The first request, and only that.
    Load(Load),
    /// Transcribes the payload: 16-bit mono samples at 16 kHz, little-endian.
    Transcribe {
        /// Chosen by the caller; the events bear it.
        id: u64,
        /// The ISO 639-1 code of the language that is spoken; `None` to detect it.
        language: Option<String>,
        /// The text before the recording, or terms that are likely to occur.
        prompt: Option<String>,
        /// Whether to translate into English.
        translate: bool,
        /// Whether to return the time of each word, where the model knows it.
        words: bool,
    },
    /// Answers a conversation. The payload is the image files, one after the other.
    Generate {
        /// Chosen by the caller; the events bear it.
        id: u64,
        /// The conversation, oldest first.
        messages: Vec<Message>,
        /// The length of each image in the payload, in bytes.
        images: Vec<usize>,
        /// How the answer is sampled.
        sampling: Sampling,
    },
    /// Speaks a text.
    Speak {
        /// Chosen by the caller; the events bear it.
        id: u64,
        /// The text: a sentence or a few.
        text: String,
        /// The voice of a model with several; empty for its first.
        voice: String,
        /// The ISO 639-1 code of the text's language; `None` if it is not known.
        language: Option<String>,
        /// The speed as a factor of the voice's own, 0.25 to 4.
        speed: f32,
    },
    /// Stops a request. The engine answers it with [`Event::Failed`] of kind [`FailedKind::Cancelled`], or it was at its end already.
    Cancel {
        /// The request to stop.
        id: u64,
    },
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// The text.
    pub text: String,
    /// The indices of its images, which stand before the text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<usize>,
}

/// How an answer is sampled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// The longest answer, in tokens; `None` until the context is full.
    pub max_tokens: Option<u32>,
    /// Randomness, 0 to 2; `None` for the model's usual value.
    pub temperature: Option<f32>,
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<f32>,
    /// The number of most likely tokens to choose from.
    pub top_k: Option<u32>,
    /// Texts that end the answer and are not part of it.
    #[serde(default)]
    pub stop: Vec<String>,
    /// A seed for repeatable answers.
    pub seed: Option<u32>,
    /// The JSON schema that the answer follows; `{}` for any JSON object.
    pub json_schema: Option<serde_json::Value>,
}

/// What an engine answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The model is loaded.
    Ready {
        /// The name of the engine and its version, such as `ONNX Runtime 1.32`.
        engine: String,
        /// The ISO 639-1 codes of the model's languages, where its files say so.
        languages: Vec<String>,
        /// The ids of the model's voices.
        voices: Vec<String>,
    },
    /// The model could not be loaded. The engine ends after this.
    LoadFailed {
        /// Why.
        kind: LoadFailedKind,
        /// What is wrong, for a user.
        message: String,
    },
    /// A transcript.
    Transcript {
        /// The request.
        id: u64,
        /// The text, trimmed; empty when no speech was recognised.
        text: String,
        /// The ISO 639-1 code of the language that was recognised or asked for.
        language: Option<String>,
        /// Segments with their times.
        segments: Vec<Segment>,
        /// Words with their times, where they were asked for and the model knows them.
        words: Vec<Segment>,
    },
    /// The next piece of an answer: whole characters.
    Text {
        /// The request.
        id: u64,
        /// The piece.
        text: String,
    },
    /// The next piece of speech. The payload is 16-bit mono samples, little-endian.
    Audio {
        /// The request.
        id: u64,
        /// The sample rate, in hertz.
        rate: u32,
    },
    /// A request is done.
    End {
        /// The request.
        id: u64,
        /// Why an answer ended.
        finish: Finish,
        /// The tokens of the question.
        prompt_tokens: u32,
        /// The tokens of the answer.
        completion_tokens: u32,
    },
    /// A request failed. The engine can go on with the next one.
    Failed {
        /// The request.
        id: u64,
        /// Why.
        kind: FailedKind,
        /// What is wrong, for a user.
        message: String,
    },
}

impl Event {
    /// The request that the event is about; `None` for the events of a load.
    pub fn request(&self) -> Option<u64> {
        match self {
            Self::Ready { .. } | Self::LoadFailed { .. } => None,
            Self::Transcript { id, .. }
            | Self::Text { id, .. }
            | Self::Audio { id, .. }
            | Self::End { id, .. }
            | Self::Failed { id, .. } => Some(*id),
        }
    }

    /// Whether it is the last event of its request.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::End { .. } | Self::Failed { .. })
    }
}

/// A part of a transcript with its times, in seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// The start.
    pub start: f64,
    /// The end.
    pub end: f64,
    /// The text, trimmed.
    pub text: String,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// It is complete.
    #[default]
    Stop,
    /// The longest answer, or the context, was reached.
    Length,
}

/// Why a model could not be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoadFailedKind {
    /// A file is missing, cut short, or not what its name says.
    BadFile,
    /// There is not enough memory.
    NoMemory,
    /// This computer cannot run the model: a library or an instruction set is missing.
    Unsupported,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailedKind {
    /// The request does not fit the model: a language, an image, a context that is too long.
    Unsupported,
    /// The request itself is invalid.
    Invalid,
    /// The caller stopped it.
    Cancelled,
    /// The engine could not do it.
    Engine,
}

/// The lengths at the start of a frame, checked.
fn lengths(head: [u8; 8]) -> io::Result<(usize, usize)> {
    let [a, b, c, d, e, f, g, h] = head;
    let (json, payload) = (u32::from_le_bytes([a, b, c, d]) as usize, u32::from_le_bytes([e, f, g, h]) as usize);
    if json > MAX_JSON || payload > MAX_PAYLOAD {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is longer than the protocol allows"));
    }
    Ok((json, payload))
}

/// The head and the JSON of a frame.
pub(crate) fn encode(message: &impl Serialize, payload: &[u8]) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 8];
    serde_json::to_writer(&mut frame, message)?;
    let json = frame.len() - 8;
    let mut head = [0; 8];
    head[..4].copy_from_slice(&u32::try_from(json).unwrap_or(u32::MAX).to_le_bytes());
    head[4..].copy_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    lengths(head)?;
    frame[..8].copy_from_slice(&head);
    Ok(frame)
}

/// Writes a frame and flushes it.
///
/// # Errors
/// When the frame is too long or the writer fails.
pub async fn write<W: AsyncWrite + Unpin>(to: &mut W, message: &impl Serialize, payload: &[u8]) -> io::Result<()> {
    to.write_all(&encode(message, payload)?).await?;
    to.write_all(payload).await?;
    to.flush().await
}

/// Reads a frame; `None` at the end of the stream.
///
/// # Errors
/// When the stream ends inside a frame, the frame is too long, or its JSON is not a `T`.
pub async fn read<T: DeserializeOwned, R: AsyncRead + Unpin>(from: &mut R) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut head = [0; 8];
    if from.read(&mut head[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[1..]).await?;
    let (json, payload) = lengths(head)?;
    let mut message = vec![0; json];
    from.read_exact(&mut message).await?;
    let mut bytes = vec![0; payload];
    from.read_exact(&mut bytes).await?;
    Ok(Some((serde_json::from_slice(&message)?, bytes)))
}

/// Writes a frame and flushes it, on a thread of its own.
///
/// # Errors
/// When the frame is too long or the writer fails.
pub fn write_blocking(to: &mut impl Write, message: &impl Serialize, payload: &[u8]) -> io::Result<()> {
    to.write_all(&encode(message, payload)?)?;
    to.write_all(payload)?;
    to.flush()
}

/// Reads a frame on a thread of its own; `None` at the end of the stream.
///
/// # Errors
/// When the stream ends inside a frame, the frame is too long, or its JSON is not a `T`.
pub fn read_blocking<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut head = [0; 8];
    if from.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut head[1..])?;
    let (json, payload) = lengths(head)?;
    let mut message = vec![0; json];
    from.read_exact(&mut message)?;
    let mut bytes = vec![0; payload];
    from.read_exact(&mut bytes)?;
    Ok(Some((serde_json::from_slice(&message)?, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speak() -> Request {
        Request::Speak { id: 7, text: "Guten Tag.".into(), voice: String::new(), language: None, speed: 1.0 }
    }

    #[tokio::test]
    async fn both_ways_of_writing_a_frame_are_read_by_both_ways_of_reading() {
        let mut bytes = Vec::new();
        write_blocking(&mut bytes, &speak(), b"abc").unwrap();
        let (request, payload) = read::<Request, _>(&mut bytes.as_slice()).await.unwrap().unwrap();
        assert_eq!((request, payload.as_slice()), (speak(), b"abc".as_slice()));
        let mut same = Vec::new();
        write(&mut same, &speak(), b"abc").await.unwrap();
        assert_eq!(bytes, same);
        let mut rest = same.as_slice();
        assert!(read_blocking::<Request>(&mut rest).unwrap().is_some());
        assert!(read_blocking::<Request>(&mut rest).unwrap().is_none());
    }

    #[test]
    fn a_frame_that_is_cut_too_long_or_no_request_is_an_error() {
        let mut bytes = Vec::new();
        write_blocking(&mut bytes, &speak(), b"abc").unwrap();
        for cut in 1..bytes.len() {
            assert!(read_blocking::<Request>(&mut &bytes[..cut]).is_err(), "{cut}");
        }
        assert!(read_blocking::<Request>(&mut [0xff_u8; 64].as_slice()).is_err());
        assert!(write_blocking(&mut Vec::new(), &speak(), &vec![0; MAX_PAYLOAD + 1]).is_err());
        let mut other = Vec::new();
        write_blocking(&mut other, &serde_json::json!({ "request": "sing" }), b"").unwrap();
        assert!(read_blocking::<Request>(&mut other.as_slice()).is_err());
    }
}
