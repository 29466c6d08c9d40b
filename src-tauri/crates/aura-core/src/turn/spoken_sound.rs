//! The sound of an answer, and which of its samples speak which sentence.

/// Characters spoken per second: estimates the length of a sentence that is still being synthesized.
const CHARS_PER_SECOND: f64 = 15.0;

/// A sentence, and the samples that speak it.
#[derive(Debug, Clone)]
pub(crate) struct SentenceSpan {
    pub(super) sentence: String,
    pub(super) from: u64,
    /// `None` while more of it is to come.
    pub(super) to: Option<u64>,
}

impl SentenceSpan {
    /// Whether a part of this sentence comes before this position.
    pub(super) fn has_begun_at(&self, position: u64) -> bool {
        position > self.from && self.to != Some(self.from)
    }

    /// The words of the sentence that were played. `played` counts samples of the answer; `rate` is their number in a second at the
    /// voice's own speed.
    pub(super) fn heard(&self, played: u64, rate: f64) -> String {
        if self.to == Some(self.from) {
            return String::new(); // the sentence could not be synthesized
        }
        if self.to.is_some_and(|to| played >= to) {
            return self.sentence.clone();
        }
        let heard = played.saturating_sub(self.from) as f64;
        let expected = self.sentence.chars().count() as f64 / CHARS_PER_SECOND * rate;
        let whole = self.to.map_or(expected, |to| (to - self.from) as f64).max(1.0);
        let words: Vec<&str> = self.sentence.split_whitespace().collect();
        let count = ((heard / whole).min(1.0) * words.len() as f64).floor() as usize;
        words[..count].join(" ")
    }
}

/// The sound of an answer.
pub(crate) struct SpokenSound {
    /// Mono samples.
    pub(crate) samples: Vec<i16>,
    /// Their number in a second.
    pub(crate) rate: u32,
    /// Its sentences, in order.
    pub(crate) sentences: Vec<SentenceSpan>,
}

impl SpokenSound {
    /// A sound of which only the text is known.
    pub(crate) fn new(samples: Vec<i16>, rate: u32, text: String) -> Self {
        let sentence = SentenceSpan { sentence: text, from: 0, to: Some(samples.len() as u64) };
        Self { samples, rate, sentences: vec![sentence] }
    }

    /// The same sound at another rate.
    pub(crate) fn at(self, rate: u32) -> Self {
        if rate == self.rate {
            return self;
        }
        let samples: Vec<f32> = self.samples.iter().copied().map(aura_audio::from_i16).collect();
        let samples = aura_audio::resample(&samples, self.rate, rate).into_iter().map(aura_audio::to_i16).collect();
        let moved = |at: u64| at * u64::from(rate) / u64::from(self.rate.max(1));
        let sentences = self.sentences.into_iter();
        let sentences = sentences.map(|span| SentenceSpan { from: moved(span.from), to: span.to.map(moved), ..span });
        Self { samples, rate, sentences: sentences.collect() }
    }
}
