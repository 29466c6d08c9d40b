//! Speech to text while it is spoken: the request, the session, and what it reports meanwhile.
//!
//! There are two ways. A live transcription recognises what it has heard so far. An upload is an ordinary transcription whose request is
//! sent while the recording is made, so that only the end of it is left to be sent.

use aura_audio::SPEECH_RATE;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::failure::{Failure, FailureKind};
use super::transcription::Transcript;

/// Samples that are sent together: 60 ms.
const CHUNK: usize = SPEECH_RATE as usize * 60 / 1_000;
/// Chunks that may wait for a slow connection: 30 s, which are 960 kB.
const QUEUE: usize = 500;

/// How to transcribe speech while it is spoken. An option that a provider does not support is not sent.
#[derive(Debug, Clone, Default)]
pub struct StreamingRequest {
    /// The name of the model, as [`StreamingSpeechToText::streaming_model`](super::StreamingSpeechToText::streaming_model) returns it.
    pub model: String,
    /// The language that is spoken, as an ISO 639-1 code or BCP 47 tag; `None` lets the model detect it.
    pub language: Option<String>,
    /// Names and terms that are likely to occur.
    pub vocabulary: Vec<String>,
}

/// What was recognised so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartialTranscript {
    /// Words that will not change before the transcript is complete.
    pub committed: String,
    /// What follows them and may still change. It begins with the space that separates it, where there is one.
    pub tentative: String,
}

/// The transcription of speech that is still being recorded: mono samples at [`SPEECH_RATE`].
///
/// Dropping it closes the connection. The audio that was sent by then may be billed.
#[derive(Debug)]
pub struct TranscriptionSession {
    /// `None` once audio was lost.
    audio: Option<mpsc::Sender<Vec<i16>>>,
    /// Samples that are not a whole chunk yet.
    pending: Vec<i16>,
    /// `None` for an upload.
    partial: Option<watch::Receiver<PartialTranscript>>,
    task: JoinHandle<Result<Transcript, Failure>>,
}

/// The receiving end of a session's audio, for the adapter.
#[derive(Debug)]
pub struct SessionAudio(mpsc::Receiver<Vec<i16>>);

impl SessionAudio {
    /// The next samples; `None` once the recording has ended and everything was taken. Loses nothing when it is cancelled.
    pub async fn next(&mut self) -> Option<Vec<i16>> {
        self.0.recv().await
    }
}

impl TranscriptionSession {
    /// Runs an adapter's live transcription in the background, on the present Tokio runtime. The work takes the audio, reports what it
    /// recognised so far, and returns the transcript after the end of the audio.
    pub fn live<F>(work: impl FnOnce(SessionAudio, watch::Sender<PartialTranscript>) -> F) -> Self
    where
        F: Future<Output = Result<Transcript, Failure>> + Send + 'static,
    {
        let (report, partial) = watch::channel(PartialTranscript::default());
        let mut session = Self::upload(|audio| work(audio, report));
        session.partial = Some(partial);
        session
    }

    /// Runs an adapter's upload in the background, on the present Tokio runtime. The work sends the audio, and returns the transcript
    /// after its end.
    pub fn upload<F>(work: impl FnOnce(SessionAudio) -> F) -> Self
    where
        F: Future<Output = Result<Transcript, Failure>> + Send + 'static,
    {
        let (audio, inbox) = mpsc::channel(QUEUE);
        let task = tokio::spawn(work(SessionAudio(inbox)));
        Self { audio: Some(audio), pending: Vec::with_capacity(CHUNK), partial: None, task }
    }

    /// Adds recorded samples without waiting. When the connection is more than 30 s behind, [`TranscriptionSession::finish`] fails.
    pub fn push(&mut self, mut samples: &[i16]) {
        while self.audio.is_some() && !samples.is_empty() {
            let (taken, rest) = samples.split_at(samples.len().min(CHUNK - self.pending.len()));
            self.pending.extend_from_slice(taken);
            samples = rest;
            if self.pending.len() == CHUNK {
                let chunk = std::mem::replace(&mut self.pending, Vec::with_capacity(CHUNK));
                let sent = self.audio.as_ref().map(|audio| audio.try_send(chunk));
                if let Some(Err(mpsc::error::TrySendError::Full(_))) = sent {
                    self.audio = None;
                    self.task.abort();
                }
            }
        }
    }

    /// What was recognised so far, and its changes; `None` for an upload, of which nothing is recognised before its end.
    pub fn partial(&self) -> Option<watch::Receiver<PartialTranscript>> {
        self.partial.clone()
    }

    /// Whether the audio is the body of an ordinary request, of which nothing is recognised before its end.
    pub fn is_upload(&self) -> bool {
        self.partial.is_none()
    }

    /// Whether the session has failed by now, or ended before its audio did.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends the recording and waits for the transcript. There is no timeout; dropping the future closes the connection.
    ///
    /// # Errors
    /// When the session has failed, or fails now.
    pub async fn finish(mut self) -> Result<Transcript, Failure> {
        let Some(audio) = self.audio.take() else {
            let why = "The connection was too slow for the recording.";
            return Err(Failure::new(FailureKind::Timeout, why));
        };
        if !self.pending.is_empty() {
            // It fails only when the work has ended, which says why.
            let _ = audio.send(std::mem::take(&mut self.pending)).await;
        }
        drop(audio);
        let ended = (&mut self.task).await;
        ended.unwrap_or_else(|cause| Err(Failure::new(FailureKind::Interrupted, cause.to_string())))
    }
}

impl Drop for TranscriptionSession {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn audio_arrives_in_order_and_whole() {
        let mut session = TranscriptionSession::live(|mut audio, _| async move {
            let mut all = Vec::new();
            while let Some(samples) = audio.next().await {
                all.extend(samples);
            }
            let expected: Vec<i16> = (0..2_500).collect();
            let text = if all == expected { "whole" } else { "not whole" };
            Ok(Transcript { text: text.into(), ..Transcript::default() })
        });
        let samples: Vec<i16> = (0..2_500).collect();
        samples.chunks(333).for_each(|block| session.push(block));
        assert_eq!(session.finish().await.unwrap().text, "whole");
    }

    #[tokio::test]
    async fn a_session_that_cannot_keep_up_fails_and_never_grows() {
        let mut session = TranscriptionSession::live(async |audio, _| {
            std::future::pending::<()>().await;
            drop(audio);
            Ok(Transcript::default())
        });
        for _ in 0..60 {
            session.push(&[0; SPEECH_RATE as usize]);
        }
        assert_eq!(session.finish().await.unwrap_err().kind, FailureKind::Timeout);
    }

    #[tokio::test]
    async fn dropping_a_session_stops_its_work() {
        let (alive, watched) = tokio::sync::oneshot::channel::<()>();
        let session = TranscriptionSession::live(|_audio, _| async move {
            std::future::pending::<()>().await;
            drop(alive);
            Ok(Transcript::default())
        });
        drop(session);
        assert!(watched.await.is_err());
    }
}
