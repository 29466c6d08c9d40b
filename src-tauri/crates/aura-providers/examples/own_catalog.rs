//! Replaces the embedded catalog: another default model, with its own price.
//!
//! `GROQ_API_KEY=… cargo run --example own_catalog`

use aura_providers::catalog::Catalog;
use aura_providers::{ChatRequest, Client, Message, Service, collect_chat};

const CATALOG: &str = r#"{
    "verified_on": "2026-11-22", "voices": {}, "families": [], "thinking": [],
    "providers": { "groq": {
        "defaults": { "llm": "openai/gpt-oss-120b" },
        "models": [{ "id": "openai/gpt-oss-120b", "services": ["llm"], "params": { "reasoning_effort": "low" },
            "price": [{ "unit": "million_tokens", "input": 0.15, "output": 0.6 }] }]
    } }
}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let catalog = std::sync::Arc::new(Catalog::from_json(CATALOG)?);
    let client = Client::builder().with_env("groq").with_catalog(catalog.clone()).build()?;
    let model = client.default_model("groq", Service::Llm);
    let request = ChatRequest::new(model).with_message(Message::user("Why is the sky blue?"));
    let answer = collect_chat(client.chat("groq")?.chat(&request).await?).await?;
    let price = catalog.price("groq", model, catalog.verified_on()).ok_or("no price")?;
    println!("{model}: {}", answer.text);
    println!("cost: {:?} USD", price.cost(&answer.usage));
    Ok(())
}
