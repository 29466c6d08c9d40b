//! The errors of this crate.

use aura_providers::{HttpError, Service};

use crate::attempt::Attempt;

/// An error of this crate. Its message can be shown to a user.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A [`RouteOverrides`](crate::RouteOverrides) names a provider that is not configured.
    #[error("There is no provider `{name}`. Use one of: {}.", known.join(", "))]
    UnknownProvider {
        /// The name in the override.
        name: String,
        /// The names of all providers.
        known: Vec<String>,
    },
    /// No provider is ready for this service.
    #[error("{}", no_route(*service))]
    NoRoute {
        /// The requested service.
        service: Service,
        /// Each provider that was considered, by name, and a sentence that says why it was left out.
        reasons: Vec<(String, String)>,
    },
    /// Every route that was tried failed.
    #[error("{message}")]
    AllFailed {
        /// Names each provider and how it failed.
        message: String,
        /// Every attempt, in order.
        attempts: Vec<Attempt>,
    },
    /// The provider blocked the request or the answer for its content.
    #[error("{message}")]
    Blocked {
        /// Contains the provider's own message.
        message: String,
        /// Every attempt, in order.
        attempts: Vec<Attempt>,
    },
    /// The provider rejected the request as malformed.
    #[error("{message}")]
    InvalidRequest {
        /// Contains the provider's own message.
        message: String,
        /// Every attempt, in order.
        attempts: Vec<Attempt>,
    },
    /// The request was cancelled.
    #[error("Stopped.")]
    Cancelled {
        /// Every attempt, in order.
        attempts: Vec<Attempt>,
    },
    /// The HTTP clients could not be built.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// The result of a fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The attempts before the error, in order; empty when no call was made.
    pub fn attempts(&self) -> &[Attempt] {
        match self {
            Self::AllFailed { attempts, .. }
            | Self::Blocked { attempts, .. }
            | Self::InvalidRequest { attempts, .. }
            | Self::Cancelled { attempts } => attempts,
            Self::UnknownProvider { .. } | Self::NoRoute { .. } | Self::Http(_) => &[],
        }
    }
}

fn no_route(service: Service) -> &'static str {
    match service {
        Service::Stt => {
            "Nothing here can turn speech into text. Add a key under Providers, or install pocketsphinx or whisper-cli."
        }
        Service::Llm => "Nothing here can answer. Add a key under Providers, or start Ollama.",
        Service::Vlm => "Nothing here can look at a picture. Add a key under Providers, or install tesseract.",
        Service::Embedding => {
            "Nothing here can embed texts. Add a key for Gemini or OpenAI, or a server such as Ollama, under Providers."
        }
        Service::Tts => "Nothing here can speak. Add a key under Providers, or install espeak-ng.",
    }
}
