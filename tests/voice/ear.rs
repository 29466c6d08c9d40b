//! The ear that the other tests listen with is no yes-man.

use aura_tests::process::run;
use aura_tests::speech::{say, understand};
use std::process::Command;

const SAID: &str = "There are many people looking for money.";
const NOT_SAID: &str = "It is going to be a good year.";

#[test]
fn hears_what_was_said_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("said.wav");
    say(&file, SAID);
    let offered = [NOT_SAID.to_owned(), SAID.to_owned()];
    let heard = |offered: &[String]| {
        let spoken = folder.path().join("spoken.wav");
        run(Command::new("sox").arg(&file).args(["-r", "16000", "-b", "16"]).arg(&spoken), "sox");
        understand(&spoken, offered)
    };
    assert_eq!(heard(&offered), [SAID]);
    // Nothing of what is expected is heard in speech that says something else.
    assert!(!heard(&offered[..1]).contains(&offered[0]));
    // However long it takes until somebody speaks.
    let late = folder.path().join("late.wav");
    for seconds in ["3.75", "6.7", "8.5"] {
        run(
            Command::new("sox").arg(&file).args(["-r", "16000", "-b", "16"]).arg(&late).args(["pad", seconds, "4"]),
            "sox",
        );
        assert_eq!(understand(&late, &offered), [SAID], "after {seconds} s");
    }
}

#[test]
fn hears_no_sentence_in_silence_or_noise() {
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
        let heard = understand(&file, &expected);
        assert!(!heard.iter().any(|heard| expected.contains(heard)), "{heard:?}");
    }
}
