use std::sync::Mutex;

use async_trait::async_trait;

use super::super::services;
use super::super::tests::{offline, without_model};
use super::*;
use crate::local_models::{LocalModel, LocalModels, NoLocalModels};
use crate::types::{ChatRequest, ChatStream, SpeechRequest, SpeechStream};

#[test]
fn words_that_both_texts_begin_with_are_committed() {
    let now = "Do you  know, where the";
    for (before, agreed) in [("", 0), ("Do", 1), ("do you know where", 4), ("Do we know where", 1)] {
        assert_eq!(agreed_words(before, now), agreed, "{before}");
    }
    assert_eq!(&now[..word_end(now, 3)], "Do you  know,");
    assert_eq!((word_end(now, 0), word_end(now, 9)), (0, now.len()));
}

/// A model that hears one word in each half second, and takes some time for that.
struct Counting {
    took: Duration,
    /// The samples of each transcription that was begun.
    heard: Arc<Mutex<Vec<usize>>>,
}

#[async_trait]
impl LocalModels for Counting {
    fn installed(&self) -> Vec<LocalModel> {
        vec![LocalModel { id: "ear".into(), label: "Ear".into(), services: vec![Service::Stt], languages: vec![] }]
    }

    async fn transcribe(&self, request: &TranscriptionRequest) -> Result<Transcript, Failure> {
        let samples = (request.wav.len() - 44) / 2;
        self.heard.lock().unwrap().push(samples);
        tokio::time::sleep(self.took).await;
        let words: Vec<String> = (0..samples / 8_000).map(|word| format!("word{word}")).collect();
        Ok(Transcript { text: words.join(" "), ..Transcript::default() })
    }

    async fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Failure> {
        NoLocalModels.chat(request).await
    }

    async fn speak(&self, request: &SpeechRequest) -> Result<SpeechStream, Failure> {
        NoLocalModels.speak(request).await
    }

    fn preload(&self, _ids: &[String]) {}
}

/// Says this sound in real time. Returns the transcript, the words that were shown before its end, and the transcriptions that were begun.
async fn live(took_ms: u64, sound: &[i16]) -> (String, Vec<PartialTranscript>, Vec<usize>) {
    let heard = Arc::new(Mutex::default());
    let took = Duration::from_millis(took_ms);
    let offline =
        Offline { local: Arc::new(Counting { took, heard: heard.clone() }), ..offline(vec![], without_model()).1 };
    let stt = services(Arc::new(offline)).streaming_stt.unwrap();
    let model = stt.streaming_model("built-in").unwrap();
    let mut session = stt.stream(StreamingRequest { model, ..Default::default() });
    let mut partial = session.partial().unwrap();
    let mut shown = Vec::new();
    for block in sound.chunks(960) {
        session.push(block);
        tokio::time::sleep(Duration::from_millis(60)).await;
        if partial.has_changed().unwrap_or_default() {
            shown.push(partial.borrow_and_update().clone());
        }
    }
    let text = session.finish().await.unwrap().text;
    let heard = heard.lock().unwrap().clone();
    (text, shown, heard)
}

fn voice(seconds: f32) -> Vec<i16> {
    (0..(16_000.0 * seconds) as usize).map(|i| ((i % 80) as i16 - 40) * 200).collect()
}

#[tokio::test(start_paused = true)]
async fn an_installed_model_hears_words_while_somebody_speaks() {
    let (text, shown, heard) = live(20, &voice(3.0)).await;
    assert_eq!(text, "word0 word1 word2 word3 word4 word5");
    assert!(shown.len() >= 2 && heard.len() >= 3, "{shown:?} {heard:?}");
    assert!(shown.iter().any(|words| words.committed == "word0"), "{shown:?}");
    for pair in shown.windows(2) {
        assert!(pair[1].committed.starts_with(&pair[0].committed), "{pair:?}");
    }
    assert!(heard.is_sorted(), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn the_transcript_of_a_pause_is_that_of_a_recording_which_ends_there() {
    let (text, _, heard) = live(20, &[voice(1.5), vec![0; 8_000]].concat()).await;
    assert_eq!(text, "word0 word1 word2");
    assert!(heard.iter().all(|samples| *samples < 32_000), "nothing is transcribed after the end: {heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_model_transcribes_in_pauses_alone() {
    let (text, _, heard) = live(600, &voice(4.0)).await;
    assert_eq!(text.split_whitespace().count(), 8);
    assert_eq!(heard.len(), 2, "once to know that it is slow, and at the end: {heard:?}");
}
