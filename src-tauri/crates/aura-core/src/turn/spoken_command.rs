//! Spoken commands: what AURA does by itself, without asking a model.

use aura_providers::Service;
use aura_router::{ProviderInfo, ProviderProblem};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::prepare::Prepared;
use super::request::Question;
use super::turn::Turn;
use crate::blocking::blocking;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::ports::TurnFilter;
use crate::record::NoticeKind;
use crate::words::plain_words;

/// Turns among which the last answer is looked for.
const LAST_TURNS: u32 = 20;

/// The commands in one language, in lower case and without punctuation.
struct Language {
    /// Its ISO 639-1 code.
    code: &'static str,
    /// Begins a new conversation. A whole transcript, never a part of it.
    new_conversation: &'static [&'static str],
    /// Says the last answer again. A whole transcript.
    repeat: &'static [&'static str],
    /// Undoes the last change. A whole transcript.
    undo: &'static [&'static str],
    /// Lets another provider answer: what stands before its name, which ends the transcript.
    switch: &'static [&'static str],
    /// What AURA says to a new conversation.
    begun: &'static str,
    /// What AURA says when there is no last answer.
    nothing: &'static str,
    /// What AURA says when the last change is undone.
    undone: &'static str,
    /// What AURA says when another provider answers, after its name.
    switched: &'static str,
    /// What AURA says when another provider cannot answer, after its name: it has no API key, its API key was rejected, or another reason.
    no_key: &'static str,
    key_rejected: &'static str,
    not_ready: &'static str,
}

impl Language {
    /// Why a provider cannot be used, and what to do, after its name.
    fn problem(&self, problem: &ProviderProblem) -> &'static str {
        match problem {
            ProviderProblem::NoKey => self.no_key,
            ProviderProblem::KeyRejected => self.key_rejected,
            _ => self.not_ready,
        }
    }
}

const LANGUAGES: &[Language] = &[
    Language {
        code: "en",
        new_conversation: &["new conversation", "start a new conversation", "begin a new conversation", "new chat"],
        repeat: &["say that again", "repeat that", "say it again", "repeat the answer", "please repeat that"],
        undo: &["undo that", "undo it", "undo", "please undo that", "take that back"],
        switch: &["switch to", "change to", "answer with"],
        begun: "This is a new conversation.",
        nothing: "There is nothing to say again yet.",
        undone: "It is undone.",
        switched: "answers from now on.",
        no_key: "has no API key yet. Save one under Providers.",
        key_rejected: "rejected its API key. Save a new one under Providers.",
        not_ready: "cannot be used yet. Check its address and its API key under Providers.",
    },
    Language {
        code: "de",
        new_conversation: &["neues gespräch", "ein neues gespräch", "beginne ein neues gespräch", "neue unterhaltung"],
        repeat: &["sag das noch einmal", "sag das nochmal", "wiederhole das", "noch einmal bitte", "bitte wiederholen"],
        undo: &["mach das rückgängig", "mach es rückgängig", "rückgängig", "rückgängig machen", "nimm das zurück"],
        switch: &["wechsle zu", "wechsel zu", "schalte um auf", "antworte mit"],
        begun: "Das ist ein neues Gespräch.",
        nothing: "Es gibt noch nichts zu wiederholen.",
        undone: "Das ist rückgängig gemacht.",
        switched: "antwortet ab jetzt.",
        no_key: "hat noch keinen API-Schlüssel. Speichere einen unter „Anbieter“.",
        key_rejected: "hat den API-Schlüssel abgelehnt. Speichere einen neuen unter „Anbieter“.",
        not_ready: "lässt sich noch nicht verwenden. Prüfe Adresse und API-Schlüssel unter „Anbieter“.",
    },
    Language {
        code: "es",
        new_conversation: &[
            "nueva conversación",
            "nueva conversacion",
            "empieza una nueva conversación",
            "una nueva conversación",
        ],
        repeat: &["dilo otra vez", "repite eso", "repítelo", "repite la respuesta", "otra vez por favor"],
        undo: &["deshaz eso", "deshazlo", "deshacer", "deshaz lo último", "deshaz lo ultimo"],
        switch: &["cambia a", "responde con", "pasa a"],
        begun: "Esta es una conversación nueva.",
        nothing: "Todavía no hay nada que repetir.",
        undone: "Está deshecho.",
        switched: "responde a partir de ahora.",
        no_key: "todavía no tiene clave de API. Guarda una en «Proveedores».",
        key_rejected: "rechazó la clave de API. Guarda otra en «Proveedores».",
        not_ready: "todavía no se puede usar. Revisa su dirección y su clave de API en «Proveedores».",
    },
];

/// A command, and the language in which it was given.
pub(super) struct Command {
    what: What,
    language: &'static Language,
}

enum What {
    NewConversation,
    Repeat,
    Undo,
    /// To the provider with this name.
    Switch(String),
}

/// A provider that answers questions, by what a person may call it.
struct Named {
    name: String,
    label: String,
}

impl Turn {
    /// The command, if that is all that was said. A typed question and that of a caller of its own are none.
    pub(super) fn spoken_command(&self, transcript: &str) -> Option<Command> {
        let is_spoken = !matches!(self.request.question, Question::Text(_));
        if !is_spoken || self.is_detached() {
            return None;
        }
        let providers = self.context.router.providers().into_iter();
        let answering = providers.filter(|provider| provider.services.contains(&Service::Llm));
        let named: Vec<Named> = answering.map(|ProviderInfo { name, label, .. }| Named { name, label }).collect();
        let command = command(transcript, &named)?;
        // What AURA cannot undo, the model may: the program in front has an undo of its own.
        let can_be_obeyed = !matches!(command.what, What::Undo) || self.context.consents.last_to_undo().is_some();
        can_be_obeyed.then_some(command)
    }

    /// Obeys a command, and says so. A failure to speak is only a notice.
    ///
    /// # Errors
    /// When the settings or the history cannot be read or written, or the desktop does not let AURA undo something.
    pub(super) async fn obey(&self, command: Command, prepared: Prepared) -> Result<()> {
        let Command { what, language } = command;
        let answer = match what {
            What::NewConversation => {
                self.context.session.begin_by_turn();
                language.begun.to_owned()
            }
            What::Repeat => self.last_answer().await?.unwrap_or_else(|| language.nothing.to_owned()),
            What::Undo => {
                self.context.undo_last().await?;
                language.undone.to_owned()
            }
            What::Switch(name) => self.switch_to(&name, language).await?,
        };
        self.say_at_once(answer, Some(language.code), prepared).await
    }

    /// The last answer of the conversation.
    async fn last_answer(&self) -> Result<Option<String>> {
        let filter =
            TurnFilter { session: Some(self.request.session.clone()), limit: LAST_TURNS, ..TurnFilter::default() };
        let turns = self.context.ports.history.find(&filter).await?;
        let answers = turns.into_iter().filter(|turn| turn.id != self.id).map(|turn| turn.answer);
        Ok(answers.into_iter().find(|answer| !answer.is_empty()))
    }

    /// Makes a provider the first one for answers, with and without a picture. Returns what is said about it.
    async fn switch_to(&self, name: &str, language: &Language) -> Result<String> {
        let mut providers = self.context.router.providers().into_iter();
        let Some(provider) = providers.find(|provider| provider.name == name) else {
            return Err(Error::invalid(format!("There is no provider `{name}` any more.")));
        };
        if let Some(problem) = provider.problem {
            return Ok(format!("{} {}", provider.label, language.problem(&problem)));
        }
        let choice = json!({"provider": name, "model": null, "voice": null});
        let offered = [Service::Llm, Service::Vlm].into_iter().filter(|service| provider.services.contains(service));
        let routes: Map<String, Value> = offered.map(|service| (service.as_str().to_owned(), choice.clone())).collect();
        let (store, changes) = (self.context.store.clone(), json!({ "routes": routes }));
        blocking(move || store.change(&changes)).await??;
        self.context.session.tell_change();
        Ok(format!("{} {}", provider.label, language.switched))
    }

    /// Says something that no model wrote. A failure to speak is only a notice.
    ///
    /// # Errors
    /// None yet: a step of a turn returns a result.
    pub(super) async fn say_at_once(&self, answer: String, language: Option<&str>, prepared: Prepared) -> Result<()> {
        self.set_recognised(language.map(str::to_owned));
        self.edit(|record| record.answer.clone_from(&answer));
        self.context.events.send_content(Event::Text { turn: self.id.clone(), delta: answer.clone() }).await;
        let (sentences, to_speak) = mpsc::channel(1);
        let _ = sentences.send(answer).await;
        drop(sentences);
        if let Err(error) = self.speak(prepared.output(), to_speak).await {
            self.notify_error(NoticeKind::NotSpoken, &error);
        }
        Ok(())
    }
}

fn command(transcript: &str, providers: &[Named]) -> Option<Command> {
    let said = plain_words(transcript);
    LANGUAGES.iter().find_map(|language| {
        let what = if language.new_conversation.contains(&said.as_str()) {
            What::NewConversation
        } else if language.repeat.contains(&said.as_str()) {
            What::Repeat
        } else if language.undo.contains(&said.as_str()) {
            What::Undo
        } else {
            let name = language.switch.iter().find_map(|words| said.strip_prefix(words)?.strip_prefix(' '))?;
            What::Switch(named(name, providers)?.name.clone())
        };
        Some(Command { what, language })
    })
}

/// The provider with this name, or one that sounds like it, or the only one with this word in its label.
fn named<'a>(name: &str, providers: &'a [Named]) -> Option<&'a Named> {
    let name = sound(name);
    let has_name = |one: &&Named| sound(&one.name) == name || sound(&one.label) == name;
    let has_word = |one: &&Named| plain_words(&one.label).split(' ').any(|word| sound(word) == name);
    providers.iter().find(has_name).or_else(|| {
        let mut found = providers.iter().filter(has_word);
        found.next().filter(|_| found.next().is_none())
    })
}

/// The letters of a name as it sounds. A recogniser writes names of companies as words that it knows.
fn sound(name: &str) -> String {
    plain_words(name).replace(' ', "").replace("ck", "k").replace(['q', 'c'], "k").replace("ph", "f").replace('y', "i")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(transcript: &str) -> Option<String> {
        let names = [("quick", "Quick AI"), ("far-away", "Far Away"), ("other", "Other AI")];
        let providers = names.map(|(name, label)| Named { name: name.into(), label: label.into() });
        command(transcript, &providers).map(|Command { what, language }| {
            let what = match what {
                What::NewConversation => "new".into(),
                What::Repeat => "repeat".into(),
                What::Undo => "undo".into(),
                What::Switch(name) => name,
            };
            format!("{} {what}", language.code)
        })
    }

    #[test]
    fn every_language_says_why_a_provider_cannot_answer() {
        let unprotected = ProviderProblem::KeyUnprotected;
        for language in LANGUAGES {
            let said = [ProviderProblem::NoKey, ProviderProblem::KeyRejected, unprotected.clone()]
                .map(|problem| language.problem(&problem));
            assert!(
                said[0] != said[1] && said[1] != said[2] && said.iter().all(|said| said.ends_with('.')),
                "{said:?}"
            );
        }
    }

    #[test]
    fn only_a_whole_transcript_is_a_command() {
        for (transcript, expected) in [
            ("New conversation.", Some("en new")),
            (" \u{201c}New, conversation!\u{201d}", Some("en new")),
            ("Neues Gespräch", Some("de new")),
            ("¡Nueva conversación!", Some("es new")),
            ("Say that again.", Some("en repeat")),
            ("Wiederhole das!", Some("de repeat")),
            ("Repítelo.", Some("es repeat")),
            ("Undo that.", Some("en undo")),
            ("Mach das rückgängig!", Some("de undo")),
            ("Deshaz eso.", Some("es undo")),
            ("Undo that last sentence", None),
            ("Switch to Quick.", Some("en quick")),
            ("Switch to quick AI", Some("en quick")),
            ("Wechsle zu Far Away.", Some("de far-away")),
            ("Cambia a Kwick", None),
            ("Change to Quik", Some("en quick")),
            ("Switch to AI", None),
            ("Switch to nobody.", None),
            ("Switch to Quick mode on my phone", None),
            ("How do I start a new conversation with a stranger?", None),
            ("New conversation about trains", None),
            ("Was heißt neues Gespräch auf Englisch?", None),
            ("", None),
        ] {
            assert_eq!(told(transcript).as_deref(), expected, "{transcript}");
        }
    }

    #[test]
    fn every_form_of_the_tables_is_a_command_of_its_language() {
        for language in LANGUAGES {
            let tables = [(language.new_conversation, "new"), (language.repeat, "repeat"), (language.undo, "undo")];
            for (forms, what) in tables {
                for said in forms {
                    assert_eq!(told(said), Some(format!("{} {what}", language.code)), "{said}");
                }
            }
            for said in language.switch {
                assert_eq!(told(&format!("{said} Other AI")), Some(format!("{} other", language.code)), "{said}");
            }
        }
    }
}
