//! Keys that are used all the time, with a log at trace: none is written down.

use std::path::Path;

use aura_tests::aura::Aura;
use aura_tests::catcher::Catcher;
use aura_tests::http::HttpServer;
use aura_tests::processes::family;

use super::{find_leak, proxied, use_all, with_keys};

/// Fails if a file below the folder holds a piece of a key; returns how many bytes were searched.
fn search(folder: &Path) -> usize {
    let mut searched = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            searched += search(&path);
        } else if path.is_file() {
            // Bytes, so that free pages of a database are searched too.
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(find_leak(&String::from_utf8_lossy(&bytes)), None, "{}", path.display());
            searched += bytes.len();
        }
    }
    searched
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_written_down() {
    let (catcher, proxy) = (Catcher::start(), Catcher::start());
    let aura = proxied(with_keys(Aura::new()), &proxy)
        .with("GROQ_BASE_URL", catcher.url("/groq"))
        .with("GEMINI_BASE_URL", catcher.url("/gemini"))
        .with("RUST_LOG", "trace");
    let temporary = aura.folder().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let server = HttpServer::start(aura.with("TMPDIR", &temporary));
    use_all(&server, &["groq", "gemini", "offline"]).await;
    assert!(catcher.caught().iter().any(|request| find_leak(request).is_some()), "the keys are used");
    for process in family(server.id()).into_iter().filter(|process| process.id != server.id()) {
        let environment = std::fs::read(format!("/proc/{}/environ", process.id)).unwrap_or_default();
        assert_eq!(find_leak(&String::from_utf8_lossy(&environment)), None, "{process:?}");
    }
    let log = std::fs::read_to_string(server.aura().folder().join("log")).unwrap();
    assert!(log.contains("TRACE") && log.len() > 10_000, "the log is detailed: {}", log.len());
    search(server.aura().folder());
    let aura = server.stop();
    assert!(search(aura.folder()) > 10_000);
}
