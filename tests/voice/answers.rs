//! A spoken question is answered in speech.

use aura_sandbox::Service;
use aura_tests::aura::Aura;
use aura_tests::desktop::with_desktop;
use aura_tests::providers::Providers;

use crate::PATIENT;
use crate::push_to_talk::{ask_aloud, assert_all_by};

const SENTENCE: &str = "is it going to be a good year?";
const QUESTION: &str = "is it going to be a good year? is it going to be a good year?";
/// The end of an offline answer, after the transcript.
const ADVICE: &str = "A local model, or a key for Groq or Gemini, gives real answers.";

#[test]
fn offline() {
    with_desktop("answers::offline", || {
        // The recogniser's model is of American English.
        let app = Aura::new().with("DEFAULT_TTS_VOICE", "en-us").start();
        let heard = ask_aloud(&app, QUESTION);
        assert_all_by(&heard.record, "offline");
        heard.assert_understood(SENTENCE);
        // The offline answer repeats the transcript.
        let transcript = heard.record["transcript"].as_str().unwrap_or_default();
        heard.assert_spoken(&[&format!("I heard: {transcript}"), ADVICE]);
    });
}

#[test]
fn groq() {
    with_desktop("answers::groq", || {
        let providers =
            Providers::answering("There are many people in the world. There are many people looking for money.");
        let app = Aura::new().with_all(providers.groq()).settings(PATIENT).start();
        let heard = ask_aloud(&app, QUESTION);
        assert_all_by(&heard.record, "groq");
        heard.assert_understood(SENTENCE);
        heard.assert_spoken(&["There are many people in the world.", "There are many people looking for money."]);
        let asked = providers.requests(Service::Llm);
        assert!(asked.iter().all(|request| request.status == Some(200)), "{asked:#?}");
        let question = asked.first().and_then(|request| request.text.clone()).unwrap_or_default();
        let transcript = heard.record["transcript"].as_str().unwrap_or_default();
        assert!(question.contains(transcript), "the model received: {question}");
        let sent = providers.requests(Service::Stt)[0].audio_seconds.unwrap_or_default();
        assert!((2.0..8.0).contains(&sent), "{sent} seconds of speech were sent");
    });
}

#[test]
fn gemini() {
    with_desktop("answers::gemini", || {
        let providers = Providers::answering("I think you are looking at many people. You are looking at many people.");
        let app = Aura::new().with_all(providers.gemini()).settings(PATIENT).start();
        let heard = ask_aloud(&app, QUESTION);
        assert_all_by(&heard.record, "gemini");
        heard.assert_understood(SENTENCE);
        heard.assert_spoken(&["I think you are looking at many people.", "You are looking at many people."]);
    });
}

#[test]
fn the_command_line_can_press_the_push_to_talk_key() {
    with_desktop("answers::the_command_line_can_press_the_push_to_talk_key", || {
        let providers = Providers::answering("There are many people looking for money.");
        let app = Aura::new().with_all(providers.groq()).settings(PATIENT).start();
        let question = crate::push_to_talk::question(&app, QUESTION);
        assert_eq!(app.aura().run(&["ptt", "press"]).code, 0);
        app.wait_for_recording();
        aura_tests::sound::play_into_microphone(&question).wait();
        assert_eq!(app.aura().run(&["ptt", "release"]).code, 0);
        let record = app.turn(1);
        assert_all_by(&record, "groq");
        assert_eq!(record["spoken"], "There are many people looking for money.");
    });
}
