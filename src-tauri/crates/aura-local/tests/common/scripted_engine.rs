//! An engine for tests. How it loads stands in the file `script` of its model; what it does with a request stands in the request.

use std::io::{self, BufReader, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use aura_local::protocol::{
    Event, FailedKind, Finish, LoadFailedKind, Request, Segment, read_blocking, write_blocking,
};

fn main() -> io::Result<()> {
    let mut input = BufReader::new(io::stdin());
    let mut output = io::stdout();
    let Some((Request::Load(load), _)) = read_blocking::<Request>(&mut input)? else {
        return Err(io::Error::other("the first request must be to load a model"));
    };
    let script = std::fs::read_to_string(&load.files["script"])?;
    match script.trim() {
        "ok" => {}
        "die" => {
            eprintln!("loading…\nno such tensor");
            std::process::exit(3);
        }
        "hang" => sleep(),
        "noise" => {
            output.write_all(&[0xff; 64])?;
            output.flush()?;
            sleep();
        }
        "refuse" => {
            let (kind, message) = (LoadFailedKind::BadFile, "The file is cut short.".to_owned());
            return write_blocking(&mut output, &Event::LoadFailed { kind, message }, &[]);
        }
        other => return Err(io::Error::other(format!("unknown script {other}"))),
    }
    let (engine, languages) = ("scripted".to_owned(), vec!["en".to_owned()]);
    let voices = vec!["Amy".to_owned(), "Joe".to_owned()];
    write_blocking(&mut output, &Event::Ready { engine, languages, voices }, &[])?;

    std::fs::write(load.files["script"].with_extension("loaded"), "")?;

    let cancelled = Arc::new(AtomicU64::new(0));
    let (jobs, waiting) = sync_channel(4);
    let seen = cancelled.clone();
    std::thread::spawn(move || {
        while let Ok(Some((request, payload))) = read_blocking::<Request>(&mut input) {
            match request {
                Request::Cancel { id } => seen.store(id, Ordering::SeqCst),
                request => drop(jobs.send((request, payload))),
            }
        }
        std::process::exit(0);
    });
    let working = load.files["script"].with_extension("working");
    for (request, payload) in waiting {
        // Whoever wants to disturb the work waits for this file.
        std::fs::write(&working, std::process::id().to_string())?;
        serve(&request, &payload, &cancelled, &mut output)?;
    }
    Ok(())
}

fn sleep() {
    std::thread::sleep(Duration::from_secs(3600));
}

fn serve(request: &Request, payload: &[u8], cancelled: &AtomicU64, output: &mut impl Write) -> io::Result<()> {
    let (id, command, content) = match request {
        Request::Transcribe { id, prompt, language, .. } => {
            let text = match prompt.as_deref() {
                Some("pid") => std::process::id().to_string(),
                _ => format!("{} bytes", payload.len()),
            };
            let segments = vec![Segment { start: 0.0, end: 1.0, text: text.clone() }];
            let event = Event::Transcript { id: *id, text, language: language.clone(), segments, words: Vec::new() };
            (*id, prompt.clone().unwrap_or_default(), (event, Vec::new()))
        }
        Request::Generate { id, messages, sampling, .. } => {
            let text = match &sampling.json_schema {
                Some(schema) => schema.to_string(),
                None => messages.iter().map(|message| message.role.as_str()).collect::<Vec<_>>().join(" "),
            };
            let command = messages.last().map(|message| message.text.clone()).unwrap_or_default();
            (*id, command, (Event::Text { id: *id, text }, Vec::new()))
        }
        Request::Speak { id, text, .. } => {
            let samples = [0, 0x40, 0, 0xc0].repeat(400);
            (*id, text.clone(), (Event::Audio { id: *id, rate: 16_000 }, samples))
        }
        _ => return Err(io::Error::other("unknown request")),
    };
    let transcribes = matches!(request, Request::Transcribe { .. });
    if !(transcribes && matches!(command.as_str(), "wait" | "crash" | "hang" | "deaf" | "noise" | "stray" | "fail")) {
        write_blocking(output, &content.0, &content.1)?;
    }
    match command.as_str() {
        // Works until it is told to stop.
        "wait" => {
            while cancelled.load(Ordering::SeqCst) != id {
                std::thread::sleep(Duration::from_millis(1));
            }
            let message = "The request was cancelled.".to_owned();
            return write_blocking(output, &Event::Failed { id, kind: FailedKind::Cancelled, message }, &[]);
        }
        "crash" => {
            eprintln!("illegal instruction in a kernel");
            std::process::abort();
        }
        // Works for ever, whatever it is told.
        "hang" | "deaf" => sleep(),
        "noise" => {
            output.write_all(b"not a frame at all")?;
            output.flush()?;
            sleep();
        }
        "stray" => write_blocking(output, &Event::Text { id: id + 1, text: "stray".into() }, &[])?,
        "fail" => {
            let message = "The language is not supported.".to_owned();
            return write_blocking(output, &Event::Failed { id, kind: FailedKind::Unsupported, message }, &[]);
        }
        // Sends events until nobody reads them.
        "flood" => loop {
            write_blocking(output, &content.0, &content.1)?;
        },
        _ => {}
    }
    let end = Event::End { id, finish: Finish::Stop, prompt_tokens: 3, completion_tokens: 4 };
    write_blocking(output, &end, &[])
}
