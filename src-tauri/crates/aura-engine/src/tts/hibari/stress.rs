//! Where the stress of a word lies, in the alphabet of the voice.

pub(super) const PRIMARY: char = 'ˈ';
pub(super) const SECONDARY: char = 'ˌ';

/// Whether a phoneme is a vowel.
pub(super) fn is_vowel(phoneme: char) -> bool {
    "AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ".contains(phoneme)
}

/// Whether a phoneme is a consonant.
pub(super) fn is_consonant(phoneme: char) -> bool {
    "bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ".contains(phoneme)
}

/// How much of a word's length its phonemes are.
pub(super) fn stress_weight(phonemes: &str) -> usize {
    phonemes.chars().map(|phoneme| if "AIOQWYʤʧ".contains(phoneme) { 2 } else { 1 }).sum()
}

/// Moves the stress of a word: below -1 removes it, -1 to 0 weakens it, above 0 strengthens it.
pub(super) fn apply_stress(phonemes: String, stress: Option<f64>) -> String {
    let Some(stress) = stress else { return phonemes };
    let (has_primary, has_secondary) = (phonemes.contains(PRIMARY), phonemes.contains(SECONDARY));
    if stress < -1.0 {
        phonemes.replace([PRIMARY, SECONDARY], "")
    } else if stress == -1.0 || ((stress == 0.0 || stress == -0.5) && has_primary) {
        phonemes.replace(SECONDARY, "").replace(PRIMARY, "ˌ")
    } else if [0.0, 0.5, 1.0].contains(&stress) && !has_primary && !has_secondary {
        before_vowel(phonemes, SECONDARY)
    } else if stress >= 1.0 && !has_primary && has_secondary {
        phonemes.replace(SECONDARY, "ˈ")
    } else if stress > 1.0 && !has_primary && !has_secondary {
        before_vowel(phonemes, PRIMARY)
    } else {
        phonemes
    }
}

fn before_vowel(mut phonemes: String, mark: char) -> String {
    if let Some(at) = phonemes.find(is_vowel) {
        phonemes.insert(at, mark);
    }
    phonemes
}
