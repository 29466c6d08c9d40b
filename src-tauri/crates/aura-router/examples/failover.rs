//! Streams an answer from Groq to the terminal, or from Gemini when Groq fails.

use std::io::Write;

use aura_providers::{ChatRequest, Message, Role, Service};
use aura_router::{RouteOverrides, Router, sink_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let router = Router::builder()
        .key("groq", std::env::var("GROQ_API_KEY")?)
        .key("gemini", std::env::var("GEMINI_API_KEY")?)
        .variables(std::env::vars().collect()) // GROQ_BASE_URL and GEMINI_BASE_URL, if they are set
        .build()?;
    let plan = router.plan(Service::Llm, &RouteOverrides::default())?;
    let question = Message::new(Role::User, "Why is the sky blue?");
    let request = ChatRequest { messages: vec![question], ..ChatRequest::default() };
    let mut terminal = sink_fn(|text: String| {
        print!("{text}");
        let _ = std::io::stdout().flush();
    });
    let answer = router.chat(&plan, &request, &(), &mut terminal).await?;
    println!("\n(answered by {})", answer.route.provider);
    Ok(())
}
