//! Transcribes a sound file: WAV, MP3, Ogg Vorbis or FLAC.
//!
//! `GROQ_API_KEY=… cargo run --example transcribe -- recording.mp3`

use aura_providers::{Client, Service, TranscriptionRequest};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: transcribe FILE")?;
    let client = Client::builder().with_env("groq").build()?;
    let model = client.default_model("groq", Service::Stt);
    let request = TranscriptionRequest::from_file(model, std::fs::read(path)?.into())?;
    let transcript = client.speech_to_text("groq")?.transcribe(&request).await?;
    println!("{}", transcript.text);
    for segment in transcript.segments {
        println!("{:6.2} s to {:6.2} s: {}", segment.start, segment.end, segment.text);
    }
    Ok(())
}
