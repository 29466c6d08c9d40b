//! Personas: named instructions for the model, each with a voice and a route of its own if it has them.

use aura_router::RouteOverrides;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The most personas.
const MAX_PERSONAS: usize = 50;
/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 40;
/// The longest instructions, in characters.
const MAX_INSTRUCTIONS_CHARS: usize = 8_000;

/// A persona: how AURA answers while it is chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Persona {
    /// The name: one line of 1 to 40 characters, and no other persona's, whatever the case.
    pub name: String,
    /// The instructions, added to the system prompt after the user's own; at most 8,000 characters.
    pub instructions: String,
    /// The voice of a turn that names no voice and no provider for `tts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub voice: Option<String>,
    /// `provider` or `provider/model` for `llm`, of a turn that names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub llm: Option<String>,
}

impl Persona {
    /// Adds the voice and the route to the overrides of a turn, where it names none. A route whose provider is gone is left out.
    /// `fallback`: whether other providers may answer when the persona's fails; a turn that names providers has decided that itself.
    pub(crate) fn apply(&self, overrides: &mut RouteOverrides, fallback: bool, is_provider: impl Fn(&str) -> bool) {
        let provider = |route: &&String| is_provider(route.split_once('/').map_or(route.as_str(), |(name, _)| name));
        if overrides.voice.is_none() && overrides.tts.is_none() {
            overrides.voice.clone_from(&self.voice);
        }
        if overrides.llm.is_none()
            && let Some(route) = self.llm.as_ref().filter(provider)
        {
            let RouteOverrides { stt, vlm, tts, embedding, .. } = &*overrides;
            let names_provider = [stt, vlm, tts, embedding].into_iter().any(Option::is_some);
            overrides.fallback |= fallback && !names_provider;
            overrides.llm = Some(route.clone());
        }
    }
}

/// The persona with this name, whatever the case.
pub(super) fn find<'a>(name: &str, personas: &'a [Persona]) -> Option<&'a Persona> {
    personas.iter().find(|persona| is_same(&persona.name, name))
}

/// Checks that a persona with this name is among `personas`; an empty name means none.
///
/// # Errors
/// With the names that there are, when it is not.
pub(crate) fn check_chosen(name: &str, personas: &[Persona]) -> Result<()> {
    let name = name.trim();
    if name.is_empty() || find(name, personas).is_some() {
        return Ok(());
    }
    let names: Vec<&str> = personas.iter().map(|persona| persona.name.as_str()).collect();
    let advice = match names.as_slice() {
        [] => "There are none yet. Add one under Settings, Answers.".to_owned(),
        _ => format!("Use one of: {}.", names.join(", ")),
    };
    Err(Error::invalid(format!("There is no persona `{name}`. {advice}")))
}

/// Checks the personas of the settings.
///
/// # Errors
/// When there are too many, a name is empty, too long or used twice, or instructions are too long.
pub(super) fn check(personas: &[Persona]) -> Result<()> {
    if personas.len() > MAX_PERSONAS {
        return Err(Error::invalid(format!("There can be at most {MAX_PERSONAS} personas. Remove one.")));
    }
    for (at, persona) in personas.iter().enumerate() {
        let name = persona.name.trim();
        if name.is_empty() {
            return Err(Error::invalid("A persona has no name. Give it one."));
        }
        if name.chars().count() > MAX_NAME_CHARS || name.contains(char::is_control) {
            return Err(Error::invalid(format!(
                "The name of a persona has one line of at most {MAX_NAME_CHARS} characters."
            )));
        }
        if personas[..at].iter().any(|other| is_same(&other.name, name)) {
            return Err(Error::invalid(format!("Two personas are named `{name}`. Give one of them another name.")));
        }
        if persona.instructions.chars().count() > MAX_INSTRUCTIONS_CHARS {
            return Err(Error::invalid(format!(
                "The instructions of `{name}` are longer than {MAX_INSTRUCTIONS_CHARS} characters. Shorten them."
            )));
        }
    }
    Ok(())
}

fn is_same(name: &str, other: &str) -> bool {
    name.trim().to_lowercase() == other.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Persona {
        Persona { name: name.into(), ..Persona::default() }
    }

    #[test]
    fn names_are_short_and_different() {
        let is_valid = |names: &[&str]| check(&names.iter().map(|name| named(name)).collect::<Vec<_>>()).is_ok();
        assert!(is_valid(&[]) && is_valid(&["Pirate", "Ärztin", &"x".repeat(40)]));
        for bad in [vec![""], vec![" "], vec!["a\nb"], vec!["Pirate", " pirate "], vec!["Ärztin", "ärztin"]] {
            assert!(!is_valid(&bad), "{bad:?}");
        }
        assert!(!is_valid(&[&"x".repeat(41)]));
        assert!(check(&[Persona { instructions: "x".repeat(8_001), ..named("a") }]).is_err());
    }

    #[test]
    fn an_unknown_name_is_told_with_the_names_that_there_are() {
        let personas = [named("Pirate"), named("Teacher")];
        assert!(check_chosen("pirate", &personas).is_ok() && check_chosen("", &personas).is_ok());
        assert!(check_chosen("Poet", &personas).unwrap_err().message.contains("Pirate, Teacher"));
        assert!(check_chosen("Poet", &[]).unwrap_err().message.contains("Settings"));
    }

    #[test]
    fn a_turn_that_names_routes_keeps_them() {
        let persona = Persona { voice: Some("Kore".into()), llm: Some("groq/a/b".into()), ..named("Pirate") };
        let applied = |mut overrides: RouteOverrides, fallback| {
            persona.apply(&mut overrides, fallback, |name| name == "groq");
            (overrides.llm, overrides.voice, overrides.fallback)
        };
        let (kore, route) = (Some("Kore".to_owned()), Some("groq/a/b".to_owned()));
        assert_eq!(applied(RouteOverrides::default(), true), (route.clone(), kore.clone(), true));
        assert_eq!(applied(RouteOverrides::default(), false), (route.clone(), kore.clone(), false));
        let asked =
            RouteOverrides { llm: Some("gemini".into()), voice: Some("Puck".into()), ..RouteOverrides::default() };
        assert_eq!(applied(asked, true), (Some("gemini".into()), Some("Puck".into()), false));
        let speaks = RouteOverrides { tts: Some("gemini".into()), ..RouteOverrides::default() };
        assert_eq!(applied(speaks, true), (route, None, false));
        let gone = Persona { llm: Some("mine/model".into()), ..named("Gone") };
        let mut overrides = RouteOverrides::default();
        gone.apply(&mut overrides, true, |name| name == "groq");
        assert_eq!(overrides, RouteOverrides::default());
    }
}
