//! What all transcription requests and replies share: limits, language codes, prompts, and the removal of echoed prompts.

use crate::types::{Failure, FailureDetail, FailureKind, TranscriptionRequest};

/// The smallest recording that servers accept, in bytes: a WAV header and 10 ms.
const MIN_WAV_BYTES: usize = 44 + 320;

/// Rejects a recording that is too short for every server, or larger than `max_bytes`, before it is sent.
pub(crate) fn check(request: &TranscriptionRequest, max_bytes: usize) -> Result<(), Failure> {
    if request.wav.len() < MIN_WAV_BYTES {
        return Err(Failure::new(FailureKind::InvalidRequest, "The recording is too short to contain a word."));
    }
    if request.wav.len() > max_bytes {
        let megabytes = max_bytes / 1_000_000;
        return Err(Failure::new(
            FailureKind::Unsupported,
            format!("The recording is larger than this provider accepts: {megabytes} MB."),
        ));
    }
    Ok(())
}

/// The ISO 639 code of a language tag: `en` for `en-US`. `None` for `auto`, `und` and other tags without one.
pub fn language_code(tag: Option<&str>) -> Option<String> {
    let code = tag?.split(['-', '_']).next()?.trim().to_ascii_lowercase();
    // Three letters for languages without a two-letter code, such as `haw` and `yue`.
    ((2..=3).contains(&code.len()) && code.chars().all(|c| c.is_ascii_alphabetic()) && code != "und").then_some(code)
}

/// The instruction for a chat model. Without its last sentence, models invent text for silence.
pub(crate) const INSTRUCTION: &str =
    "Transcribe the speech in this audio verbatim. Output only the transcript. If there is no speech, output nothing.";
/// The instruction for a translation into English.
pub(crate) const TRANSLATION: &str = "Translate the speech in this audio into English. Output only the translation. If there is no speech, output nothing.";

/// The longest prompt, in characters: Whisper reads 224 tokens of it, and servers refuse more.
const MAX_PROMPT: usize = 800;
/// The shortest text that counts as an echo of the prompt, in bytes of letters and digits. A single name from the prompt may really
/// have been spoken.
const MIN_ECHO: usize = 20;
/// The smallest token limit for a transcript: three minutes of fast speech.
const MIN_MAX_TOKENS: u32 = 2_048;

/// The prompt, preceded by the vocabulary if the server has no field for it. Whisper reads only the end of a long prompt, so that this
/// is kept; of the vocabulary, the first terms are, as many as fit before it.
pub fn prompt(request: &TranscriptionRequest, with_vocabulary: bool) -> Option<String> {
    const SEPARATOR: &str = ". ";
    let asked = request.prompt.as_deref().unwrap_or_default().trim();
    let start = asked.chars().count().saturating_sub(MAX_PROMPT);
    let asked: String = asked.chars().skip(start).collect();
    let mut room = MAX_PROMPT.saturating_sub(asked.chars().count() + SEPARATOR.len());
    let terms = request.vocabulary.iter().map(|term| term.trim()).filter(|term| with_vocabulary && !term.is_empty());
    let fitting = terms.take_while(|term| {
        // With the comma and the space after it.
        let needed = term.chars().count() + 2;
        let fits = needed <= room;
        room = room.saturating_sub(needed);
        fits
    });
    let vocabulary = fitting.collect::<Vec<_>>().join(", ");
    let parts = [vocabulary.as_str(), asked.as_str()];
    let whole = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(SEPARATOR);
    (!whole.is_empty()).then_some(whole)
}

/// The instruction for a chat model, with the language, the vocabulary and the prompt of the request.
pub(crate) fn instruction(request: &TranscriptionRequest) -> String {
    let mut text = if request.translate { TRANSLATION } else { INSTRUCTION }.to_owned();
    if let Some(language) = language_code(request.language.as_deref()).filter(|_| !request.translate) {
        text.push_str(&format!(" The language is {language}."));
    }
    if !request.vocabulary.is_empty() {
        text.push_str(&format!(" These may be said: {}.", request.vocabulary.join(", ")));
    }
    if let Some(prompt) = request.prompt.as_deref().filter(|prompt| !prompt.trim().is_empty()) {
        text.push_str(&format!(" Before it was said: {}", prompt.trim()));
    }
    text
}

/// The token limit for a transcript. Fast speech has four words per second, and some languages need two or more tokens per word.
pub(crate) fn max_tokens(request: &TranscriptionRequest) -> u32 {
    let needed = 256 + 12 * u32::try_from(request.duration.as_secs()).unwrap_or(u32::MAX / 64).min(u32::MAX / 64);
    needed.max(MIN_MAX_TOKENS).saturating_mul(if request.raise_max_tokens { 4 } else { 1 })
}

/// The failure for a transcript that the token limit cut. A part of it would look complete. `has_text`: some text arrived.
pub(crate) fn truncated(has_text: bool) -> Failure {
    let (kind, why) = if has_text {
        (FailureKind::Interrupted, "The transcript exceeds the token limit.")
    } else {
        (FailureKind::Empty, "The model's reasoning used up the token limit before the transcript.")
    };
    Failure { detail: Some(FailureDetail::MaxTokensExhausted), ..Failure::new(kind, why) }
}

/// The letters and digits of a text, in lower case.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The text of a transcript, trimmed; empty when it only echoes the prompt or the instruction, as some models do for silence.
pub(crate) fn without_echo(text: &str, request: &TranscriptionRequest) -> String {
    let normalised = plain(text);
    let instructed = || {
        [INSTRUCTION, TRANSLATION, &instruction(request)].into_iter().any(|text| plain(text).starts_with(&normalised))
    };
    // Terms in the order of the vocabulary, and nothing else. One or two may really have been said.
    let listed = || {
        let terms = || request.vocabulary.iter().map(|term| plain(term));
        terms().filter(|term| !term.is_empty() && normalised.contains(term)).count() > 2
            && terms().collect::<String>().contains(&normalised)
    };
    let prompts = || [prompt(request, true).filter(|_| request.prompt.is_some()), request.prompt.clone()];
    let prompted = || prompts().into_iter().flatten().any(|prompt| plain(&prompt) == normalised);
    let echoed = normalised.len() >= MIN_ECHO && (instructed() || prompted() || listed());
    if echoed { String::new() } else { text.trim().to_owned() }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    /// A request for three seconds of speech.
    pub(crate) fn sample_request(prompt: Option<&str>, vocabulary: &[&str]) -> TranscriptionRequest {
        TranscriptionRequest {
            prompt: prompt.map(str::to_owned),
            vocabulary: vocabulary.iter().map(|term| (*term).to_owned()).collect(),
            duration: Duration::from_secs(3),
            ..TranscriptionRequest::default()
        }
    }

    /// For silence, Whisper may repeat its prompt, and a chat model its instruction.
    #[test]
    fn trap_04_an_echoed_prompt_is_not_a_transcript() {
        let request = sample_request(Some("We are going to speak of windows."), &["AURA", "Tauri", "Orpheus"]);
        let plain = TranscriptionRequest::default();
        for echo in [
            "We are going to speak of windows.",
            "we are going to speak of windows",
            "AURA, Tauri, Orpheus. We are going to speak of windows.",
            INSTRUCTION,
            "Transcribe the speech in this audio, verbatim\n",
        ] {
            assert_eq!(without_echo(echo, &request), "", "{echo}");
        }
        for spoken in
            ["Transcribe the speech in this audio for me.", "transcribe", "AURA", "We are going to speak of doors."]
        {
            assert_eq!(without_echo(spoken, &request), spoken);
        }
        let spoken = "We are going to speak of windows.";
        assert_eq!(without_echo(spoken, &plain), spoken, "without a prompt it is speech");
    }

    #[test]
    fn terms_of_the_vocabulary_are_an_echo_only_in_its_order_and_together() {
        let terms = ["Bundesverfassungsgericht Karlsruhe", "Tauri", "Orpheus", "Groq", "Kokoro"];
        let request = sample_request(None, &terms);
        for echo in ["Tauri, Orpheus, Groq, Kokoro.", "Bundesverfassungsgericht Karlsruhe, Tauri, Orpheus"] {
            assert_eq!(without_echo(echo, &request), "", "{echo}");
        }
        for spoken in [
            "Bundesverfassungsgericht Karlsruhe.",
            "Bundesverfassungsgericht Karlsruhe, Tauri",
            "Kokoro, Groq, Orpheus and Tauri",
            "What are Tauri, Orpheus, Groq, Kokoro?",
        ] {
            assert_eq!(without_echo(spoken, &request), spoken);
        }
    }

    #[test]
    fn a_vocabulary_that_is_too_long_keeps_its_first_whole_terms_and_the_prompt() {
        let terms: Vec<String> = (0..200).map(|number| format!("Term number {number:03}")).collect();
        let terms: Vec<&str> = terms.iter().map(String::as_str).collect();
        let alone = prompt(&sample_request(None, &terms), true).unwrap();
        assert!(alone.starts_with("Term number 000, Term number 001, "), "{alone}");
        assert!(alone.ends_with("Term number 045") && alone.chars().count() <= MAX_PROMPT, "{alone}");
        let both = prompt(&sample_request(Some("We spoke of windows."), &terms), true).unwrap();
        assert!(both.ends_with(", Term number 044. We spoke of windows."), "{both}");
        assert_eq!(prompt(&sample_request(None, &terms), false), None, "the server has a field for it");
    }

    #[test]
    fn a_long_prompt_loses_its_beginning() {
        assert_eq!(prompt(&sample_request(None, &[]), true), None);
        let long = prompt(&sample_request(Some(&format!("{} the end", "é".repeat(2_000))), &["AURA"]), true).unwrap();
        assert_eq!((long.chars().count(), long.ends_with(" the end")), (MAX_PROMPT, true));
    }

    #[test]
    fn language_tags_are_reduced_to_their_code() {
        for (tag, code) in [
            ("en-US", Some("en")),
            ("pt_BR", Some("pt")),
            ("DE", Some("de")),
            ("haw", Some("haw")),
            ("auto", None),
            ("", None),
            ("und", None),
        ] {
            assert_eq!(language_code(Some(tag)).as_deref(), code, "{tag}");
        }
    }

    /// Every server refuses a WAV header without samples, and less than 10 ms of audio.
    #[test]
    fn trap_05_recordings_that_no_server_accepts_are_not_sent() {
        let wav = |length| TranscriptionRequest { wav: vec![0; length].into(), ..TranscriptionRequest::default() };
        assert_eq!(check(&wav(44), 1_000_000).unwrap_err().kind, FailureKind::InvalidRequest);
        assert_eq!(check(&wav(44 + 319), 1_000_000).unwrap_err().kind, FailureKind::InvalidRequest);
        assert_eq!(check(&wav(44 + 320), 1_000_000), Ok(()));
        assert_eq!(check(&wav(2000), 1000).unwrap_err().kind, FailureKind::Unsupported);
        assert_eq!(check(&wav(2000), 2000), Ok(()));
    }

    #[test]
    fn the_token_limit_grows_with_the_recording() {
        let limit = |seconds, raise_max_tokens| {
            max_tokens(&TranscriptionRequest {
                duration: Duration::from_secs(seconds),
                raise_max_tokens,
                ..TranscriptionRequest::default()
            })
        };
        assert_eq!((limit(10, false), limit(10, true)), (2_048, 8_192));
        assert_eq!(limit(600, false), 256 + 7_200);
        assert!(limit(u64::MAX, true) > 0);
    }
}
