//! Reads requests, hands them to the model one after the other, and writes its events. A thread of its own reads, so that a cancellation
//! is seen while the model works.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use aura_local::protocol::{Event, FailedKind, Request, read_blocking, write_blocking};

use crate::load;
use crate::model::{self, Conversation, Failed, Model, Recording, Stop, Utterance};

/// Requests that wait while one is being handled. The reader blocks when more arrive.
const WAITING: usize = 16;

/// A request with its payload, and what stops it.
struct Job {
    request: Request,
    payload: Vec<u8>,
    stop: Arc<Stop>,
}

/// Serves until `input` ends.
///
/// # Errors
/// When a frame is damaged, or `output` cannot be written.
pub(crate) fn run(input: impl Read + Send + 'static, mut output: impl Write) -> io::Result<()> {
    let mut input = io::BufReader::new(input);
    let Some((Request::Load(load), _)) = read_blocking::<Request>(&mut input)? else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the first request must be to load a model"));
    };
    let mut model = match load::load(&load) {
        Ok(model) => model,
        Err(failed) => {
            let event = Event::LoadFailed { kind: failed.kind, message: failed.message };
            return write_blocking(&mut output, &event, &[]);
        }
    };
    write_blocking(&mut output, &model.ready(), &[])?;
    let (jobs, waiting) = sync_channel(WAITING);
    let reader = std::thread::spawn(move || read_requests(&mut input, &jobs));
    serve(model.as_mut(), &waiting, &mut output)?;
    reader.join().unwrap_or_else(|_| Err(io::Error::other("the thread that reads requests panicked")))
}

/// Reads requests until the input ends.
fn read_requests(input: &mut impl Read, jobs: &SyncSender<Job>) -> io::Result<()> {
    let mut under_way: Vec<(u64, Arc<Stop>)> = Vec::new();
    while let Some((request, payload)) = read_blocking::<Request>(input)? {
        let id = match &request {
            Request::Cancel { id } => {
                under_way.iter().filter(|(other, _)| other == id).for_each(|(_, stop)| stop.set());
                continue;
            }
            Request::Transcribe { id, .. } | Request::Generate { id, .. } | Request::Speak { id, .. } => *id,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "a model is loaded already")),
        };
        under_way.retain(|(_, stop)| Arc::strong_count(stop) > 1);
        let stop = Arc::new(Stop::default());
        under_way.push((id, stop.clone()));
        if jobs.send(Job { request, payload, stop }).is_err() {
            break;
        }
    }
    // Nobody listens any more: what is under way need not be finished.
    under_way.iter().for_each(|(_, stop)| stop.set());
    Ok(())
}

fn serve(model: &mut dyn Model, jobs: &Receiver<Job>, output: &mut impl Write) -> io::Result<()> {
    for job in jobs {
        let mut broken = None;
        let mut send = |event: Event, payload: &[u8]| {
            write_blocking(output, &event, payload).map_err(|error| {
                broken.get_or_insert(error);
                Failed::new(FailedKind::Cancelled, "Nobody reads the answer.")
            })
        };
        // The last event of a request is sent whatever happened, unless the output is broken.
        let (id, outcome) = handle(model, job, &mut send);
        if let Err(Failed { kind, message }) = outcome {
            // A failure to send is in `broken` and ends the loop below.
            let _ = send(Event::Failed { id, kind, message }, &[]);
        }
        if let Some(error) = broken {
            return Err(error);
        }
    }
    Ok(())
}

/// Sends an event and its payload.
type SendEvent<'a> = dyn FnMut(Event, &[u8]) -> Result<(), Failed> + 'a;

/// Handles one request; `send` has sent its last event if this succeeds.
fn handle(model: &mut dyn Model, job: Job, send: &mut SendEvent<'_>) -> (u64, Result<(), Failed>) {
    let Job { request, payload, stop } = job;
    match request {
        Request::Transcribe { id, language, prompt, translate, words } => {
            let samples = aura_audio::from_le_bytes(&payload).collect();
            let recording = Recording { samples, language, prompt, translate, words };
            let outcome = stop.check().and_then(|()| model.transcribe(&recording, &stop)).and_then(|transcript| {
                let model::Transcript { text, language, segments, words } = transcript;
                send(Event::Transcript { id, text, language, segments, words }, &[])?;
                send(end(id, model::Answered::default()), &[])
            });
            (id, outcome)
        }
        Request::Generate { id, messages, images, sampling } => {
            let outcome = split(&payload, &images).and_then(|images| {
                let conversation = Conversation { messages, images, sampling };
                stop.check()?;
                let answered = model
                    .generate(&conversation, &stop, &mut |text| send(Event::Text { id, text: text.to_owned() }, &[]))?;
                send(end(id, answered), &[])
            });
            (id, outcome)
        }
        Request::Speak { id, text, voice, language, speed } => {
            let utterance = Utterance { text, voice, language, speed };
            let outcome = stop.check().and_then(|()| {
                model.speak(&utterance, &stop, &mut |rate, samples| {
                    let bytes: Vec<u8> =
                        samples.iter().flat_map(|sample| aura_audio::to_i16(*sample).to_le_bytes()).collect();
                    send(Event::Audio { id, rate }, &bytes)
                })?;
                send(end(id, model::Answered::default()), &[])
            });
            (id, outcome)
        }
        _ => (0, Err(Failed::new(FailedKind::Invalid, "Unknown request."))),
    }
}

fn end(id: u64, answered: model::Answered) -> Event {
    let model::Answered { finish, prompt_tokens, completion_tokens } = answered;
    Event::End { id, finish, prompt_tokens, completion_tokens }
}

/// The images of a payload.
fn split(mut payload: &[u8], lengths: &[usize]) -> Result<Vec<Vec<u8>>, Failed> {
    let mut images = Vec::with_capacity(lengths.len().min(64));
    for length in lengths {
        let (image, rest) = payload
            .split_at_checked(*length)
            .ok_or_else(|| Failed::new(FailedKind::Invalid, "The images are longer than the payload."))?;
        images.push(image.to_vec());
        payload = rest;
    }
    Ok(images)
}
