//! Speaks a sentence into a WAV file.
//!
//! `GROQ_API_KEY=… cargo run --example speak -- "Good morning." speech.wav`

use aura_providers::aura_audio::{WavFile, to_i16};
use aura_providers::{Client, Service, SpeechRequest, collect_speech};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let text = args.next().unwrap_or_else(|| "Good morning.".into());
    let path = args.next().unwrap_or_else(|| "speech.wav".into());
    let client = Client::builder().with_env("groq").build()?;
    let request = SpeechRequest::new(client.default_model("groq", Service::Tts), text);
    let speech = collect_speech(client.text_to_speech("groq")?.speak(&request).await?).await?;
    let samples: Vec<i16> = speech.samples.iter().copied().map(to_i16).collect();
    let mut file = WavFile::create(path.as_ref(), speech.rate)?;
    file.write(&samples)?;
    file.close()?;
    println!("{path}: {:.2} s at {} Hz", speech.duration().as_secs_f32(), speech.rate);
    Ok(())
}
