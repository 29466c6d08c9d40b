//! What others see of a process that has keys: the programs that it starts, and the file that a crash leaves.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aura_tests::aura::Aura;
use aura_tests::catcher::Catcher;
use aura_tests::http::HttpServer;

use super::{find_leak, proxied, use_all, with_keys};

/// The programs of the `offline` provider.
const PROGRAMS: [&str; 4] = ["espeak-ng", "pocketsphinx_continuous", "tesseract", "whisper-cli"];

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_aura_starts_sees_no_key() {
    let (catcher, proxy) = (Catcher::start(), Catcher::start());
    let aura = proxied(with_keys(Aura::new()), &proxy)
        .with("GROQ_BASE_URL", catcher.url("/groq"))
        .with("GEMINI_BASE_URL", catcher.url("/gemini"));
    let folder = aura.folder().join("programs");
    std::fs::create_dir(&folder).unwrap();
    let seen = aura.folder().join("seen");
    for name in PROGRAMS {
        // All that a hostile program can ask for: its own variables and arguments, its input, and the variables of whoever started it.
        let script = format!(
            "#!/bin/sh\nexec >> '{}' 2>&1\necho \"== {name} $*\"\nenv\ntr '\\0' '\\n' < /proc/$PPID/environ\nhead -c 100000\nexit 1\n",
            seen.display()
        );
        let program = folder.join(name);
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let server = HttpServer::start(aura.with("PATH", path).with("AURA_OFFLINE_LLM", "none"));
    use_all(&server, &["groq", "gemini", "offline"]).await;
    let seen = String::from_utf8_lossy(&std::fs::read(&seen).unwrap()).into_owned();
    for name in &PROGRAMS[..3] {
        assert!(seen.contains(&format!("== {name} ")), "{name} was not started: {seen}");
    }
    assert!(seen.contains("PATH="), "{seen}");
    assert_eq!(find_leak(&seen), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_no_copy_of_the_memory() {
    let catcher = Catcher::start();
    let aura = with_keys(Aura::new()).with("GROQ_BASE_URL", catcher.url("/groq"));
    // Whoever starts AURA may have asked for core dumps of any size.
    let server = HttpServer::under(aura, &["prlimit", "--core=unlimited", "--"], "aura-server", &[]);
    use_all(&server, &["groq"]).await;
    // The kernel writes a core dump to the working directory, unless its setting `core_pattern` names a place or a program.
    let working = std::fs::read_link(format!("/proc/{}/cwd", server.id())).unwrap();
    let cores = |folder: &Path| {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("core")).collect::<Vec<OsString>>()
    };
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(limit.split_whitespace().nth(4), Some("0"), "{limit}");
    let aura = server.end_by("ABRT");
    assert_eq!(cores(&working), Vec::<OsString>::new());
    assert_eq!(cores(aura.folder()), Vec::<OsString>::new());
}
