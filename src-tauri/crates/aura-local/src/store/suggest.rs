//! What to offer first on a computer for a language.

use aura_providers::Service;

use super::catalog::{Catalog, Entry};
use super::machine::{Fits, Machine};

/// The largest number of language models that are suggested.
const LANGUAGE_MODELS: usize = 3;

/// IDs: speech recognition and a voice for the language, then language models from small to large. Only what fits the computer.
pub(crate) fn suggest(catalog: &Catalog, machine: Machine, language: &str) -> Vec<String> {
    let fits = |entry: &&Entry| !entry.hidden && entry.suggested && machine.fits(entry) != Fits::No;
    let entries: Vec<&Entry> = catalog.models.iter().filter(fits).collect();
    let knows = |entry: &Entry| entry.languages.is_empty() || entry.languages.iter().any(|known| known == language);
    let best = |service: Service| {
        let mut of_service = entries.iter().filter(|entry| entry.services.contains(&service) && knows(entry));
        // A model for this language alone is smaller and faster than one for all.
        let own = of_service.clone().find(|entry| entry.languages.len() == 1);
        own.or_else(|| of_service.next()).map(|entry| entry.id.clone())
    };
    let mut ids: Vec<String> = [Service::Stt, Service::Tts].into_iter().filter_map(best).collect();
    let chat = |entry: &&&Entry| entry.services.contains(&Service::Llm) && !entry.services.contains(&Service::Vlm);
    let mut chat: Vec<&&Entry> = entries.iter().filter(chat).filter(|entry| knows(entry)).collect();
    chat.sort_by_key(|entry| entry.memory);
    // The largest ones say most about what the computer can do.
    let skipped = chat.len().saturating_sub(LANGUAGE_MODELS);
    ids.extend(chat.into_iter().skip(skipped).map(|entry| entry.id.clone()));
    let vision = entries.iter().find(|entry| entry.services.contains(&Service::Vlm));
    ids.extend(vision.map(|entry| entry.id.clone()));
    ids
}
