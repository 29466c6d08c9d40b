//! Checks of the recogniser that the other tests use: it must not find sentences that were not spoken.

use aura_tests::process::{Environment, in_own_process, run};
use aura_tests::speech::{recognise, say};
use std::process::Command;

const SAID: &str = "There are many people looking for money.";
const NOT_SAID: &str = "It is going to be a good year.";

/// These tests need none of the desktop, but a processor, which others must have for themselves.
fn nothing() -> ((), Environment) {
    ((), Vec::new())
}

#[test]
fn only_spoken_sentences_are_recognised() {
    in_own_process("recogniser::only_spoken_sentences_are_recognised", nothing, || {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("said.wav");
        say(&file, SAID);
        let offered = [NOT_SAID.to_owned(), SAID.to_owned()];
        let heard = |offered: &[String]| {
            let spoken = folder.path().join("spoken.wav");
            run(Command::new("sox").arg(&file).args(["-r", "16000", "-b", "16"]).arg(&spoken), "sox");
            recognise(&spoken, offered)
        };
        assert_eq!(heard(&offered), [SAID]);
        // An expected sentence is not found in other speech.
        assert!(!heard(&offered[..1]).contains(&offered[0]));
        // Silence before the speech does not matter.
        let late = folder.path().join("late.wav");
        for seconds in ["3.75", "6.7", "8.5"] {
            run(
                Command::new("sox").arg(&file).args(["-r", "16000", "-b", "16"]).arg(&late).args(["pad", seconds, "4"]),
                "sox",
            );
            assert_eq!(recognise(&late, &offered), [SAID], "after {seconds} s");
        }
    });
}

#[test]
fn no_sentence_is_recognised_in_silence_or_noise() {
    in_own_process("recogniser::no_sentence_is_recognised_in_silence_or_noise", nothing, || {
        let folder = tempfile::tempdir().unwrap();
        let expected = [SAID.to_owned(), NOT_SAID.to_owned()];
        for sound in [["synth", "4", "sine", "440", "vol", "0.0"], ["synth", "4", "whitenoise", "vol", "0.2", "fade"]] {
            let file = folder.path().join("sound.wav");
            let mut make = Command::new("sox");
            make.args(["-n", "-r", "16000", "-b", "16", "-c", "1"]).arg(&file).args(&sound[..]);
            if sound.contains(&"fade") {
                make.args(["0.1", "4", "0.1"]);
            }
            run(&mut make, "sox");
            let heard = recognise(&file, &expected);
            assert!(!heard.iter().any(|heard| expected.contains(heard)), "{heard:?}");
        }
    });
}
