//! The models of this computer as a provider sees them: requests of a service become requests of an engine, and its events become results.

mod request;

use std::sync::Arc;

use async_trait::async_trait;
use aura_audio::Pcm;
use aura_providers::{
    ChatEvent, ChatRequest, ChatStream, Failure, FailureKind, FinishReason, LocalModel, LocalModels, Programs,
    Segment as TimedText, Service, SpeechEvent, SpeechRequest, SpeechStream, Transcript, TranscriptionRequest, Usage,
    Word,
};
use bytes::Bytes;
use futures::StreamExt;

use crate::installed::{Installed, InstalledModels};
use crate::options::Options;
use crate::pool::{Pool, Running};
use crate::process::Ended;
use crate::protocol::{Event, FailedKind, Finish, Segment};

/// The installed models. A model is loaded when it is first used, in a process of its own. Cheap to clone.
#[derive(Clone)]
pub struct Models {
    pool: Pool,
}

impl Models {
    /// Runs the models that `installed` knows. `programs` finds the program espeak-ng, which some voices need.
    pub fn new(installed: Arc<dyn InstalledModels>, programs: Arc<dyn Programs>, options: Options) -> Self {
        Self { pool: Pool::new(installed, programs, options) }
    }

    /// Takes a model out of memory once its current request is done, for example before its files are deleted.
    pub async fn unload(&self, id: &str) {
        self.pool.unload(id).await;
    }

    /// The installed model with this id, if it provides one of the services.
    fn model(&self, id: &str, services: &[Service]) -> Result<Installed, Failure> {
        let found = self.pool.installed().into_iter().find(|model| model.id == id);
        let Some(model) = found else {
            let message = format!("The model {id} is not installed. Choose another one under Models, or download it.");
            return Err(Failure::new(FailureKind::Unsupported, message));
        };
        if services.iter().any(|service| model.services.contains(service)) {
            Ok(model)
        } else {
            Err(Failure::new(FailureKind::Unsupported, format!("{} is not made for this.", model.label)))
        }
    }
}

#[async_trait]
impl LocalModels for Models {
    fn installed(&self) -> Vec<LocalModel> {
        let local = |model: Installed| LocalModel {
            id: model.id,
            label: model.label,
            services: model.services,
            languages: model.languages,
        };
        self.pool.installed().into_iter().map(local).collect()
    }

    async fn transcribe(&self, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
        let model = self.model(&request.model, &[Service::Stt])?;
        let samples = request::samples(&request.wav).await?;
        let running = self.pool.begin(&model, |id, _| request::transcribe(id, request), samples).await?;
        let mut events = Events::new(model, running);
        let mut transcript = None;
        while let Some((event, _)) = events.next().await? {
            if let Event::Transcript { text, language, segments, words, .. } = event {
                transcript = Some(Transcript {
                    text: text.trim().to_owned(),
                    segments: segments.into_iter().map(timed).collect(),
                    words: words.into_iter().map(timed_word).collect(),
                    language,
                    usage: Usage { audio_seconds: Some(request.duration.as_secs_f32()), ..events.usage() },
                    ..Transcript::default()
                });
            }
        }
        transcript.ok_or_else(|| Failure::new(FailureKind::Empty, "The engine returned no transcript."))
    }

    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        let has_images = request.images().next().is_some();
        let services: &[Service] = if has_images { &[Service::Vlm] } else { &[Service::Llm, Service::Vlm] };
        let model = self.model(&request.model, services)?;
        request::check(request, &model.label)?;
        let (messages, lengths, payload) = request::conversation(request);
        let sampling = request::sampling(request);
        let generate = |id, _: &[String]| request::generate(id, &messages, &lengths, &sampling);
        let running = self.pool.begin(&model, generate, payload).await?;
        let events = Events::new(model, running);
        Ok(futures::stream::unfold(Some(events), |events| async {
            let mut events = events?;
            loop {
                return match events.next().await {
                    Ok(Some((Event::Text { text, .. }, _))) => Some((Ok(ChatEvent::Text(text)), Some(events))),
                    Ok(Some((Event::End { finish, prompt_tokens, completion_tokens, .. }, _))) => {
                        let usage = Usage {
                            input_tokens: Some(prompt_tokens),
                            output_tokens: Some(completion_tokens),
                            ..events.usage()
                        };
                        let finish = match finish {
                            Finish::Stop => FinishReason::Stop,
                            Finish::Length => FinishReason::Length,
                        };
                        Some((Ok(ChatEvent::End { finish, usage }), None))
                    }
                    Ok(Some(_)) => continue,
                    Ok(None) => None,
                    Err(failure) => Some((Err(failure), None)),
                };
            }
        })
        .boxed())
    }

    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure> {
        let model = self.model(&request.model, &[Service::Tts])?;
        let speak = |id, voices: &[String]| request::speak(id, request, voices);
        let running = self.pool.begin(&model, speak, Bytes::new()).await?;
        let events = Events::new(model, running);
        Ok(futures::stream::unfold(Some(events), |events| async {
            let mut events = events?;
            loop {
                return match events.next().await {
                    Ok(Some((Event::Audio { rate, .. }, payload))) => {
                        let samples = aura_audio::from_le_bytes(&payload).collect();
                        Some((Ok(SpeechEvent::Pcm(Pcm { rate, samples })), Some(events)))
                    }
                    Ok(Some((Event::End { .. }, _))) => Some((Ok(SpeechEvent::Usage(Box::new(events.usage()))), None)),
                    Ok(Some(_)) => continue,
                    Ok(None) => None,
                    Err(failure) => Some((Err(failure), None)),
                };
            }
        })
        .boxed())
    }

    fn preload(&self, ids: &[String]) {
        let installed = self.pool.installed();
        for model in ids.iter().filter_map(|id| installed.iter().find(|model| model.id == *id)) {
            self.pool.preload(model);
        }
    }
}

/// The events of one request.
struct Events {
    model: Installed,
    running: Running,
    has_content: bool,
    has_ended: bool,
}

impl Events {
    fn new(model: Installed, running: Running) -> Self {
        Self { model, running, has_content: false, has_ended: false }
    }

    fn usage(&self) -> Usage {
        Usage { model: Some(self.model.id.clone()), ..Usage::default() }
    }

    /// The next event with its payload; `None` after the last one.
    async fn next(&mut self) -> Result<Option<(Event, Vec<u8>)>, Failure> {
        if self.has_ended {
            return Ok(None);
        }
        match self.running.events.recv().await {
            Some(Ok((Event::Failed { kind, message, .. }, _))) => {
                self.has_ended = true;
                let kind = match kind {
                    FailedKind::Unsupported => FailureKind::Unsupported,
                    FailedKind::Invalid => FailureKind::InvalidRequest,
                    FailedKind::Cancelled => FailureKind::Cancelled,
                    FailedKind::Engine => self.broken(),
                };
                Err(Failure::new(kind, message.chars().take(300).collect::<String>()))
            }
            Some(Ok((event, payload))) => {
                self.has_ended = event.is_last();
                self.has_content |= matches!(event, Event::Text { .. } | Event::Audio { .. });
                Ok(Some((event, payload)))
            }
            Some(Err(ended)) => Err(self.stopped(&ended)),
            None => Err(self.stopped(&Ended::Unloaded)),
        }
    }

    /// The kind of a failure that is the engine's fault.
    fn broken(&self) -> FailureKind {
        if self.has_content { FailureKind::Interrupted } else { FailureKind::Overloaded }
    }

    fn stopped(&mut self, ended: &Ended) -> Failure {
        self.has_ended = true;
        let kind = match ended {
            Ended::Silent(_) if !self.has_content => FailureKind::Timeout,
            _ => self.broken(),
        };
        let message = format!("{}: {ended}", self.model.label);
        Failure::new(kind, message.chars().take(300).collect::<String>())
    }
}

fn timed(Segment { start, end, text }: Segment) -> TimedText {
    TimedText { start, end, text }
}

fn timed_word(Segment { start, end, text }: Segment) -> Word {
    Word { start, end, text }
}
