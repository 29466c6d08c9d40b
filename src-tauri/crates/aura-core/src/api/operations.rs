//! The operations. A door expands the list or calls [`call`] by name; one that forgets an operation does not compile.

use serde_json::{Value, json};

use super::catalog_types::*;
use super::types::*;
use crate::assistant::Assistant;
use crate::config::Share;
use crate::error::{Code, Error, Result};
use crate::health::HealthReport;
use crate::ports::{Finding, TurnFilter};
use crate::record::TurnRecord;
use crate::turn::{Attached, Question, Request};
use crate::usage::UsageReport;

/// Hands the list of operations, `name: Request => Response`, to a macro.
#[macro_export]
macro_rules! with_operations {
    ($receiver:path) => {
        $receiver! {
            snapshot: Nothing => Snapshot,
            press: Press => Nothing,
            release: Nothing => Nothing,
            finish: Nothing => Nothing,
            cancel: Nothing => Nothing,
            ask: Ask => TurnRecord,
            listen: Listen => TurnRecord,
            retry: Retry => TurnRecord,
            history: HistoryQuery => Vec<TurnRecord>,
            delete_turn: TurnId => Nothing,
            new_session: Nothing => Snapshot,
            switch: Switch => Snapshot,
            save_key: SaveKey => Snapshot,
            forget_key: ProviderName => Snapshot,
            change_settings: ChangeSettings => Snapshot,
            models: ModelsQuery => Vec<ModelView>,
            voices: ModelsQuery => Vec<VoiceView>,
            servers: Nothing => Vec<ServerView>,
            health: Nothing => HealthReport,
            usage: Nothing => UsageReport,
            test: Test => TestResult,
            devices: Nothing => Devices,
            look: Look => Preview,
            meter: Meter => Nothing,
            replay: TurnId => Nothing,
            export: Export => Exported,
            doctor: Nothing => Vec<Finding>,
        }
    };
}

macro_rules! by_name {
    ($($name:ident: $request:ty => $response:ty,)*) => {
        /// The names of all operations.
        pub const OPERATIONS: &[&str] = &[$(stringify!($name)),*];

        /// Calls an operation by its name, with its request and response as JSON.
        pub async fn call(assistant: &Assistant, name: &str, request: Value) -> Result<Value> {
            match name {
                $(stringify!($name) => {
                    let request: $request = serde_json::from_value(request)
                        .map_err(|cause| Error::invalid(format!("This is not a request for `{name}`: {cause}.")))?;
                    let response: $response = $name(assistant, request).await?;
                    serde_json::to_value(response).map_err(Error::internal)
                })*
                _ => Err(Error::new(Code::NotFound, format!("There is no operation `{name}`."))),
            }
        }
    };
}
with_operations!(by_name);

/// All that the interface shows at rest.
pub async fn snapshot(assistant: &Assistant, _: Nothing) -> Result<Snapshot> {
    Ok(assistant.snapshot())
}

/// The talk key went down.
pub async fn press(assistant: &Assistant, request: Press) -> Result<Nothing> {
    assistant.quiet();
    assistant.turns().press(Request {
        question: Question::Microphone,
        session: assistant.session(),
        screen: request.screen,
        image: None,
        context: None,
        plans: false,
        speech: request.speech,
        wishes: request.wishes,
    });
    Ok(Nothing {})
}

/// The talk key went up.
pub async fn release(assistant: &Assistant, _: Nothing) -> Result<Nothing> {
    assistant.turns().release();
    Ok(Nothing {})
}

/// The recording is complete and is answered, whatever a release of the talk key would mean: for a caller that keeps its own time.
pub async fn finish(assistant: &Assistant, _: Nothing) -> Result<Nothing> {
    assistant.turns().finish();
    Ok(Nothing {})
}

/// Everything in flight stops.
pub async fn cancel(assistant: &Assistant, _: Nothing) -> Result<Nothing> {
    assistant.turns().cancel();
    assistant.quiet();
    Ok(Nothing {})
}

/// A typed question. Returns when the answer was given and heard; a turn that failed has its error in the record.
pub async fn ask(assistant: &Assistant, request: Ask) -> Result<TurnRecord> {
    let text = request.text.trim();
    if text.is_empty() {
        return Err(Error::invalid("The question is empty. Write what you want to know."));
    }
    let request = Request {
        question: Question::Text(text.to_owned()),
        session: request.session.unwrap_or_else(|| assistant.session()),
        screen: request.screen,
        image: request.image.map(Attached::File),
        context: None,
        plans: false,
        speech: request.speech,
        wishes: request.wishes,
    };
    take(assistant, request).await
}

/// Takes a turn. The microphone and the speaker are its own: an answer that is heard again, or a microphone that is tried, ends.
async fn take(assistant: &Assistant, request: Request) -> Result<TurnRecord> {
    assistant.quiet();
    assistant.turns().take(request).await
}

/// A spoken question from a file.
pub async fn listen(assistant: &Assistant, request: Listen) -> Result<TurnRecord> {
    let request = Request {
        question: Question::File(request.audio),
        session: request.session.unwrap_or_else(|| assistant.session()),
        screen: request.screen,
        image: None,
        context: None,
        plans: false,
        speech: request.speech,
        wishes: request.wishes,
    };
    take(assistant, request).await
}

/// A picture of the screen as it would be sent with a question.
pub async fn look(assistant: &Assistant, request: Look) -> Result<Preview> {
    super::desk::look(assistant, request).await
}

/// Tells how loud a microphone is, by `level` events, until the time is over or everything is stopped.
pub async fn meter(assistant: &Assistant, request: Meter) -> Result<Nothing> {
    super::desk::meter(assistant, request).await
}

/// Lets a turn's answer be heard once more. Returns when it was heard, or stopped.
pub async fn replay(assistant: &Assistant, request: TurnId) -> Result<Nothing> {
    super::desk::replay(assistant, &request.id).await
}

/// Writes the whole history into a file in the person's documents.
pub async fn export(assistant: &Assistant, request: Export) -> Result<Exported> {
    super::desk::export(assistant, request.format).await
}

/// Takes a turn again: from its transcript, or from its recording when it was not understood.
pub async fn retry(assistant: &Assistant, request: Retry) -> Result<TurnRecord> {
    let turn = assistant.ports().history.get(&request.id).await?;
    let turn = turn.ok_or_else(|| Error::new(Code::NotFound, "This turn is no longer in the history."))?;
    let question = match (&turn.question_audio, turn.transcript.is_empty()) {
        (Some(path), true) => Question::File(path.clone()),
        (None, true) => {
            return Err(Error::new(Code::NotFound, "Nothing of this question was kept. Please ask it again."));
        }
        (_, false) => Question::Text(turn.transcript.clone()),
    };
    // Where the screen itself was seen it is looked at anew, unless the person has said meanwhile that it never goes. A picture that
    // was attached goes with it again; without it, the screen is no substitute.
    let shared = assistant.snapshot().settings.screen.share != Share::Never;
    let screen = match &turn.seen {
        Some(seen) if seen.is_of_the_screen() => shared.then_some(true),
        Some(_) => Some(false),
        None => None,
    };
    let request = Request {
        question,
        session: turn.session,
        screen,
        image: turn.picture.map(Attached::File),
        context: None,
        plans: false,
        speech: Speech::Aloud,
        wishes: request.wishes,
    };
    take(assistant, request).await
}

/// The newest turns, newest first.
pub async fn history(assistant: &Assistant, request: HistoryQuery) -> Result<Vec<TurnRecord>> {
    let HistoryQuery { session, search, before, limit } = request;
    let limit = if limit == 0 { 50 } else { limit.min(1_000) };
    let words = search.filter(|words| !words.trim().is_empty());
    assistant.ports().history.find(&TurnFilter { session, words, before, limit }).await
}

/// Removes a turn and its recordings.
pub async fn delete_turn(assistant: &Assistant, request: TurnId) -> Result<Nothing> {
    let history = &assistant.ports().history;
    if let Some(turn) = history.get(&request.id).await? {
        history.delete(&request.id).await?;
        // Only what AURA recorded itself carries the turn's name; a file that the person gave is theirs.
        let own = |path: &std::path::PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&turn.id))
        };
        for path in turn.question_audio.iter().chain(&turn.answer_audio).filter(|path| own(path)) {
            if let Err(cause) = tokio::fs::remove_file(path).await
                && cause.kind() != std::io::ErrorKind::NotFound
            {
                return Err(Error::storage("remove the turn's recording", cause));
            }
        }
    }
    Ok(Nothing {})
}

/// Forgets what was said: the next turn begins afresh.
pub async fn new_session(assistant: &Assistant, _: Nothing) -> Result<Snapshot> {
    Ok(assistant.begin_session())
}

/// Makes another route the default for a service, unless a variable of the environment holds it: then it would change nothing, and
/// says so.
pub async fn switch(assistant: &Assistant, request: Switch) -> Result<Snapshot> {
    let providers = assistant.router().providers();
    let known = providers.iter().find(|provider| provider.name == request.provider);
    let provider = known.ok_or_else(|| {
        let names: Vec<&str> = providers.iter().map(|provider| provider.name.as_str()).collect();
        Error::invalid(format!("There is no provider `{}`. Use one of: {}.", request.provider, names.join(", ")))
    })?;
    if !provider.services.contains(&request.service) {
        return Err(Error::invalid(format!("{} does not offer {}.", provider.label, request.service.as_str())));
    }
    let service = request.service.as_str();
    let held = format!("routes.{service}.");
    if let Some(name) = assistant.snapshot().from_environment.iter().find_map(|name| name.strip_prefix(&held)) {
        let variable = format!("DEFAULT_{}_{}", service.to_uppercase(), name.to_uppercase());
        return Err(Error::invalid(format!(
            "The variable {variable} holds the default route for {service}. Remove it where AURA is started, then switch."
        )));
    }
    let choice = json!({"provider": request.provider, "model": request.model, "voice": request.voice});
    assistant.change(json!({"routes": {request.service.as_str(): choice}})).await
}

/// Saves a provider's key in the keyring, or for this session.
pub async fn save_key(assistant: &Assistant, request: SaveKey) -> Result<Snapshot> {
    known_provider(assistant, &request.provider)?;
    assistant.keys().save(&request.provider, request.key, request.session_only).await?;
    assistant.router().forgive(&request.provider);
    let snapshot = assistant.changed();
    assistant.discover();
    Ok(snapshot)
}

/// Forgets a provider's key.
pub async fn forget_key(assistant: &Assistant, request: ProviderName) -> Result<Snapshot> {
    known_provider(assistant, &request.provider)?;
    assistant.keys().forget(&request.provider).await?;
    assistant.router().forgive(&request.provider);
    Ok(assistant.changed())
}

fn known_provider(assistant: &Assistant, name: &str) -> Result<()> {
    let known = assistant.router().providers().iter().any(|provider| provider.name == name);
    if known { Ok(()) } else { Err(Error::invalid(format!("There is no provider `{name}`."))) }
}

/// Changes settings; they hold from the next request on.
pub async fn change_settings(assistant: &Assistant, request: ChangeSettings) -> Result<Snapshot> {
    if !request.changes.is_object() {
        return Err(Error::invalid("Changes are an object in the shape of the settings."));
    }
    let of_providers = request.changes.get("providers").is_some();
    let snapshot = assistant.change(request.changes).await?;
    if of_providers {
        assistant.discover();
    }
    Ok(snapshot)
}

/// The models that can be asked for.
pub async fn models(assistant: &Assistant, request: ModelsQuery) -> Result<Vec<ModelView>> {
    let mut models = assistant.router().models();
    models.retain(|model| {
        request.provider.as_deref().is_none_or(|provider| model.provider == provider)
            && request.service.is_none_or(|service| model.services.contains(&service))
    });
    Ok(models)
}

/// The voices that can be asked for.
pub async fn voices(assistant: &Assistant, request: ModelsQuery) -> Result<Vec<VoiceView>> {
    if let Some(provider) = &request.provider {
        known_provider(assistant, provider)?;
    }
    Ok(assistant.router().voices(request.provider.as_deref()).await)
}

/// The kinds of OpenAI-compatible servers, and which of them answer on this computer now.
pub async fn servers(assistant: &Assistant, _: Nothing) -> Result<Vec<ServerView>> {
    Ok(assistant.router().servers().await)
}

/// How every provider does every service, as real traffic showed.
pub async fn health(assistant: &Assistant, _: Nothing) -> Result<HealthReport> {
    Ok(assistant.router().health())
}

/// What was used and what it cost, today and this month.
pub async fn usage(assistant: &Assistant, _: Nothing) -> Result<UsageReport> {
    Ok(assistant.router().usage())
}

/// Makes one call to see whether a service works. It may be billed; nothing else in AURA makes such a call by itself.
pub async fn test(assistant: &Assistant, request: Test) -> Result<TestResult> {
    super::test::run(assistant, request).await
}

/// What can be picked on this computer. A kind that cannot be listed is empty: the doctor says why.
pub async fn devices(assistant: &Assistant, _: Nothing) -> Result<Devices> {
    let ports = assistant.ports();
    let (microphones, speakers, screens) =
        tokio::join!(ports.microphone.devices(), ports.speaker.devices(), ports.screen.targets());
    Ok(Devices {
        microphones: microphones.unwrap_or_default(),
        speakers: speakers.unwrap_or_default(),
        screens: screens.unwrap_or_default(),
    })
}

/// What works on this machine, what does not, and what to do about it.
pub async fn doctor(assistant: &Assistant, _: Nothing) -> Result<Vec<Finding>> {
    let mut findings = assistant.ports().doctor.examine().await;
    let snapshot = assistant.snapshot();
    for problem in snapshot.settings_problems {
        findings.push(Finding {
            area: "settings".into(),
            ok: false,
            message: problem,
            remedy: Some("Correct the value in the settings file or under Settings.".into()),
        });
    }
    for provider in snapshot.providers {
        let message = match &provider.problem {
            Some(problem) => format!("{}: {problem}", provider.label),
            None => format!("{} is ready.", provider.label),
        };
        let remedy =
            provider.problem.as_ref().map(|_| "Open Providers and add what is missing. AURA works without it.".into());
        findings.push(Finding { area: provider.name, ok: provider.problem.is_none(), message, remedy });
    }
    for view in snapshot.routes {
        let area = format!("{} route", view.service.as_str());
        let finding = match view.routes.first() {
            Some(route) => Finding {
                area,
                ok: true,
                message: format!("{} by {} ({}).", view.service.as_str(), route.provider, route.model),
                remedy: None,
            },
            None => {
                let error = assistant.router().plan(view.service, &Wishes::default()).err();
                let remedy = error.map(|error| error.message);
                Finding { area, ok: false, message: format!("Nothing does {} yet.", view.service.as_str()), remedy }
            }
        };
        findings.push(finding);
    }
    Ok(findings)
}
