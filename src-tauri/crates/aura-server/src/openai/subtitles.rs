//! Subtitles of a transcript: SubRip and WebVTT.

use aura_core::providers::Segment;

/// As SubRip.
pub(super) fn srt(segments: &[Segment]) -> String {
    let mut out = String::new();
    for (number, segment) in (1..).zip(segments) {
        let (start, end) = (clock(segment.start, ','), clock(segment.end, ','));
        out.push_str(&format!("{number}\n{start} --> {end}\n{}\n\n", line(&segment.text)));
    }
    out
}

/// As WebVTT.
pub(super) fn vtt(segments: &[Segment]) -> String {
    let mut out = "WEBVTT\n\n".to_owned();
    for segment in segments {
        let (start, end) = (clock(segment.start, '.'), clock(segment.end, '.'));
        out.push_str(&format!("{start} --> {end}\n{}\n\n", line(&segment.text)));
    }
    out
}

/// Words that cannot be taken for the times of the next cue.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("-->", "→")
}

fn clock(seconds: f64, point: char) -> String {
    let ms = (seconds.max(0.0) * 1_000.0).round() as u64;
    let (s, m, h) = (ms / 1_000 % 60, ms / 60_000 % 60, ms / 3_600_000);
    format!("{h:02}:{m:02}:{s:02}{point}{:03}", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_words_are_written_as_players_read_them() {
        let segments = [
            Segment { start: 0.0, end: 1.5, text: "Good\nmorning.".into() },
            Segment { start: 3_661.25, end: 3_662.0, text: "a --> b".into() },
        ];
        let expected = "1\n00:00:00,000 --> 00:00:01,500\nGood morning.\n\n2\n01:01:01,250 --> 01:01:02,000\na → b\n\n";
        assert_eq!(srt(&segments), expected);
        assert!(vtt(&segments).starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nGood morning.\n\n01:01:01.250"));
        assert_eq!(srt(&[]), "");
    }
}
