//! What cannot be seen through the protocol: how much of a question is computed. With the model that the other tests use.

use aura_local::protocol::{Engine, Sampling};

use super::*;
use crate::test_models;

/// The test model; `None` where tests of models are left out.
fn llama() -> Option<Llama> {
    let files = test_models::files("smollm2-135m")?;
    let file = files.into_iter().find(|(name, _)| name.ends_with(".gguf")).expect("the model has a .gguf file").1;
    let files = [("model".into(), file)].into();
    let load = Load { engine: Engine::Llama, files, onnx_runtime: None, espeak: None, threads: 1, context: 2_048 };
    Some(Llama::load(&load).unwrap())
}

fn message(role: &str, text: &str) -> Message {
    Message { role: role.into(), text: text.into(), images: Vec::new() }
}

#[test]
fn what_two_conversations_have_in_common_is_computed_once() {
    let Some(mut llama) = llama() else { return };
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
