//! The language of a question: its code, and its name for a model.

use aura_providers::language_code;

/// ISO 639-1 codes and the English names, by which Whisper reports a language.
const NAMES: &[(&str, &str)] = &[
    ("ar", "Arabic"),
    ("bg", "Bulgarian"),
    ("ca", "Catalan"),
    ("cs", "Czech"),
    ("da", "Danish"),
    ("de", "German"),
    ("el", "Greek"),
    ("en", "English"),
    ("es", "Spanish"),
    ("et", "Estonian"),
    ("fa", "Persian"),
    ("fi", "Finnish"),
    ("fr", "French"),
    ("he", "Hebrew"),
    ("hi", "Hindi"),
    ("hr", "Croatian"),
    ("hu", "Hungarian"),
    ("id", "Indonesian"),
    ("it", "Italian"),
    ("ja", "Japanese"),
    ("ko", "Korean"),
    ("lt", "Lithuanian"),
    ("lv", "Latvian"),
    ("ms", "Malay"),
    ("nl", "Dutch"),
    ("no", "Norwegian"),
    ("pl", "Polish"),
    ("pt", "Portuguese"),
    ("ro", "Romanian"),
    ("ru", "Russian"),
    ("sk", "Slovak"),
    ("sl", "Slovenian"),
    ("sr", "Serbian"),
    ("sv", "Swedish"),
    ("th", "Thai"),
    ("tr", "Turkish"),
    ("uk", "Ukrainian"),
    ("vi", "Vietnamese"),
    ("zh", "Chinese"),
];

/// The code of a language that a provider names by code, by tag or in English; `None` for a name that is not known.
pub(super) fn code(named: &str) -> Option<String> {
    let named = named.trim();
    if let Some((code, _)) = NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(named)) {
        return Some((*code).to_owned());
    }
    language_code(Some(named))
}

/// The English name of a language, or its code.
pub(super) fn name(code: &str) -> &str {
    NAMES.iter().find(|(known, _)| *known == code).map_or(code, |(_, name)| name)
}

/// What a model is told about the language that was recognised. English questions need no word about it.
pub(super) fn instruction(recognised: Option<&str>) -> String {
    match recognised {
        Some(code) if code != "en" => {
            let language = name(code);
            format!(
                "The question was spoken in {language}. Answer in {language}, unless another language is asked for."
            )
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_code_tag_and_name() {
        for (named, expected) in [
            ("de", Some("de")),
            ("de-DE", Some("de")),
            ("german", Some("de")),
            ("Chinese", Some("zh")),
            ("haw", Some("haw")),
            ("und", None),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(code(named).as_deref(), expected, "{named}");
        }
        assert!(instruction(Some("de")).contains("Answer in German"));
        assert!(instruction(Some("en")).is_empty() && instruction(None).is_empty());
    }
}
