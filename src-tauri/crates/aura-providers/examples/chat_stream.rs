//! Asks Groq a question and prints the answer while it is written.
//!
//! `GROQ_API_KEY=… cargo run --example chat_stream -- "Tell me a story."`

use std::io::Write;

use aura_providers::{ChatEvent, ChatRequest, Client, Message, Service};
use futures::TryStreamExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let question = std::env::args().nth(1).unwrap_or_else(|| "Tell me a story.".into());
    let client = Client::builder().with_env("groq").build()?;
    let request = ChatRequest::new(client.default_model("groq", Service::Llm)).with_message(Message::user(question));
    let mut events = client.chat("groq")?.chat(&request).await?;
    while let Some(event) = events.try_next().await? {
        match event {
            ChatEvent::Text(text) => print!("{text}"),
            ChatEvent::End { finish, .. } => println!("\nfinished: {finish:?}"),
            _ => {}
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
