//! Asks Groq a question about an image file.
//!
//! `GROQ_API_KEY=… cargo run --example see -- photo.jpg "What is this?"`

use aura_providers::{ChatRequest, Client, MediaType, Message, Service, collect_chat};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: see IMAGE [QUESTION]")?;
    let question = args.next().unwrap_or_else(|| "What is in this image?".into());
    let image = std::fs::read(&path)?;
    if !MediaType::of(&image).is_some_and(MediaType::is_image) {
        return Err(format!("{path} is not a JPEG, PNG, WebP or GIF image").into());
    }
    let client = Client::builder().with_env("groq").build()?;
    let request = ChatRequest::new(client.default_model("groq", Service::Vlm))
        .with_message(Message::user(question).with_image(bytes::Bytes::from(image)));
    println!("{}", collect_chat(client.chat("groq")?.chat(&request).await?).await?.text);
    Ok(())
}
