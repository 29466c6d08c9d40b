//! Exit codes and error messages.

use aura_tests::aura::{Aura, Ended};
use aura_tests::providers::Providers;

/// Checks for exit code 1, and for the error code and a sentence on standard error.
fn assert_failed(ended: &Ended, code: &str) {
    let prefix = format!("error[{code}]: ");
    let says = ended.err.lines().find_map(|line| line.strip_prefix(&prefix));
    assert!(ended.code == 1 && says.is_some_and(|says| says.len() > 20), "{ended:?}");
}

#[test]
fn wrong_usage() {
    let aura = Aura::new();
    for arguments in
        [["ask"].as_slice(), &["ptt", "sideways"], &["ask", "a", "--image"], &["listen", "--seconds", "0"], &["dance"]]
    {
        let ended = aura.run(arguments);
        assert!(
            ended.code == 2 && (ended.err.contains("Usage") || ended.err.contains("--help")),
            "{arguments:?}: {ended:?}"
        );
        assert_eq!(ended.out, "");
    }
}

#[test]
fn push_to_talk_without_a_running_app() {
    for edge in ["press", "release", "cancel"] {
        assert_failed(&Aura::new().run(&["ptt", edge]), "not_running");
    }
}

#[test]
fn no_display() {
    // None, and one that does not exist.
    for display in ["", ":4242"] {
        let ended = Aura::new().with("DISPLAY", display).with("WAYLAND_DISPLAY", "").run(&[]);
        assert!(ended.code == 1 && ended.err.contains("display"), "{ended:?}");
    }
}

#[test]
fn a_file_that_is_not_audio() {
    let aura = Aura::new();
    let file = aura.folder().join("notes.txt");
    assert_failed(&aura.run(&["listen", "--audio", &file.to_string_lossy(), "--json"]), "invalid_request");
    for content in ["", "not a sound", "RIFF\0\0\0\0WAVEfmt "] {
        std::fs::write(&file, content).expect("the folder can be written");
        assert_failed(&aura.run(&["listen", "--audio", &file.to_string_lossy(), "--json"]), "invalid_request");
    }
}

#[test]
fn a_file_that_is_not_an_image() {
    let aura = Aura::new();
    let file = aura.folder().join("picture.png");
    std::fs::write(&file, "not a picture").expect("the folder can be written");
    assert_failed(&aura.run(&["ask", "What is this?", "--image", &file.to_string_lossy()]), "invalid_request");
}

#[test]
fn an_empty_question() {
    assert_failed(&Aura::new().run(&["ask", "  "]), "invalid_request");
}

#[test]
fn a_file_of_silence() {
    let aura = Aura::new();
    let file = aura.folder().join("silence.wav");
    aura_tests::sound::make_file(&file, 16_000, 1, "trim 0 2");
    let ended = aura.run(&["listen", "--audio", &file.to_string_lossy(), "--json"]);
    assert_failed(&ended, "nothing_heard");
    assert_eq!(ended.json()["error"]["code"], "nothing_heard", "the whole turn is printed as well");
}

#[test]
fn a_rejected_key_and_an_unknown_provider() {
    let providers = Providers::answering("Hello.");
    let aura = Aura::new().with_all(providers.groq()).with("GROQ_API_KEY", "gsk_a_key_that_nobody_knows");
    let ended = aura.run(&["ask", "How are you?", "--llm", "groq", "--json"]);
    assert_failed(&ended, "all_routes_failed");
    assert!(ended.json()["error"]["detail"].to_string().contains("\"auth\""), "{ended:?}");
    assert!(!format!("{ended:?}").contains("gsk_a_key"), "a key was printed: {ended:?}");
    assert_failed(&aura.run(&["ask", "How are you?", "--llm", "nobody"]), "invalid_request");
}

#[test]
fn invalid_values_in_the_settings_are_reported() {
    let aura = Aura::new().settings("fallback = \"perhaps\"\nshortcut = 7\n[listening]\nlongest_seconds = 30\n");
    let ended = aura.run(&["ask", "Is anybody there?"]);
    assert_eq!(ended.code, 0, "the other values and the defaults apply: {ended:?}");
    let findings = aura.run(&["doctor", "--json"]).json();
    let about = findings.as_array().into_iter().flatten().filter(|finding| finding["area"] == "settings").count();
    assert!(about >= 2, "{findings:#}");
}

#[test]
fn a_dotenv_file_with_other_content() {
    let providers = Providers::answering("There are many.");
    let aura = Aura::new();
    let variables: String = providers.groq().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let file = aura.folder().join(".env");
    let write = |more: &str| std::fs::write(&file, format!("{variables}{more}")).expect("the folder can be written");
    write("");
    let ended = aura.run(&["ask", "How many are there?"]);
    let taken = format!("Taken from {}: GROQ_API_KEY, GROQ_BASE_URL.\n", file.display());
    assert_eq!(
        (ended.code, ended.out.as_str(), ended.err.as_str()),
        (0, "There are many.\n", taken.as_str()),
        "{ended:?}"
    );
    // A line that cannot be parsed is reported without its content, which may be a key.
    write("my secret is = = abc\n");
    let ended = aura.run(&["ask", "How many are there?"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "There are many.\n"), "{ended:?}");
    assert!(ended.err.contains(".env") && !ended.err.contains("secret"), "{ended:?}");
    // It does not decide about AURA's log and folders, and AURA says so.
    let elsewhere = aura.folder().join("elsewhere");
    write(&format!("LOG_LEVEL=debug\nAURA_DATA_DIR={}\n", elsewhere.display()));
    let ended = aura.run(&["ask", "How many are there?"]);
    assert!(ended.code == 0 && !ended.err.contains("DEBUG") && !elsewhere.exists(), "{ended:?}");
    let refused = ended.err.lines().find(|line| line.starts_with("Not taken from")).unwrap_or_default();
    assert!(refused.contains("LOG_LEVEL") && refused.contains("AURA_DATA_DIR"), "{ended:?}");
    // A folder with that name, as in Python projects.
    std::fs::remove_file(&file).and_then(|()| std::fs::create_dir(&file)).expect("the folder can be written");
    let ended = aura.run(&["ask", "Is anybody there?"]);
    assert!(ended.code == 0 && ended.err.contains(".env"), "{ended:?}");
}
