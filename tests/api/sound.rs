//! Limits of audio files: long recordings, and small files that decode to hours.

use aura_tests::http::{HttpServer, answer, sandboxed};
use reqwest::multipart::{Form, Part};
use serde_json::Value;

use super::quick;

/// Samples per FLAC frame: the largest block size with a code of its own.
const FRAME: u32 = 32_768;

/// A FLAC file of silence at 16 kHz, with constant subframes of about a dozen bytes.
fn silence(seconds: u32) -> Vec<u8> {
    let total = u64::from(seconds) * 16_000;
    let mut file = b"fLaC\x80\0\0\x22".to_vec();
    file.extend((FRAME as u16).to_be_bytes());
    file.extend((FRAME as u16).to_be_bytes());
    file.extend([0; 6]); // frame sizes: unknown
    // 20 bits sample rate, 3 bits channels - 1, 5 bits bits per sample - 1, 36 bits length.
    file.extend(((16_000_u64 << 44) | (15 << 36) | total).to_be_bytes());
    file.extend([0; 16]); // MD5: unknown
    for number in 0..total / u64::from(FRAME) {
        // Fixed block size of 32,768 samples, 16 kHz, mono, 16 bits.
        let mut frame = vec![0xFF, 0xF8, 0xF5, 0x08];
        let number = char::from_u32(u32::try_from(number).unwrap()).unwrap();
        frame.extend(number.encode_utf8(&mut [0; 4]).bytes());
        frame.push(checksum(&frame, 8, 0x07) as u8);
        frame.extend([0, 0, 0]); // constant subframe: 0
        let sum = checksum(&frame, 16, 0x8005);
        frame.extend(sum.to_be_bytes());
        file.extend(frame);
    }
    file
}

/// A CRC of 8 or 16 bits.
fn checksum(bytes: &[u8], bits: u32, polynomial: u16) -> u16 {
    let top = 1 << (bits - 1);
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ (u16::from(*byte) << (bits - 8)), |sum, _| {
            let next = sum << 1;
            let next = if sum & top == 0 { next } else { next ^ polynomial };
            if bits == 16 { next } else { next & 0xFF }
        })
    })
}

/// A signal as loud as speech, on and off in turns of half a second, as a WAV file.
fn speech(seconds: usize) -> Vec<u8> {
    let samples: Vec<i16> =
        (0..seconds * 16_000).map(|at| if at / 8_000 % 2 == 0 { ((at % 80) as i16 - 40) * 200 } else { 0 }).collect();
    aura_audio::speech_wav(&samples).to_vec()
}

fn process(server: &HttpServer, file: Vec<u8>) -> reqwest::RequestBuilder {
    server.post("/process").multipart(Form::new().part("audio", Part::bytes(file).file_name("question")))
}

fn transcribe(server: &HttpServer, file: Vec<u8>) -> reqwest::RequestBuilder {
    let form = Form::new().text("model", "auto").part("file", Part::bytes(file).file_name("question"));
    server.post("/v1/audio/transcriptions").multipart(form)
}

/// The peak memory of a process so far, in MiB.
fn peak(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1_024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_that_decodes_to_hours_is_rejected_before_it_fills_memory() {
    let (sandbox, aura) = sandboxed(quick(Vec::new())).await;
    let server = HttpServer::start(aura);
    let file = silence(10 * 3_600);
    assert!(file.len() < 300_000, "{}", file.len());
    for (what, request, status) in
        [("/process", process(&server, file.clone()), 422), ("/v1", transcribe(&server, file), 400)]
    {
        let reply = request.send().await.unwrap();
        let (got, body) = (reply.status().as_u16(), reply.text().await.unwrap());
        assert_eq!(got, status, "{what}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(body["error"]["message"].as_str().unwrap().contains("13 minutes"), "{what}: {body}");
    }
    // Ten hours would take 2,300 MB.
    assert!(peak(server.id()) < 600, "{} MB", peak(server.id()));
    // The length is rejected, not the format: a minute is decoded, and found to be silent.
    let short = process(&server, silence(60)).send().await.unwrap();
    assert_eq!(short.status(), 422);
    assert!(short.text().await.unwrap().contains("nothing_heard"));
    let asked = sandbox.requests().await.into_iter().filter(|request| request.method == "POST");
    assert_eq!(asked.count(), 0, "no provider was called");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_may_last_up_to_13_minutes() {
    let (_sandbox, aura) = sandboxed(quick(vec![aura_sandbox::Rule::reply("Paris.")])).await;
    let server = HttpServer::start(aura);
    let five_minutes = answer(process(&server, speech(300)).send().await.unwrap()).await;
    assert_eq!(five_minutes["transcript"], "What is the capital of France?", "{five_minutes}");
    let twelve = answer(transcribe(&server, speech(12 * 60)).send().await.unwrap()).await;
    assert_eq!(twelve["text"], "What is the capital of France?", "{twelve}");
    let fourteen: Vec<u8> = aura_audio::speech_wav(&vec![1_000; 13 * 60 * 16_000 + 16_000]).to_vec();
    assert_eq!(process(&server, fourteen).send().await.unwrap().status(), 422);
}
