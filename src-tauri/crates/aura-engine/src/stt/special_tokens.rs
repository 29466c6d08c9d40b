//! Whisper's tokens that are not text, and the rules by which they follow one another: those of OpenAI's own decoder.

use super::vocabulary::Vocabulary;

/// The seconds between two tokens of time.
pub(super) const SECONDS_PER_TIMESTAMP: f64 = 0.02;
/// A text begins within the first second of its chunk, in steps.
const MAX_INITIAL_TIMESTAMP: u32 = 50;
/// Characters that stand for sounds and layout, not for speech.
const SYMBOLS: &str = "\" # ( ) * + / : ; < = > @ [ \\ ] ^ _ ` { | } ~ 「 」 『 』 << >> <<< >>> -- --- -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪";
const NOTES: &str = "♩♪♫♬♭♮♯";

/// The ids of the tokens that are not text.
pub(super) struct SpecialTokens {
    pub(super) begin: u32,
    pub(super) end: u32,
    pub(super) translate: u32,
    pub(super) transcribe: u32,
    /// Starts the prompt; not every vocabulary has it.
    pub(super) prompt_start: Option<u32>,
    no_speech: u32,
    /// The first token of time.
    time: u32,
    /// The languages' tokens; none for a model of English only.
    languages: Vec<(u32, String)>,
    /// Tokens that no text has.
    suppressed: Vec<u32>,
    /// The token of a space.
    blank: Option<u32>,
}

impl SpecialTokens {
    pub(super) fn new(vocabulary: &Vocabulary) -> Option<Self> {
        let id = |name: &str| vocabulary.special(&format!("<|{name}|>"));
        let (begin, end, no_times) = (id("startoftranscript")?, id("endoftext")?, id("notimestamps")?);
        let (translate, transcribe) = (id("translate")?, id("transcribe")?);
        let code = |name: &str| Some(name.strip_prefix("<|")?.strip_suffix("|>")?.to_owned());
        let between =
            vocabulary.all_special().iter().filter(|(_, id)| (begin + 1..translate.min(transcribe)).contains(*id));
        let mut languages: Vec<(u32, String)> =
            between.filter_map(|(name, id)| Some((*id, iso(code(name)?)))).collect();
        languages.sort_unstable();
        let mut suppressed = suppressed(vocabulary);
        suppressed.extend(["startoflm", "startofprev", "nospeech", "nocaptions"].iter().filter_map(|name| id(name)));
        suppressed.extend([begin, translate, transcribe, no_times]);
        suppressed.extend(languages.iter().map(|(id, _)| *id));
        // A model of English only has the same vocabulary but for one token, and never saw these.
        if end < 50_257 {
            languages.clear();
        }
        Some(Self {
            begin,
            end,
            translate,
            transcribe,
            prompt_start: id("startofprev"),
            no_speech: no_times - 1,
            time: no_times + 1,
            languages,
            suppressed,
            blank: vocabulary.find(b" "),
        })
    }

    pub(super) fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.iter().map(|(_, code)| code.as_str())
    }

    /// The token of a language; `Some(None)` for a model that knows English only, and needs none.
    #[expect(clippy::option_option, reason = "the outer option is an error, the inner one is no token")]
    pub(super) fn code(&self, code: &str) -> Option<Option<(u32, String)>> {
        if self.languages.is_empty() {
            return (code == "en").then_some(None);
        }
        self.languages.iter().find(|(_, known)| known == code).cloned().map(Some)
    }

    /// The most likely language, from the scores after the first token.
    pub(super) fn language(&self, scores: &[f32]) -> Option<(u32, String)> {
        let score = |id: u32| scores.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY);
        self.languages.iter().max_by(|a, b| score(a.0).total_cmp(&score(b.0))).cloned()
    }

    /// The probability that there is no speech, from the scores after the first token.
    pub(super) fn no_speech(&self, scores: &[f32]) -> f32 {
        scores.get(self.no_speech as usize).map_or(0.0, |score| (score - log_sum(scores)).exp())
    }

    /// The next token and the logarithm of its probability, by the scores after `tokens`.
    pub(super) fn choose(&self, scores: &mut [f32], tokens: &[u32]) -> (u32, f32) {
        self.suppress(scores, tokens);
        let (texts, times) = scores.split_at_mut((self.time as usize).min(scores.len()));
        let best_text = texts.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // A time is due if all times together are likelier than any text.
        if log_sum(times) > best_text {
            texts.fill(f32::NEG_INFINITY);
        }
        let token = super::decoder::argmax(scores);
        (token, scores.get(token as usize).map_or(0.0, |score| score - log_sum(scores)))
    }

    /// Gives the tokens that must not follow `tokens` no chance.
    fn suppress(&self, scores: &mut [f32], tokens: &[u32]) {
        let mut suppress = |range: std::ops::Range<u32>| {
            let end = (range.end as usize).min(scores.len());
            scores[(range.start as usize).min(end)..end].fill(f32::NEG_INFINITY);
        };
        self.suppressed.iter().for_each(|token| suppress(*token..token + 1));
        let is_time = |token: Option<&u32>| token.is_some_and(|token| *token >= self.time);
        let Some(last) = tokens.last() else {
            // It begins with a time.
            suppress(0..self.time);
            suppress(self.time + MAX_INITIAL_TIMESTAMP + 1..u32::MAX);
            return;
        };
        if tokens.len() == 1 {
            self.blank.iter().for_each(|blank| suppress(*blank..blank + 1));
            suppress(self.end..self.end + 1);
        }
        let pair = tokens.len() < 2 || is_time(tokens.get(tokens.len() - 2));
        if *last >= self.time {
            // Times come in pairs: the end of a segment and the start of the next one.
            if pair { suppress(self.time..u32::MAX) } else { suppress(0..self.end) }
        }
        if let Some(latest) = tokens.iter().rfind(|token| is_time(Some(token))) {
            suppress(self.time..if *last >= self.time && !pair { *latest } else { latest + 1 });
        }
    }

    /// The segments of a text: start, end and tokens, in steps of time. The second value is where the text stopped in front of more
    /// that is spoken, if it did.
    pub(super) fn segments(&self, tokens: &[u32]) -> (Vec<Spoken>, Option<u32>) {
        let mut segments = Vec::new();
        let mut start = 0;
        let mut text = Vec::new();
        for token in tokens {
            match token.checked_sub(self.time) {
                None => text.push(*token),
                Some(time) => {
                    if !text.is_empty() {
                        segments.push((start, Some(time), std::mem::take(&mut text)));
                    }
                    start = time;
                }
            }
        }
        let open = match tokens {
            // A second time begins a segment that the chunk does not hold to its end.
            [.., before, last] if *before >= self.time && *last >= self.time => Some(last - self.time),
            _ => None,
        };
        if !text.is_empty() {
            segments.push((start, None, text));
        }
        (segments, open)
    }
}

/// A segment: its start and end in steps of time, and its tokens.
pub(super) type Spoken = (u32, Option<u32>, Vec<u32>);

/// The ISO 639-1 code of a language, for those where Whisper has another.
fn iso(code: String) -> String {
    if code == "jw" { "jv".into() } else { code }
}

/// Tokens of symbols that are not spoken.
fn suppressed(vocabulary: &Vocabulary) -> Vec<u32> {
    let mut tokens: Vec<u32> =
        [" -", " '"].iter().filter_map(|text| vocabulary.encode(text).first().copied()).collect();
    let spaced = |symbol: &str| [symbol.to_owned(), format!(" {symbol}")];
    for symbol in SYMBOLS.split(' ').flat_map(spaced) {
        if let [only] = vocabulary.encode(&symbol)[..] {
            tokens.push(only);
        }
    }
    for note in NOTES.chars().flat_map(|note| spaced(&note.to_string())) {
        tokens.extend(vocabulary.encode(&note).first());
    }
    tokens
}

/// The logarithm of the sum of exponentials.
fn log_sum(scores: &[f32]) -> f32 {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if most == f32::NEG_INFINITY {
        return most;
    }
    most + scores.iter().map(|score| (score - most).exp()).sum::<f32>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens 0 to 9 are text, 10 ends, 20 is the first time.
    fn marks() -> SpecialTokens {
        SpecialTokens {
            begin: 11,
            end: 10,
            translate: 14,
            transcribe: 15,
            prompt_start: None,
            no_speech: 18,
            time: 20,
            languages: vec![(12, "en".into()), (13, "de".into())],
            suppressed: vec![3],
            blank: Some(0),
        }
    }

    /// What the rules choose when these tokens score highest, the best first.
    fn chosen(tokens: &[u32], favourites: &[u32]) -> u32 {
        let mut scores = vec![0.0; 120];
        favourites
            .iter()
            .zip(0_u8..)
            .for_each(|(token, place)| scores[*token as usize] = 100.0 - 10.0 * f32::from(place));
        marks().choose(&mut scores, tokens).0
    }

    #[test]
    fn times_come_in_order_and_pairs_and_text_between_them() {
        // A text begins with a time, and that within a second.
        assert_eq!(chosen(&[], &[5, 90, 22]), 22);
        // The first token after it is neither a space nor the end.
        assert_eq!(chosen(&[22], &[0, 10, 5]), 5);
        // What is not spoken is never chosen.
        assert_eq!(chosen(&[22, 5], &[3, 6]), 6);
        // After the end of a segment comes the start of the next one, or the end.
        assert_eq!(chosen(&[22, 5, 30], &[5, 10]), 10);
        assert_eq!(chosen(&[22, 5, 30], &[25, 5, 30]), 30);
        // After a pair comes text, and no time goes back.
        assert_eq!(chosen(&[22, 5, 30, 30], &[40, 7]), 7);
        assert_eq!(chosen(&[22, 5, 30, 30, 7], &[28, 30, 31]), 31);
    }

    #[test]
    fn a_time_is_due_when_all_times_together_are_likelier_than_any_text() {
        let mut scores = vec![-50.0; 120];
        scores[5] = 1.0;
        scores[40..60].fill(0.0);
        assert!((40..60).contains(&marks().choose(&mut scores, &[22, 5]).0));
    }

    #[test]
    fn a_text_becomes_segments_and_what_was_left_open_is_known() {
        let (segments, open) = marks().segments(&[20, 1, 2, 30, 30, 4, 45]);
        assert_eq!(segments, [(0, Some(10), vec![1, 2]), (10, Some(25), vec![4])]);
        assert_eq!(open, None);
        let (segments, open) = marks().segments(&[20, 1, 30, 32]);
        assert_eq!((segments.len(), open), (1, Some(12)));
        assert_eq!(marks().segments(&[20, 1]).0, [(0, None, vec![1])]);
    }

    #[test]
    fn the_language_with_the_highest_score_is_spoken() {
        let mut scores = vec![0.0; 120];
        scores[13] = 2.0;
        assert_eq!(marks().language(&scores).map(|(_, code)| code).as_deref(), Some("de"));
        assert_eq!(marks().code("en"), Some(Some((12, "en".into()))));
        assert_eq!(marks().code("fr"), None);
    }
}
