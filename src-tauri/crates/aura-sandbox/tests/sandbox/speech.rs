//! Tests with the real speech and OCR programs. Where a program is missing, the test fails and names the package to
//! install.

use std::io::Cursor;

use aura_sandbox::SandboxConfig;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use reqwest::Response;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::harness::Harness;

/// Bitmaps of the letters of HELLO: seven rows each, five pixels wide, the most significant bit on the left.
const LETTERS: [[u8; 7]; 5] = [
    [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
    [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
    [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
    [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
    [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
];

/// A JPEG image of 480 x 160 pixels with the word HELLO.
fn hello_image() -> Vec<u8> {
    const SCALE: u32 = 8;
    let image = GrayImage::from_fn(60 * SCALE, 20 * SCALE, |x, y| {
        let (x, y) = ((x / SCALE).wrapping_sub(10), (y / SCALE).wrapping_sub(6));
        let row = LETTERS.get((x / 8) as usize).and_then(|letter| letter.get(y as usize)).filter(|_| x % 8 < 5);
        let ink = row.is_some_and(|row| row >> (4 - x % 8) & 1 == 1);
        Luma([if ink { 0 } else { 255 }])
    });
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(image).write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

/// Returns a successful response. Otherwise panics with the names of the packages that the test needs.
async fn expect_success(response: Response, packages: &str) -> Response {
    let status = response.status();
    if status.is_success() {
        return response;
    }
    let content = response.text().await.unwrap();
    panic!("{status}: {content}. This test needs: apt install {packages}");
}

#[tokio::test]
async fn synthesised_speech_is_recognised() {
    let harness = Harness::with(SandboxConfig::default()).await;
    let body = json!({
        "model": "canopylabs/orpheus-v1-english", "voice": "hannah", "input": "Where is the train station?",
        "response_format": "wav",
    });
    let response = harness.groq("audio/speech").json(&body).send().await.unwrap();
    let response = expect_success(response, "espeak-ng").await;
    assert_eq!(response.headers()["content-type"], "audio/wav");
    let wav = response.bytes().await.unwrap();
    assert_eq!(&wav[40..44], &[0xFF; 4], "the header is sent before the length is known");
    let part = Part::bytes(wav.to_vec()).file_name("audio.wav").mime_str("audio/wav").unwrap();
    let form = Form::new().text("model", "whisper-large-v3-turbo").part("file", part);
    let response = harness.groq("audio/transcriptions").multipart(form).send().await.unwrap();
    let heard: Value = expect_success(response, "pocketsphinx pocketsphinx-en-us").await.json().await.unwrap();
    let heard = heard["text"].as_str().unwrap();
    assert!(heard.contains("where") && heard.contains("train station"), "{heard}");
}

#[tokio::test]
async fn text_in_an_image_is_read() {
    let harness = Harness::with(SandboxConfig::default()).await;
    let url = format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(hello_image()));
    let parts = json!([
        {"type": "text", "text": "What does it say?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]);
    let send = |model: &str| {
        let body = json!({"model": model, "messages": [{"role": "user", "content": parts}]});
        harness.groq("chat/completions").json(&body).send()
    };
    let answer: Value = send("qwen/qwen3.8-27b").await.unwrap().json().await.unwrap();
    let answer = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(answer, "The screen says: HELLO", "this test needs tesseract: apt install tesseract-ocr");
    let record = harness.sandbox.requests().await.remove(0);
    assert_eq!((record.images[0].width, record.images[0].height), (480, 160));
    assert_eq!(record.images[0].format, "image/jpeg");
    assert_eq!(send("openai/gpt-oss-20b").await.unwrap().status(), 400, "a text-only model accepted an image");
}
