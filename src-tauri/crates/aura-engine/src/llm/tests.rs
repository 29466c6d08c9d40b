//! What cannot be seen through the protocol: how much of a question is computed. With the model that the other tests use.

use std::path::PathBuf;

use aura_local::protocol::{Engine, Sampling};

use super::*;

fn llama() -> Llama {
    let models = std::env::var_os("AURA_MODELS").map(PathBuf::from).or_else(|| {
        // target/debug/deps/this-test
        Some(std::env::current_exe().ok()?.ancestors().nth(3)?.join("models"))
    });
    let folder = models.unwrap().join("smollm2-135m");
    let mut files = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let file = files.find(|path| path.extension().is_some_and(|extension| extension == "gguf"));
    let file = file.unwrap_or_else(|| panic!("no .gguf file in {}; `cargo xtask test` fetches it", folder.display()));
    let files = [("model".into(), file)].into();
    Llama::load(&Load { engine: Engine::Llama, files, onnx_runtime: None, espeak: None, threads: 1, context: 2_048 })
        .unwrap()
}

fn message(role: &str, text: &str) -> Message {
    Message { role: role.into(), text: text.into(), images: Vec::new() }
}

#[test]
fn what_two_conversations_have_in_common_is_computed_once() {
    if std::env::var_os("AURA_CORE_ALONE").is_some() {
        return;
    }
    let mut llama = llama();
    let mut ask = |messages: &[Message], seed: Option<u32>| {
        let sampling = Sampling { max_tokens: Some(12), temperature: Some(0.0), seed, ..Sampling::default() };
        let conversation = Conversation { messages: messages.to_vec(), images: Vec::new(), sampling };
        let mut text = String::new();
        let answered = llama
            .generate(&conversation, &Stop::default(), &mut |piece| {
                text.push_str(piece);
                Ok(())
            })
            .unwrap();
        (text, answered.prompt_tokens as usize, llama.computed)
    };
    let system = message("system", &"You are a helpful assistant. You answer in one sentence. ".repeat(20));
    let mut messages = vec![system, message("user", "What is the capital of France?")];
    let (first, count, computed) = ask(&messages, None);
    assert_eq!(computed, count, "nothing was there before");
    assert!(count > 200);
    let (again, _, computed) = ask(&messages, None);
    assert_eq!((again.as_str(), computed), (first.as_str(), 1), "the same question");
    messages.extend([message("assistant", &first), message("user", "And of Spain?")]);
    let (_, count, computed) = ask(&messages, None);
    assert!(computed < 40 && count > 220, "{computed} of {count} tokens computed");
    let (_, count, computed) = ask(&messages, Some(7));
    assert_eq!(computed, count, "a repeatable answer is computed anew");
    messages[0].text.insert_str(0, "Please. ");
    let (_, count, computed) = ask(&messages, None);
    assert!(computed > count - 10, "another beginning: {computed} of {count}");
}

#[test]
fn steps_take_about_as_long_as_a_cancellation_may_wait() {
    assert_eq!(next_step(64, Duration::from_millis(150)), 64);
    assert_eq!(next_step(64, Duration::from_secs(3)), 16, "slow: the least step");
    assert_eq!(next_step(64, Duration::ZERO), MAX_STEP, "too fast to measure");
    assert_eq!(next_step(64, Duration::from_millis(60)), 160);
}
