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

#[cfg(test)]
mod tests {
    use super::*;

    fn suggested(memory: u64, language: &str) -> Vec<String> {
        suggest(Catalog::own(), Machine { memory, cores: 4 }, language)
    }

    #[test]
    fn each_language_gets_recognition_a_voice_and_language_models_that_fit() {
        let english = suggested(16_000_000_000, "en");
        assert_eq!(english[..2], ["moonshine-tiny-en", "hibari-en"]);
        let german = suggested(16_000_000_000, "de");
        assert_eq!(german[..2], ["whisper-base", "piper-de-thorsten"]);
        let catalog = Catalog::own();
        for (ids, largest) in [(&english, 110_000_000), (&german, 150_000_000)] {
            let download: u64 = ids[..2]
                .iter()
                .filter_map(|id| catalog.entry(id))
                .map(|entry| catalog.download_size(&entry.files))
                .sum();
            assert!(download > 0 && download < largest, "{ids:?}: {download}");
        }
        let chat = |ids: &[String]| -> Vec<u64> {
            let entries = ids.iter().filter_map(|id| catalog.entry(id));
            entries.filter(|entry| entry.services == [Service::Llm]).map(|entry| entry.memory).collect()
        };
        assert!(chat(&english).len() >= 2 && chat(&english).is_sorted(), "{english:?}");
        // A language without a voice still gets the rest.
        assert!(suggested(16_000_000_000, "ja").contains(&"whisper-base".to_owned()));
        let small = suggested(4_000_000_000, "en");
        assert!(small.len() >= 3 && chat(&small).iter().all(|memory| *memory <= 3_200_000_000), "{small:?}");
    }

    #[test]
    fn what_is_suggested_is_what_fits() {
        let catalog = Catalog::own();
        for memory in [1, 2, 4, 8, 64].map(|gigabytes| gigabytes * 1_000_000_000) {
            let machine = Machine { memory, cores: 2 };
            for id in suggest(catalog, machine, "en") {
                assert_ne!(machine.fits(catalog.entry(&id).unwrap()), Fits::No, "{id} in {memory}");
            }
        }
        let entry = |memory| Entry { memory, ..catalog.entry("qwen3-1.7b").unwrap().clone() };
        let machine = Machine { memory: 8_000_000_000, cores: 8 };
        let fits = [1_000_000_000, 5_000_000_000, 7_000_000_000].map(|memory| machine.fits(&entry(memory)));
        assert_eq!(fits, [Fits::Yes, Fits::Tight, Fits::No]);
        assert_eq!(Machine { cores: 1, ..machine }.fits(&entry(3_000_000_000)), Fits::Tight, "too few processors");
    }
}
