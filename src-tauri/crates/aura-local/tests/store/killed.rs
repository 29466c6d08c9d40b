//! A process that is killed, and a disk that is full, in the middle of a download.

use std::process::Stdio;
use std::time::Duration;

use aura_local::store::State;
use aura_local::store::error::StoreError;
use serde_json::json;
use tokio::process::Command;

use super::fixture::{bytes, catalog, file, get, model, open, sha256, state};
use super::server::{Fault, Server};

const SIZE: usize = 4_000_000;
/// Set for the process that downloads: the address of the file.
const URL: &str = "AURA_TEST_URL";
/// Set for the process that downloads: its folder.
const FOLDER: &str = "AURA_TEST_FOLDER";

/// Not a test of its own: the tests below run it in a process of its own, and kill that.
#[tokio::test(flavor = "multi_thread")]
async fn download_in_a_process_of_its_own() {
    let (Ok(url), Some(folder)) = (std::env::var(URL), std::env::var_os(FOLDER)) else { return };
    let content = bytes(SIZE, 9);
    let models = vec![model("m", vec![file("model", &[&url], Some(SIZE), Some(sha256(&content)))])];
    let store = open(folder.as_ref(), catalog(models, json!({}), json!([])));
    match get(&store, "m").await {
        Ok(()) => println!("downloaded"),
        Err(StoreError::DiskFull { .. }) => println!("disk full: {:?}", state(&store, "m").await),
        Err(error) => println!("failed: {error}"),
    }
}

/// This test binary, to run only the download.
fn process(url: &str, folder: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::download_in_a_process_of_its_own", "--nocapture"]);
    command.env(URL, url).env(FOLDER, folder).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_a_download_that_goes_on() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let content = bytes(SIZE, 9);
    let url = server.file("/a", content.clone());
    server.fault("/a", Fault::Slow);
    let part = folder.path().join("m.partial/model.bin.part");
    let mut last = 0;
    for _ in 0..3 {
        let mut child = process(&url, folder.path()).spawn().unwrap();
        // Until some more has arrived.
        while std::fs::metadata(&part).map_or(0, |part| part.len()) < last + 300_000 {
            assert!(child.try_wait().unwrap().is_none(), "it ended early");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child.kill().await.unwrap();
        last = std::fs::metadata(&part).unwrap().len();
        assert!(!folder.path().join("m").exists(), "nothing half-loaded is used");
    }
    let models = vec![model("m", vec![file("model", &[&url], Some(SIZE), Some(sha256(&content)))])];
    let store = open(folder.path(), catalog(models, json!({}), json!([])));
    let State::Paused { done, error: None, .. } = state(&store, "m").await else { panic!("it is paused") };
    assert_eq!(done, last);
    server.mend("/a");
    get(&store, "m").await.unwrap();
    assert_eq!(server.seen().last().unwrap().from, Some(last), "it went on where it was");
    assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content);
}

/// The limit of a process on the size of its files stands for a full disk: the same call fails in the same place.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_pauses_the_download() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let content = bytes(SIZE, 9);
    let url = server.file("/a", content.clone());
    let download = process(&url, folder.path());
    let program = download.as_std();
    // In units of 1,024 bytes; a write beyond it fails with EFBIG, because the signal is ignored.
    let mut limited = Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 1500; exec \"$@\"", "-", &program.get_program().to_string_lossy()]);
    limited.args(program.get_args()).stdout(Stdio::piped()).kill_on_drop(true);
    limited.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("disk full: Paused"), "{said}");
    assert!(!folder.path().join("m").exists());
    let part = std::fs::metadata(folder.path().join("m.partial/model.bin.part")).unwrap().len();
    assert!(part > 0 && part <= 1_500 * 1_024, "what has arrived is kept: {part}");
    // With room again, it goes on.
    let output = process(&url, folder.path()).output().await.unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("downloaded"));
    assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_not_download_the_same_model_at_once() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let content = bytes(SIZE, 9);
    let url = server.file("/a", content.clone());
    server.fault("/a", Fault::Slow);
    let mut child = process(&url, folder.path()).spawn().unwrap();
    while !folder.path().join("m.partial/model.bin.part").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let models = vec![model("m", vec![file("model", &[&url], Some(SIZE), Some(sha256(&content)))])];
    let store = open(folder.path(), catalog(models, json!({}), json!([])));
    assert!(matches!(get(&store, "m").await, Err(StoreError::Busy(_))));
    server.mend("/a");
    let ended = child.wait().await.unwrap();
    assert!(ended.success());
    assert_eq!(state(&store, "m").await, State::Installed, "and what the other one installed is found");
}
