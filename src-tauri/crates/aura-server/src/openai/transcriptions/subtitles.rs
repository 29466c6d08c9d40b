//! Transcripts as subtitles: SubRip and WebVTT.

use aura_providers::Segment;

/// The segments as SubRip.
pub(super) fn srt(segments: &[Segment]) -> String {
    let mut out = String::new();
    for (number, segment) in (1..).zip(segments) {
        let (start, end) = (timestamp(segment.start, ','), timestamp(segment.end, ','));
        out.push_str(&format!("{number}\n{start} --> {end}\n{}\n\n", cue_text(&segment.text)));
    }
    out
}

/// The segments as WebVTT.
pub(super) fn vtt(segments: &[Segment]) -> String {
    let mut out = "WEBVTT\n\n".to_owned();
    for segment in segments {
        let (start, end) = (timestamp(segment.start, '.'), timestamp(segment.end, '.'));
        out.push_str(&format!("{start} --> {end}\n{}\n\n", cue_text(&segment.text)));
    }
    out
}

/// The text of a cue on one line, without the arrow that marks the times of a cue.
fn cue_text(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("-->", "→")
}

/// A time as `hh:mm:ss`, the separator, and milliseconds.
fn timestamp(seconds: f64, separator: char) -> String {
    let ms = (seconds.max(0.0) * 1_000.0).round() as u64;
    let (s, m, h) = (ms / 1_000 % 60, ms / 60_000 % 60, ms / 3_600_000);
    format!("{h:02}:{m:02}:{s:02}{separator}{:03}", ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtitles_follow_the_formats_that_players_expect() {
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
