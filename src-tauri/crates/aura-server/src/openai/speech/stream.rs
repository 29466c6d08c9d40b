//! Speech streamed as server-sent events.

use std::sync::Arc;

use aura_audio::Pcm;
use aura_core::Assistant;
use aura_core::error::{Error, Result};
use aura_router::{RoutePlan, Sink};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::format::{AudioFormat, SpeechFile};
use crate::event_stream::{EventStream, EventWriter, Item, Queue, push_event};
use crate::openai::error::ApiError;
use crate::openai::request_trace::RequestTrace;

/// Pieces of a file that are queued for a client that reads slowly.
const QUEUE: usize = 8;
/// The most bytes of sound in one event.
const MAX_DELTA: usize = 32 * 1024;

/// Streamed speech: the bytes of the file that are ready, and the rest of them at the end.
pub(super) struct SpeechEvents(EventStream<Vec<u8>, Vec<u8>>);

/// Turns speech into the bytes of a file, and queues them.
struct FileSink {
    file: SpeechFile,
    queue: Queue<Vec<u8>>,
}

impl Sink<Pcm> for FileSink {
    async fn send(&mut self, pcm: Pcm) {
        self.file.push(&pcm);
        self.queue.send(self.file.take()).await;
    }
}

impl SpeechEvents {
    /// Starts to speak and waits for the first sound.
    ///
    /// # Errors
    /// When every route failed before the first sound.
    pub(super) async fn start(
        assistant: Assistant,
        plan: RoutePlan,
        text: String,
        format: AudioFormat,
        trace: Arc<RequestTrace>,
    ) -> Result<Self> {
        let speech = |queue| async move {
            let mut sink = FileSink { file: SpeechFile::new(format), queue };
            assistant.speak(&plan, &text, &*trace, &mut sink).await?;
            tokio::task::spawn_blocking(|| sink.file.finish()).await.map_err(Error::internal)?
        };
        EventStream::start(QUEUE, speech).await.map(Self)
    }

    /// The response that streams the events. `headers` are added to it.
    pub(super) fn into_response(self, headers: HeaderMap, trace: Arc<RequestTrace>) -> Response {
        self.0.into_response(headers, SpeechWriter(trace))
    }
}

/// Writes the events of OpenAI's streamed speech.
struct SpeechWriter(Arc<RequestTrace>);

impl EventWriter<Vec<u8>, Vec<u8>> for SpeechWriter {
    fn write(&mut self, item: Item<Vec<u8>, Vec<u8>>, out: &mut String) -> bool {
        match item {
            Item::Piece(sound) => {
                push_sound(out, &sound);
                return false;
            }
            Item::End(Ok(rest)) => {
                push_sound(out, &rest);
                let (usage, aura) = (usage(&self.0), self.0.provenance());
                push_event(out, "", &json!({"type": "speech.audio.done", "usage": usage, "aura": aura}));
            }
            // Clients treat an event with `error` as a failure.
            Item::End(Err(error)) => push_event(out, "", &ApiError::from(error).into_body()),
        }
        true
    }
}

fn push_sound(out: &mut String, sound: &[u8]) {
    for piece in sound.chunks(MAX_DELTA) {
        push_event(out, "", &json!({"type": "speech.audio.delta", "audio": STANDARD.encode(piece)}));
    }
}

/// The tokens of all calls that counted any; null when none did.
fn usage(trace: &RequestTrace) -> Option<Value> {
    let (input, output) = trace.tokens()?;
    Some(json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output}))
}
