//! The list of operations and their implementations. A host expands [`with_operations!`](crate::with_operations) or calls an
//! operation by name with [`call`]; a host that expands the list cannot forget an operation.

use aura_providers::Service;
use aura_router::health::HealthReport;
use aura_router::{ProviderInfo, Route, RouteOverrides, UsageReport};
use serde_json::{Value, json};

use super::catalog_types::*;
use super::consent::{AnswerConsent, UndoAction, answer_consent, undo};
use super::mcp_servers::*;
pub use super::playback::{ControlPlayback, PlaybackAction, playback, repeat, replay};
use super::sessions::{RenameSession, SessionId, SessionsQuery};
use super::speech::{Heard, Say, hear, say};
use super::trends::{Trends, TrendsQuery};
use super::types::*;
pub use super::updates::{check_for_updates, download_update, install_update, stop_update, updates};
use crate::assistant::Assistant;
use crate::config::{ScreenPolicy, check_chosen_persona};
use crate::error::{Error, ErrorCode, Result};
use crate::local_models::*;
use crate::ports::{Diagnostic, DiagnosticArea, Finding, Selection, TurnFilter};
use crate::record::TurnRecord;
use crate::recordings;
use crate::session::SessionView;
use crate::turn::{Attachment, Question, TurnRequest};
use crate::updates::UpdatesView;
use crate::views::*;

/// Expands the given macro with the list of operations, each as `name: Request => Response,`.
#[macro_export]
macro_rules! with_operations {
    ($receiver:path) => {
        $receiver! {
            snapshot: Nothing => Snapshot,
            press: Press => Nothing,
            release: Nothing => Nothing,
            finish: Nothing => Nothing,
            cancel: Nothing => Nothing,
            hands_free: SetHandsFree => Nothing,
            answer_consent: AnswerConsent => Nothing,
            undo: UndoAction => Nothing,
            ask: Ask => TurnRecord,
            listen: Listen => TurnRecord,
            hear: Nothing => Heard,
            say: Say => Nothing,
            retry: Retry => TurnRecord,
            history: HistoryQuery => Vec<TurnRecord>,
            delete_turn: TurnId => Nothing,
            delete_turns: DeleteTurns => DeletedTurns,
            new_session: Nothing => Snapshot,
            sessions: SessionsQuery => Vec<SessionView>,
            continue_session: SessionId => Snapshot,
            rename_session: RenameSession => Nothing,
            delete_session: SessionId => DeletedTurns,
            switch: Switch => Snapshot,
            save_key: SaveKey => Snapshot,
            forget_key: ProviderName => Snapshot,
            change_settings: ChangeSettings => Snapshot,
            models: ModelsQuery => Vec<ModelView>,
            voices: ModelsQuery => Vec<VoiceView>,
            servers: Nothing => Vec<ServerView>,
            health: Nothing => HealthReport,
            usage: Nothing => UsageReport,
            trends: TrendsQuery => Trends,
            test: Test => TestResult,
            devices: Nothing => Devices,
            look: Look => Preview,
            meter: Meter => Nothing,
            replay: TurnId => Nothing,
            repeat: Nothing => Nothing,
            playback: ControlPlayback => Nothing,
            export: Export => Exported,
            local_models: Nothing => LocalModelsView,
            download_model: ModelId => LocalModelsView,
            pause_model: ModelId => LocalModelsView,
            resume_model: ModelId => LocalModelsView,
            cancel_model: ModelId => LocalModelsView,
            delete_model: ModelId => LocalModelsView,
            use_model: UseModel => LocalModelsView,
            stop_using_model: StopUsingModel => LocalModelsView,
            mcp_servers: Nothing => Vec<McpServerView>,
            import_mcp_servers: ImportMcpServers => ImportedMcpServers,
            save_mcp_value: SaveMcpValue => Vec<McpServerView>,
            restart_mcp_server: McpServerName => Vec<McpServerView>,
            remove_mcp_server: McpServerName => Nothing,
            updates: Nothing => UpdatesView,
            check_for_updates: Nothing => UpdatesView,
            download_update: Nothing => UpdatesView,
            stop_update: Nothing => UpdatesView,
            install_update: Nothing => UpdatesView,
            doctor: Nothing => Vec<Diagnostic>,
        }
    };
}

macro_rules! by_name {
    ($($name:ident: $request:ty => $response:ty,)*) => {
        /// Calls an operation by name, with its request and response as JSON.
        ///
        /// # Errors
        /// With [`ErrorCode::NotFound`] for an unknown name, with [`ErrorCode::InvalidRequest`] for a request of another shape, and
        /// with the error of the operation.
        pub async fn call(assistant: &Assistant, name: &str, request: Value) -> Result<Value> {
            match name {
                $(stringify!($name) => {
                    let request: $request = serde_json::from_value(request)
                        .map_err(|cause| Error::invalid(format!("This is not a valid request for `{name}`: {cause}.")))?;
                    let response: $response = $name(assistant, request).await?;
                    serde_json::to_value(response).map_err(Error::internal)
                })*
                _ => Err(Error::new(ErrorCode::NotFound, format!("There is no operation `{name}`."))),
            }
        }
    };
}
with_operations!(by_name);

/// Returns the whole state that an interface shows while nothing happens.
pub async fn snapshot(assistant: &Assistant, _: Nothing) -> Result<Snapshot> {
    Ok(assistant.snapshot())
}

/// Reports that the push-to-talk key was pressed: starts a recording, or ends the one that is running.
pub async fn press(assistant: &Assistant, request: Press) -> Result<Nothing> {
    assistant.release_devices();
    assistant.turns().press(TurnRequest {
        screen: request.screen,
        speech: request.speech,
        purpose: request.purpose,
        overrides: request.overrides,
        ..TurnRequest::new(Question::Microphone, assistant.session())
    });
    Ok(Nothing {})
}

/// Reports that the push-to-talk key was released. The settings decide what that means.
pub async fn release(assistant: &Assistant, _: Nothing) -> Result<Nothing> {
    assistant.turns().release();
    Ok(Nothing {})
}

/// Ends the recording and answers it, whatever the push-to-talk mode: for a caller that decides itself when to stop.
pub async fn finish(assistant: &Assistant, _: Nothing) -> Result<Nothing> {
    assistant.turns().finish();
    Ok(Nothing {})
}

/// Begins or ends hands-free use: AURA listens again after each answer, until somebody says “stop” or nobody speaks.
pub async fn hands_free(assistant: &Assistant, request: SetHandsFree) -> Result<Nothing> {
    super::hands_free::set(assistant, request.on);
    Ok(Nothing {})
}

/// Stops the turn, hands-free use, the replay and the microphone test that are running.
pub async fn cancel(assistant: &Assistant, _: Nothing) -> Result<Nothing> {
    assistant.end_hands_free();
    assistant.turns().cancel();
    assistant.release_devices();
    Ok(Nothing {})
}

/// Answers a typed question. Returns once the answer was written and played; the record of a failed turn holds its error.
///
/// # Errors
/// When the question is empty, the picture is not one, there is no such persona, or AURA ends meanwhile.
pub async fn ask(assistant: &Assistant, request: Ask) -> Result<TurnRecord> {
    let text = request.text.trim();
    if text.is_empty() {
        return Err(Error::invalid("The question is empty. Write what you want to know."));
    }
    check_chosen_persona(request.persona.as_deref().unwrap_or_default(), &assistant.config().settings.personas)?;
    let session = request.session.unwrap_or_else(|| assistant.session());
    let image = match (request.image, request.picture) {
        (Some(_), Some(_)) => return Err(Error::invalid("Set either `image` or `picture`.")),
        (image, None) => image.map(Attachment::File),
        (None, Some(picture)) => Some(Attachment::decode(&picture)?),
    };
    let request = TurnRequest {
        screen: request.screen,
        image,
        persona: request.persona,
        speech: request.speech,
        overrides: request.overrides,
        ..TurnRequest::new(Question::Text(text.to_owned()), session)
    };
    assistant.run(request).await
}

/// Answers a spoken question from an audio file. The record of a failed turn holds its error.
///
/// # Errors
/// When AURA ends meanwhile.
pub async fn listen(assistant: &Assistant, request: Listen) -> Result<TurnRecord> {
    let session = request.session.unwrap_or_else(|| assistant.session());
    let request = TurnRequest {
        screen: request.screen,
        speech: request.speech,
        overrides: request.overrides,
        ..TurnRequest::new(Question::File(request.audio), session)
    };
    assistant.run(request).await
}

/// Takes a screenshot as it would be sent with a question.
///
/// # Errors
/// When the screen cannot be captured.
pub async fn look(assistant: &Assistant, request: Look) -> Result<Preview> {
    super::devices::look(assistant, request).await
}

/// Reports the level of a microphone by `level` events, until the time is over or `cancel` is called.
///
/// # Errors
/// When the microphone cannot be opened, or is disconnected.
pub async fn meter(assistant: &Assistant, request: Meter) -> Result<Nothing> {
    super::devices::meter(assistant, request).await
}

/// Writes the whole history to a file in the folder for exports.
///
/// # Errors
/// When the history cannot be read, or the file cannot be written.
pub async fn export(assistant: &Assistant, request: Export) -> Result<Exported> {
    super::export::export(assistant, request.format).await
}

/// Runs a turn of the history again: from its transcript, or from its recording when there is no transcript. The record of a failed
/// turn holds its error.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when the turn, or both its transcript and its recording, are missing.
pub async fn retry(assistant: &Assistant, request: Retry) -> Result<TurnRecord> {
    let unsaved = assistant.turns().context().unsaved.get(&request.id);
    let turn = match unsaved {
        Some(turn) => Some(turn),
        None => assistant.ports().history.get(&request.id).await?,
    };
    let turn = turn.ok_or_else(|| Error::new(ErrorCode::NotFound, "This turn is no longer in the history."))?;
    let question = match (&turn.question_audio, turn.transcript.is_empty()) {
        // A recording that is gone is reported by the turn, with its path.
        (Some(path), true) => Question::File(recordings::find(path).await.unwrap_or_else(|| path.clone())),
        (None, true) => {
            if let Some(reason) = turn.recordings_deleted {
                let message = format!("{} Its text was not saved. Ask the question again.", reason.message());
                return Err(Error::new(ErrorCode::NotFound, message));
            }
            return Err(Error::new(
                ErrorCode::NotFound,
                "Neither the text nor the recording of this question was saved. Ask it again.",
            ));
        }
        (_, false) => Question::Text(turn.transcript.clone()),
    };
    // A turn with a screenshot takes a new one, unless the settings now forbid it. A turn with an attached picture sends the same
    // file again; if that is gone, a screenshot must not replace it.
    let shared = assistant.config().settings.screen.share != ScreenPolicy::Never;
    let screen = match &turn.seen {
        Some(picture) if picture.is_screenshot() => shared.then_some(true),
        Some(_) => Some(false),
        None => None,
    };
    let request = TurnRequest {
        screen,
        image: turn.picture.map(Attachment::File),
        purpose: turn.purpose,
        overrides: request.overrides,
        ..TurnRequest::new(question, turn.session)
    };
    assistant.run(request).await
}

/// Returns turns of the history, newest first.
///
/// # Errors
/// When the history cannot be read.
pub async fn history(assistant: &Assistant, request: HistoryQuery) -> Result<Vec<TurnRecord>> {
    let HistoryQuery { session, search, before, limit } = request;
    let (limit, words) = (page_size(limit), search_words(search));
    assistant.ports().history.find(&TurnFilter { session, words, before, limit }).await
}

/// Deletes a turn and AURA's recordings of it. Succeeds when there is no such turn.
///
/// # Errors
/// When the history cannot be changed.
pub async fn delete_turn(assistant: &Assistant, request: TurnId) -> Result<Nothing> {
    assistant.forget_last();
    assistant.ports().history.delete(&Selection::Turn(request.id)).await?;
    Ok(Nothing {})
}

/// Deletes the turns of a time, or all, and AURA's recordings of them.
///
/// # Errors
/// When the request selects nothing or contradicts itself, or the history cannot be changed.
pub async fn delete_turns(assistant: &Assistant, request: DeleteTurns) -> Result<DeletedTurns> {
    let selection = match (request.all, request.from, request.before) {
        (true, None, None) => Selection::All,
        (false, None, Some(before)) => Selection::Before(before),
        (false, Some(from), before) => Selection::Between(from, before.unwrap_or(jiff::Timestamp::MAX)),
        _ => return Err(Error::invalid("Set either `all`, or `from` or `before` or both.")),
    };
    assistant.forget_last();
    Ok(assistant.ports().history.delete(&selection).await?.into())
}

/// Starts a new session: the next turn remembers nothing of the earlier ones.
pub async fn new_session(assistant: &Assistant, _: Nothing) -> Result<Snapshot> {
    Ok(assistant.begin_session())
}

/// Returns sessions of the history, the one with the latest turn first.
///
/// # Errors
/// When the history cannot be read.
pub async fn sessions(assistant: &Assistant, request: SessionsQuery) -> Result<Vec<SessionView>> {
    super::sessions::list(assistant, request).await
}

/// Goes on with a session of the history: the next turn remembers its turns.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when it has no turn, or when the history cannot be read.
pub async fn continue_session(assistant: &Assistant, request: SessionId) -> Result<Snapshot> {
    super::sessions::resume(assistant, request.id).await
}

/// Gives a session a title.
///
/// # Errors
/// With [`ErrorCode::NotFound`] when it has no turn, when the title is too long, or when the history cannot be changed.
pub async fn rename_session(assistant: &Assistant, request: RenameSession) -> Result<Nothing> {
    super::sessions::rename(assistant, &request).await?;
    Ok(Nothing {})
}

/// Deletes a session with all its turns and AURA's recordings of them. A new session begins if it was the current one.
///
/// # Errors
/// When the history cannot be changed.
pub async fn delete_session(assistant: &Assistant, request: SessionId) -> Result<DeletedTurns> {
    super::sessions::delete(assistant, request.id).await
}

/// Changes the default route of a service. It applies from the next request on and is remembered. Where an environment variable sets
/// the route, it decides again at the next start.
///
/// # Errors
/// When the provider is unknown or does not offer the service, or when the settings cannot be saved.
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
    let choice = json!({"provider": request.provider, "model": request.model, "voice": request.voice});
    assistant.change(json!({"routes": {request.service.as_str(): choice}})).await
}

/// Saves a provider's API key in the keyring, or in memory until AURA ends.
///
/// # Errors
/// When the provider is unknown, the text cannot be a key, an environment variable sets the key, or the keyring fails.
pub async fn save_key(assistant: &Assistant, request: SaveKey) -> Result<Snapshot> {
    let provider = known_provider(assistant, &request.provider)?;
    assistant.keys().save(&provider, request.key, request.session_only).await?;
    let snapshot = assistant.key_changed(&request.provider);
    assistant.refresh_stale_lists();
    Ok(snapshot)
}

/// Deletes a provider's API key from memory and from the keyring.
///
/// # Errors
/// When the provider is unknown, an environment variable sets the key, or the keyring fails.
pub async fn forget_key(assistant: &Assistant, request: ProviderName) -> Result<Snapshot> {
    let provider = known_provider(assistant, &request.provider)?;
    assistant.keys().forget(&provider).await?;
    Ok(assistant.key_changed(&request.provider))
}

fn known_provider(assistant: &Assistant, name: &str) -> Result<ProviderInfo> {
    let known = assistant.router().providers().into_iter().find(|provider| provider.name == name);
    known.ok_or_else(|| Error::invalid(format!("There is no provider `{name}`.")))
}

/// Changes settings. They apply from the next request on.
///
/// # Errors
/// With [`ErrorCode::InvalidRequest`] when a value is not valid, and with [`ErrorCode::Storage`] when the file cannot be written;
/// nothing is changed then.
pub async fn change_settings(assistant: &Assistant, request: ChangeSettings) -> Result<Snapshot> {
    if !request.changes.is_object() {
        return Err(Error::invalid("`changes` must be an object in the shape of the settings."));
    }
    super::personas::check(assistant, &request.changes)?;
    if ["actions", "mcp_servers"].iter().any(|part| request.changes.get(part).is_some()) {
        assistant.turns().context().consents.forget_allowed();
    }
    let providers_changed = request.changes.get("providers").is_some();
    let snapshot = assistant.change(request.changes).await?;
    if providers_changed {
        assistant.refresh_stale_lists();
    }
    Ok(snapshot)
}

/// Lists the models of all providers that match the query. Embeddings are left out unless the query asks for them: no question needs them.
pub async fn models(assistant: &Assistant, request: ModelsQuery) -> Result<Vec<ModelView>> {
    let mut models: Vec<ModelView> = assistant.router().models().into_iter().map(ModelView::from).collect();
    models.retain(|model| {
        request.provider.as_deref().is_none_or(|provider| model.provider == provider)
            && match request.service {
                Some(service) => model.services.contains(&service),
                None => model.services.iter().any(|service| *service != Service::Embedding),
            }
    });
    Ok(models)
}

/// Lists the voices of one or all providers. The service of the query is ignored.
///
/// # Errors
/// When the provider is unknown.
pub async fn voices(assistant: &Assistant, request: ModelsQuery) -> Result<Vec<VoiceView>> {
    if let Some(provider) = &request.provider {
        known_provider(assistant, provider)?;
    }
    let voices = assistant.router().voices(request.provider.as_deref()).await;
    Ok(voices.into_iter().map(VoiceView::from).collect())
}

/// Lists the kinds of OpenAI-compatible servers, and which of them respond on this computer now.
pub async fn servers(assistant: &Assistant, _: Nothing) -> Result<Vec<ServerView>> {
    Ok(assistant.router().servers().await.into_iter().map(ServerView::from).collect())
}

/// Reports the health of every provider and service, measured on real requests.
pub async fn health(assistant: &Assistant, _: Nothing) -> Result<HealthReport> {
    Ok(assistant.router().health())
}

/// Reports usage and cost of today and of this month.
pub async fn usage(assistant: &Assistant, _: Nothing) -> Result<UsageReport> {
    Ok(assistant.router().usage())
}

/// Reports how providers did in the last hour, 24 hours or 30 days, also before the last start, and what each of the last 30 days cost.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn trends(assistant: &Assistant, request: TrendsQuery) -> Result<Trends> {
    super::trends::read(assistant, request.range).await
}

/// Makes one call to check that a service works. The call may be billed; AURA never makes it by itself.
///
/// # Errors
/// When the request is not valid, there is no route, or the call fails.
pub async fn test(assistant: &Assistant, request: Test) -> Result<TestResult> {
    super::test::run(assistant, request).await
}

/// Lists the microphones, speakers and screens of this computer. A kind that cannot be listed is empty; `doctor` reports why.
pub async fn devices(assistant: &Assistant, _: Nothing) -> Result<Devices> {
    super::devices::list(assistant).await
}

/// Lists the models that can run on this computer, and whether they are installed.
pub async fn local_models(assistant: &Assistant, _: Nothing) -> Result<LocalModelsView> {
    Ok(assistant.local_models().await)
}

/// Starts to download a model, and returns at once. `local_models` events tell how it goes.
///
/// # Errors
/// When the model is unknown, this computer cannot run it, or the disk has no room for it.
pub async fn download_model(assistant: &Assistant, request: ModelId) -> Result<LocalModelsView> {
    assistant.ports().local_model_store.download(&request.id).await?;
    Ok(assistant.local_models().await)
}

/// Pauses a download. What has arrived is kept, also when AURA ends.
///
/// # Errors
/// When the model is unknown or is not being downloaded.
pub async fn pause_model(assistant: &Assistant, request: ModelId) -> Result<LocalModelsView> {
    assistant.ports().local_model_store.pause(&request.id).await?;
    Ok(assistant.local_models().await)
}

/// Goes on with a download that was paused or broke off.
///
/// # Errors
/// As those of `download_model`.
pub async fn resume_model(assistant: &Assistant, request: ModelId) -> Result<LocalModelsView> {
    download_model(assistant, request).await
}

/// Stops a download and removes what has arrived.
///
/// # Errors
/// When the model is unknown or is installed.
pub async fn cancel_model(assistant: &Assistant, request: ModelId) -> Result<LocalModelsView> {
    assistant.ports().local_model_store.cancel(&request.id).await?;
    Ok(assistant.local_models().await)
}

/// Removes an installed model from the disk.
///
/// # Errors
/// When the model is unknown, is not installed, or its files cannot be removed.
pub async fn delete_model(assistant: &Assistant, request: ModelId) -> Result<LocalModelsView> {
    assistant.ports().local_model_store.delete(&request.id).await?;
    Ok(assistant.installed_models_changed().await)
}

/// Prefers an installed model for a service over the other models on this computer. The routes decide whether one of them is used.
///
/// # Errors
/// When the model is not installed or does not provide the service, or the choice cannot be saved.
pub async fn use_model(assistant: &Assistant, request: UseModel) -> Result<LocalModelsView> {
    assistant.ports().local_model_store.choose(request.service, Some(&request.id)).await?;
    Ok(assistant.installed_models_changed().await)
}

/// Prefers no model on this computer for a service: the first of the catalog that knows the language is used.
///
/// # Errors
/// When the choice cannot be saved.
pub async fn stop_using_model(assistant: &Assistant, request: StopUsingModel) -> Result<LocalModelsView> {
    assistant.ports().local_model_store.choose(request.service, None).await?;
    Ok(assistant.installed_models_changed().await)
}

/// Checks devices, keyring, settings, providers and routes, and says what to do about each problem. Costs nothing.
pub async fn doctor(assistant: &Assistant, _: Nothing) -> Result<Vec<Diagnostic>> {
    let config = assistant.config();
    let (listening, speaking) = (&config.settings.listening, &config.settings.speaking);
    let microphones = listening.microphones();
    let mut diagnostics = assistant.ports().doctor.examine(&microphones, speaking.speaker.as_deref()).await;
    let snapshot = assistant.snapshot();
    let remedy = "Correct the value in the settings file or under Settings.";
    diagnostics.extend(snapshot.settings_problem_facts.into_iter().map(|problem| {
        let message = problem.to_string();
        Diagnostic::problem(DiagnosticArea::Settings, Finding::SettingsProblem { problem }, message, remedy)
    }));
    diagnostics.extend(snapshot.overruled.into_iter().map(|overruled| {
        let message = overruled.message();
        Diagnostic::passed(DiagnosticArea::Settings, Finding::SettingOverruled { overruled }, message)
    }));
    diagnostics.extend(snapshot.providers.into_iter().map(|provider| {
        let area = DiagnosticArea::Named(provider.name);
        let remedy = "Open Providers to fix this, or ignore it: AURA works without this provider.";
        match provider.problem_facts {
            Some(problem) => {
                let message = problem.to_string();
                Diagnostic::problem(area, Finding::ProviderProblem { problem }, message, remedy)
            }
            None => Diagnostic::passed(area, Finding::ProviderReady, "Ready."),
        }
    }));
    for RouteView { service, routes, .. } in snapshot.routes {
        let area = DiagnosticArea::Route(service);
        diagnostics.push(match routes.into_iter().next() {
            Some(Route { provider, model, .. }) => {
                let message = format!("{provider} ({model}).");
                Diagnostic::passed(area, Finding::Routed { service, provider, model }, message)
            }
            None => {
                let error = assistant.router().plan(service, &RouteOverrides::default()).err();
                Diagnostic {
                    area,
                    ok: false,
                    finding: Finding::NotRouted { service },
                    message: format!("No provider is ready for {}.", service.as_str()),
                    remedy: error.map(|error| error.to_string()),
                }
            }
        });
    }
    Ok(diagnostics)
}
