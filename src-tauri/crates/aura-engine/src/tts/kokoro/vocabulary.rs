//! The phonemes that Kokoro-82M was trained on (Apache-2.0, the file `config.json` of `hexgrad/Kokoro-82M`).

/// Phonemes with consecutive numbers, and the number of the first.
const RUNS: [(i64, &str); 30] = [
    (1, ";:,.!?"),
    (9, "—…\"()“” \u{303}ʣʥʦʨᵝꭧAI"),
    (31, "O"),
    (33, "Q"),
    (35, "ST"),
    (39, "W"),
    (41, "Yᵊabcdef"),
    (50, "hijklmnopqrstuvwxyzɑɐɒæ"),
    (75, "βɔɕç"),
    (80, "ɖðʤə"),
    (85, "ɚɛɜ"),
    (90, "ɟ"),
    (92, "ɡ"),
    (99, "ɥ"),
    (101, "ɨɪʝ"),
    (110, "ɯɰŋɳɲɴø"),
    (118, "ɸθœ"),
    (123, "ɹ"),
    (125, "ɾɻ"),
    (128, "ʁɽʂʃʈʧ"),
    (135, "ʊʋ"),
    (138, "ʌɣɤ"),
    (142, "χʎ"),
    (147, "ʒʔ"),
    (156, "ˈˌː"),
    (162, "ʰ"),
    (164, "ʲ"),
    (169, "↓"),
    (171, "→↗↘"),
    (177, "ᵻ"),
];

/// The network's number of a phoneme; `None` for one that it does not know.
pub(super) fn number(phoneme: char) -> Option<i64> {
    RUNS.iter().find_map(|(first, run)| {
        let at = run.chars().position(|other| other == phoneme)?;
        Some(first + i64::try_from(at).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn phonemes_have_the_numbers_of_the_model() {
        let expected = [
            (';', 1),
            ('…', 10),
            (' ', 16),
            ('A', 24),
            ('a', 43),
            ('z', 68),
            ('ʤ', 82),
            ('ˈ', 156),
            ('ː', 158),
            ('ᵻ', 177),
        ];
        for (phoneme, expected) in expected {
            assert_eq!(number(phoneme), Some(expected), "{phoneme}");
        }
        assert_eq!(number('g'), None);
        assert_eq!(number('漢'), None);
    }
}
