//! What the built program hears in human speech, with real models. `cargo test -p aura-engine --test engine hearing -- --nocapture`
//! prints the word error rates.

mod recogniser;

use std::time::Instant;

use aura_local::protocol::{Engine, Event, FailedKind, LoadFailedKind, Request};
use recogniser::{Ask, Recogniser, moonshine, speech, whisper};

use crate::program::{PROGRAM, Program, models};

const BECKETT: &str = "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.";
const TWO_CITIES: &str = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, \
    it was the epoch of belief, it was the epoch of incredulity, it was the season of light, it was the season of darkness, it was the \
    spring of hope, it was the winter of despair, we had everything before us, we had nothing before us, we were all going direct to \
    heaven, we were all going direct the other way – in short, the period was so far like the present period, that some of its noisiest \
    authorities insisted on its being received, for good or for evil, in the superlative degree of comparison only.";
const JFK: &str =
    "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country.";
const GERMAN: &str = "Am Strand: der Badeanzug, die Badehose, die Sandalen, die Luftmatratze, das Handtuch, das Eis, der Ball, die \
    Sonne, das Meer, die Wellen.";

const ENGLISH: [(&str, &str); 3] = [("beckett.wav", BECKETT), ("two_cities.wav", TWO_CITIES), ("jfk.wav", JFK)];

/// The words of a text without case and punctuation, small numbers written out.
fn words(text: &str) -> Vec<String> {
    const NUMBERS: [&str; 11] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let plain = text.to_lowercase().replace(['\'', '’'], "");
    let words = plain.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
    let spelled =
        |word: &str| word.parse().ok().and_then(|number: usize| NUMBERS.get(number).copied().map(str::to_owned));
    words.map(|word| spelled(word).unwrap_or_else(|| word.to_owned())).collect()
}

/// The least number of words to insert, leave out or replace, and the number of words that were said.
fn errors(said: &str, heard: &str) -> (usize, usize) {
    let (said, heard) = (words(said), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (line, word) in said.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], line + 1);
        for (column, other) in heard.iter().enumerate() {
            let replaced = corner + usize::from(word != other);
            corner = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(corner + 1);
        }
    }
    (row[heard.len()], said.len())
}

/// Lets a model hear recordings, prints a line for each, and returns the word error rate over them.
fn rate(name: &str, process: &mut Recogniser, recordings: &[(&str, &str)], language: Option<&str>) -> f64 {
    let mut total = (0, 0);
    for (file, said) in recordings {
        let samples = speech(file);
        let started = Instant::now();
        let heard = process.hear(&samples, Ask::default());
        let took = started.elapsed().as_secs_f64();
        let (wrong, words) = errors(said, &heard.text);
        let seconds = samples.len() as f64 / 16_000.0;
        println!(
            "{name:<18} {file:<15} {wrong:>2} of {words:>3} words wrong, {seconds:>5.1} s in {took:>6.2} s: {}",
            heard.text
        );
        assert_eq!(heard.language.as_deref(), language, "{file}");
        let times: Vec<f64> = heard.segments.iter().flat_map(|segment| [segment.start, segment.end]).collect();
        assert!(times.is_sorted() && times.iter().all(|time| (0.0..=seconds + 0.01).contains(time)), "{times:?}");
        assert!(times.last().is_some_and(|end| *end > seconds - 3.0), "{times:?}");
        total = (total.0 + wrong, total.1 + words);
    }
    let rate = total.0 as f64 / total.1 as f64;
    println!("{name:<18} word error rate {:.1} %", rate * 100.0);
    rate
}

#[test]
fn english_is_heard_with_at_most_eight_of_a_hundred_words_wrong() {
    let Some(models) = models() else { return };
    let mut tiny = Recogniser::ready(&moonshine(&models));
    assert!(rate("moonshine-tiny-en", &mut tiny, &ENGLISH, None) <= 0.08);
    let mut base = Recogniser::ready(&whisper(&models));
    assert!(rate("whisper-base", &mut base, &ENGLISH, Some("en")) <= 0.08);
}

#[test]
#[ignore = "takes a minute; for comparison: `cargo test -p aura-engine --test engine pocketsphinx -- --ignored --nocapture`"]
fn pocketsphinx_on_the_same_recordings() {
    let mut total = (0, 0);
    for (file, said) in ENGLISH {
        let path = recogniser::fixtures("speech").join(file);
        let mut command = std::process::Command::new("pocketsphinx_continuous");
        let output = command.arg("-infile").arg(path).args(["-logfn", "/dev/null"]).output();
        let heard = String::from_utf8(output.expect("pocketsphinx 0.8 is installed").stdout).unwrap();
        let (wrong, words) = errors(said, &heard);
        println!("pocketsphinx       {file:<15} {wrong:>2} of {words:>3} words wrong: {}", heard.replace('\n', " "));
        total = (total.0 + wrong, total.1 + words);
    }
    let rate = total.0 as f64 / total.1 as f64;
    println!("pocketsphinx       word error rate {:.1} %", rate * 100.0);
    assert!(rate > 0.08, "pocketsphinx got better: is a model still worth its download?");
}

#[test]
fn german_is_recognised_heard_and_translated() {
    let Some(models) = models() else { return };
    let mut base = Recogniser::ready(&whisper(&models));
    assert!(rate("whisper-base", &mut base, &[("german.wav", GERMAN)], Some("de")) <= 0.15);
    let samples = speech("german.wav");
    let translated = base.hear(&samples, Ask { translate: true, ..Ask::default() });
    println!("translated: {}", translated.text);
    let english = translated.text.to_lowercase();
    assert!(english.contains("beach") && english.contains("sun"), "{english}");
    // English speech, but the caller says that it is German: the caller's word counts.
    let told = base.hear(&speech("jfk.wav"), Ask { language: Some("de"), ..Ask::default() });
    assert_eq!(told.language.as_deref(), Some("de"));
}

/// The weights are random, so the text is nonsense; onnx-asr 0.12.0 makes the same nonsense of it.
#[test]
fn parakeet_decodes_as_the_reference_does() {
    if models().is_none() {
        return;
    }
    let files = [("encoder", "encoder-model"), ("decoder", "decoder_joint-model"), ("vocabulary", "vocab.txt")];
    let load = recogniser::load_from(&recogniser::fixtures("parakeet-tiny"), Engine::Parakeet, &files);
    let mut process = Recogniser::ready(&load);
    let heard = process.hear(&speech("jfk.wav")[..48_000], Ask::default());
    let text = "ing weering weer we weering weering weing weering weering we weering weering weering weering we beering weer we we \
        the? in the so the the the the the we the the";
    assert_eq!(heard.text, text);
    let word = heard.words.iter().find(|word| word.text == "so").expect("the word is there");
    assert!((word.start - 1.99).abs() < 0.001, "{word:?}");
    let sentences: Vec<&str> = heard.segments.iter().map(|segment| segment.text.as_str()).collect();
    assert!(sentences.len() == 2 && sentences[1].starts_with("in the"), "{sentences:?}");
}

#[test]
fn a_prompt_decides_between_spellings() {
    let Some(models) = models() else { return };
    let mut base = Recogniser::ready(&whisper(&models));
    let samples = speech("jfk.wav");
    let ask = |prompt| Ask { prompt: Some(prompt), ..Ask::default() };
    let prompted = base.hear(&samples, ask("my fellow amerikans, and so it goes, my fellow amerikans"));
    println!("prompted: {}", prompted.text);
    assert!(prompted.text.to_lowercase().contains("amerikans"), "{}", prompted.text);
    assert!(errors(JFK, &prompted.text).0 <= 3, "{}", prompted.text);
    // A prompt that is longer than the model's memory is cut, not refused.
    let long = base.hear(&samples, ask(&"The president speaks about the country. ".repeat(200)));
    assert!(errors(JFK, &long.text).0 <= 3, "{}", long.text);
}

#[test]
fn silence_and_steady_noise_give_no_text() {
    let Some(models) = models() else { return };
    let mut state = 1_u32;
    let mut noise = |loudness: f32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(u32::MAX) - 0.5) as f32 * loudness
    };
    let mut hiss = |loudness: f32| (0..160_000).map(|_| noise(loudness)).collect::<Vec<f32>>();
    let (faint, loud) = (hiss(0.002), hiss(0.1));
    let mut click = vec![0.0; 32_000];
    click[16_000..16_040].fill(0.6);
    for load in [moonshine(&models), whisper(&models)] {
        let mut process = Recogniser::ready(&load);
        for samples in [vec![], vec![0.0; 100], vec![0.0; 160_000], faint.clone(), loud.clone(), click.clone()] {
            let heard = process.hear(&samples, Ask::default());
            assert!(heard.text.is_empty() && heard.segments.is_empty(), "{heard:?}");
        }
        // And it goes on hearing, whatever is around the speech.
        let mut samples = vec![0.0; 16_000 * 40];
        samples.extend(speech("jfk.wav"));
        samples.extend(vec![0.0; 16_000 * 40]);
        let heard = process.hear(&samples, Ask::default());
        assert!(errors(JFK, &heard.text).0 <= 1, "{heard:?}");
        assert!((39.0..42.0).contains(&heard.segments[0].start), "{heard:?}");
    }
}

#[test]
fn what_a_model_cannot_do_is_said_and_it_goes_on() {
    let Some(models) = models() else { return };
    let samples = speech("jfk.wav");
    let refused = |process: &mut Recogniser, ask| {
        let id = process.begin(&samples, ask);
        match process.event() {
            Event::Failed { id: of, kind: FailedKind::Unsupported, message } if of == id => message,
            other => panic!("{other:?}"),
        }
    };
    let mut tiny = Recogniser::ready(&moonshine(&models));
    let message = refused(&mut tiny, Ask { translate: true, ..Ask::default() });
    assert!(message.contains("Whisper"), "{message}");
    let mut base = Recogniser::ready(&whisper(&models));
    let message = refused(&mut base, Ask { language: Some("tlh"), ..Ask::default() });
    assert!(message.contains("tlh"), "{message}");
    assert!(errors(JFK, &base.hear(&samples, Ask::default()).text).0 <= 1);
}

#[test]
fn a_long_transcription_stops_when_it_is_cancelled() {
    let Some(models) = models() else { return };
    let once = speech("two_cities.wav");
    let long: Vec<f32> = once.iter().cycle().take(16_000 * 60 * 13).copied().collect();
    for load in [moonshine(&models), whisper(&models)] {
        let mut process = Recogniser::ready(&load);
        let id = process.begin(&long, Ask::default());
        // In the middle of the first pieces.
        std::thread::sleep(std::time::Duration::from_millis(500));
        let started = Instant::now();
        process.send(&Request::Cancel { id }, &[]);
        let event = process.event();
        println!("cancelled within {:?}", started.elapsed());
        assert!(matches!(event, Event::Failed { id: of, kind: FailedKind::Cancelled, .. } if of == id), "{event:?}");
        let heard = process.hear(&speech("jfk.wav"), Ask::default());
        assert!(errors(JFK, &heard.text).0 <= 1, "{heard:?}");
    }
}

#[test]
fn thirteen_minutes_are_heard_within_the_memory_of_a_short_recording() {
    let Some(models) = models() else { return };
    let mut long = Vec::new();
    while long.len() < 16_000 * 60 * 13 {
        long.extend(speech("jfk.wav"));
        long.extend(vec![0.0; 16_000 * 60]);
    }
    long.truncate(16_000 * 60 * 13);
    let times = long.len().div_ceil(16_000 * 71);
    let said = JFK.repeat(times);
    for load in [moonshine(&models), whisper(&models)] {
        let mut process = Recogniser::ready(&load);
        let heard = process.hear(&long, Ask::default());
        assert!(errors(&said, &heard.text).0 <= times, "{heard:?}");
        assert!(heard.segments.last().is_some_and(|last| last.end > 700.0), "{heard:?}");
        if let Some(peak) = process.peak_memory() {
            println!("13 minutes: at most {} MB", peak >> 20);
            assert!(peak < 600 << 20, "{peak}");
        }
    }
}

#[test]
fn a_damaged_or_wrong_model_file_is_refused_with_what_is_wrong() {
    let Some(models) = models() else { return };
    let folder = tempfile::tempdir().unwrap();
    let random: Vec<u8> = (0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for good in [moonshine(&models), whisper(&models)] {
        for role in ["encoder", "decoder", "tokenizer"] {
            let whole = std::fs::read(&good.files[role]).unwrap();
            let other = if role == "encoder" { "decoder" } else { "encoder" };
            let wrong = [
                ("random", random.clone()),
                ("empty", Vec::new()),
                ("cut", whole[..whole.len() / 2].to_vec()),
                ("nearly whole", whole[..whole.len() / 10 * 9].to_vec()),
                ("another kind", std::fs::read(&good.files[other]).unwrap()),
                ("missing", Vec::new()),
            ];
            for (what, bytes) in wrong {
                let name = good.files[role].file_name().unwrap();
                let file = folder.path().join(name);
                let mut load = good.clone();
                if what == "missing" {
                    let _ = std::fs::remove_file(&file);
                } else {
                    std::fs::write(&file, bytes).unwrap();
                }
                load.files.insert(role.to_owned(), file);
                let (_process, event) = Program::start(&load);
                let Event::LoadFailed { kind: LoadFailedKind::BadFile, message } = event else {
                    panic!("{:?} {role} {what}: {event:?}", good.engine)
                };
                println!("{:?} {role} {what}: {message}", good.engine);
                assert!(message.len() > 20, "{message}");
            }
        }
        let mut none = good.clone();
        none.files.remove("decoder");
        assert!(matches!(Program::start(&none).1, Event::LoadFailed { kind: LoadFailedKind::BadFile, .. }));
        let mut library = good;
        library.onnx_runtime = Some(folder.path().join("no-library.so"));
        assert!(matches!(Program::start(&library).1, Event::LoadFailed { kind: LoadFailedKind::Unsupported, .. }));
    }
}

#[test]
fn a_folder_without_weights_is_not_converted_and_it_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let convert = || {
        let (from, to) = (folder.path(), folder.path().join("to"));
        let output = std::process::Command::new(PROGRAM).arg("convert-whisper").args([from, &to]).output().unwrap();
        assert!(!output.status.success() && !to.exists());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(convert().contains("model.bin cannot be read"));
    std::fs::write(folder.path().join("model.bin.part1"), [6, 0, 0, 0, 12]).unwrap();
    assert!(convert().contains("model.bin is damaged: it ends too early"));
}
