//! Asks Groq a question and prints the answer.
//!
//! `GROQ_API_KEY=… cargo run --example chat -- "Why is the sky blue?"`

use aura_providers::{ChatRequest, Client, Message, Service, collect_chat};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let question = std::env::args().nth(1).unwrap_or_else(|| "Why is the sky blue?".into());
    let client = Client::builder().with_env("groq").build()?;
    let request = ChatRequest::new(client.default_model("groq", Service::Llm))
        .with_system("Answer in one sentence.")
        .with_message(Message::user(question));
    let answer = collect_chat(client.chat("groq")?.chat(&request).await?).await?;
    println!("{}", answer.text);
    println!("tokens: {:?} in, {:?} out", answer.usage.input_tokens, answer.usage.output_tokens);
    Ok(())
}
