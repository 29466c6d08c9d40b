//! llama.cpp's own messages: warnings and errors go to standard error, and the last errors are kept, because the library's functions only
//! say that they failed. None of these messages contains text of a conversation.

use std::fmt::{Debug, Write};
use std::sync::{Mutex, Once, PoisonError};

use llama_cpp_2::LogOptions;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// The most errors that are kept: the first says what is wrong, later ones only that the caller failed too.
const KEPT: usize = 8;

static ERRORS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static START: Once = Once::new();

/// Sends the library's messages here instead of to standard error.
pub(super) fn start() {
    START.call_once(|| {
        llama_cpp_2::send_logs_to_tracing(LogOptions::default());
        // Fails if a subscriber is set already, which nothing else in this program does.
        let _ = Registry::default().with(Messages).try_init();
    });
}

/// Takes the errors since the last call, oldest first.
pub(super) fn take_errors() -> Vec<String> {
    std::mem::take(&mut *ERRORS.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Messages;

impl<S: Subscriber> Layer<S> for Messages {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        // Levels are ordered from error to trace.
        *metadata.level() <= Level::WARN
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        let text = message.0.trim();
        if text.is_empty() {
            return;
        }
        eprintln!("llama.cpp: {text}");
        if *event.metadata().level() == Level::ERROR {
            let mut errors = ERRORS.lock().unwrap_or_else(PoisonError::into_inner);
            if errors.len() < KEPT {
                errors.push(text.to_owned());
            }
        }
    }
}

/// The message of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // Writing into a string does not fail.
            let _ = write!(self.0, "{value:?}");
        }
    }
}
