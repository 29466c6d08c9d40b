//! Transcribes a sound file as if it were spoken now, and shows the words as they are recognised.
//!
//! `OPENAI_API_KEY=… cargo run --example transcribe_live -- recording.wav`

use std::time::Duration;

use aura_providers::aura_audio::{SPEECH_RATE, decode};
use aura_providers::{Client, Service, StreamingRequest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: transcribe_live FILE")?;
    let variable = |name| std::env::var(name).ok();
    let mut client = Client::builder().with_key("openai", variable("OPENAI_API_KEY").unwrap_or_default());
    if let Some(url) = variable("OPENAI_BASE_URL") {
        client = client.with_base_url("openai", url);
    }
    let client = client.build()?;
    let provider = client.streaming_speech_to_text("openai")?;
    let model =
        provider.streaming_model(client.default_model("openai", Service::Stt)).ok_or("no model for live speech")?;
    let mut session = provider.stream(StreamingRequest { model, ..StreamingRequest::default() });
    let samples = decode(std::fs::read(path)?.into())?.to_speech();
    for tenth in samples.chunks(SPEECH_RATE as usize / 10) {
        session.push(tenth);
        tokio::time::sleep(Duration::from_millis(100)).await;
        if let Some(partial) = session.partial() {
            let words = partial.borrow().clone();
            println!("… {}[{}]", words.committed, words.tentative);
        }
    }
    println!("{}", session.finish().await?.text);
    Ok(())
}
