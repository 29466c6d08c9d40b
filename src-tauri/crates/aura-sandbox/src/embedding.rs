//! Vectors of texts. Texts with words in common get similar vectors, as real ones do.

/// The vector of a text, of length 1: each of its words adds to one number.
pub(crate) fn embed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = fnv(word.as_bytes());
        vector[(hash % dimensions as u64) as usize] += if hash >> 63 == 0 { 1.0 } else { -1.0 };
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length == 0.0 {
        vector[0] = 1.0;
        return vector;
    }
    vector.into_iter().map(|number| number / length).collect()
}

/// A hash that is the same in every process (FNV-1a).
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_texts_have_similar_vectors() {
        let product = |a: &str, b: &str| -> f32 { embed(a, 768).iter().zip(embed(b, 768)).map(|(a, b)| a * b).sum() };
        assert!((product("Good morning", "good morning!") - 1.0).abs() < 1e-5);
        assert!(
            product("the train station", "where is the train station") > product("the train station", "a good year")
        );
        assert_eq!(embed("…", 4), [1.0, 0.0, 0.0, 0.0]);
    }
}
