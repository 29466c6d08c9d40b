//! Downloads that go well, and what users do with them.

use std::io::Write;
use std::sync::Arc;

use aura_local::InstalledModels;
use aura_local::store::error::StoreError;
use aura_local::store::{ModelStore, State, StoreOptions};
use aura_providers::Service;
use serde_json::{Value, json};

use super::fixture::{bytes, catalog, file, files, get, model, open, sha256, state};
use super::server::{Fault, Server};

/// A zip archive with these members.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn member(role: &str, member: &str, content: &[u8]) -> Value {
    json!({
        "role": role, "name": format!("{role}.bin"), "archive": "wheel", "member": member, "size": content.len(),
        "sha256": sha256(content),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_an_archive_are_unpacked_checked_and_private() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (one, two) = (bytes(50_000, 1), bytes(60_000, 2));
    let archive = zip(&[("data/one", &one), ("data/two", &two), ("data/other", b"not asked for")]);
    let url = server.file("/wheel", archive.clone());
    let archives = json!({ "wheel": { "urls": [url], "size": archive.len(), "sha256": sha256(&archive) } });
    let models = vec![model("m", vec![member("model", "data/one", &one), member("projector", "data/two", &two)])];
    let store = open(folder.path(), catalog(models, archives.clone(), json!([])));
    get(&store, "m").await.unwrap();
    let mut names: Vec<String> = files(folder.path())
        .iter()
        .map(|file| file.strip_prefix(folder.path()).unwrap().display().to_string())
        .collect();
    names.sort();
    assert_eq!(names, ["m/installed.json", "m/model.bin", "m/projector.bin"], "and the archive is gone");
    assert_eq!(server.seen().len(), 1, "the archive is downloaded once");
    let installed = store.installed();
    assert_eq!(std::fs::read(&installed[0].files["projector"]).unwrap(), two);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &str| std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("m"), mode("m/model.bin"), mode("m/installed.json")), (0o700, 0o600, 0o600));
    }
    // A member that is not there, or is not what the catalog says.
    for wrong in [member("model", "data/three", &one), member("model", "data/two", &one)] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), catalog(vec![model("m", vec![wrong])], archives.clone(), json!([])));
        let error = get(&store, "m").await.unwrap_err();
        assert!(matches!(error, StoreError::Archive { .. } | StoreError::Damaged { .. }), "{error}");
        assert!(!folder.path().join("m").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speech_model_brings_onnx_runtime() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (library, voice) = (bytes(40_000, 3), bytes(30_000, 4));
    let library_url = server.file("/library", library.clone());
    let urls = ["/voice", "/config"].map(|path| server.file(path, voice.clone()));
    let mut voice_model = model(
        "v",
        vec![
            file("model", &[&urls[0]], Some(voice.len()), Some(sha256(&voice))),
            file("config", &[&urls[1]], Some(voice.len()), None),
        ],
    );
    voice_model["engine"] = "piper".into();
    voice_model["services"] = json!(["tts"]);
    let runtimes = json!([{
        "os": std::env::consts::OS, "arch": std::env::consts::ARCH, "label": "ONNX Runtime", "license": "MIT",
        "source": "https://example.com/", "files": [file("library", &[&library_url], Some(library.len()), Some(sha256(&library)))],
    }]);
    let store = open(folder.path(), catalog(vec![voice_model.clone()], json!({}), runtimes));
    assert_eq!(store.onnx_runtime(), None);
    get(&store, "v").await.unwrap();
    assert_eq!(std::fs::read(store.onnx_runtime().unwrap()).unwrap(), library);
    assert_eq!(store.installed().len(), 1, "ONNX Runtime is no model");
    // A computer for which there is none.
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), catalog(vec![voice_model], json!({}), json!([])));
    assert!(matches!(store.download("v").await, Err(StoreError::NoRuntime(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_paused_resumed_cancelled_and_deleted() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let content = bytes(3_000_000, 5);
    let url = server.file("/a", content.clone());
    let hash = Some(sha256(&content));
    let models = vec![model("m", vec![file("model", &[&url], Some(content.len()), hash)])];
    let store = open(folder.path(), catalog(models, json!({}), json!([])));
    server.fault("/a", Fault::Slow);
    let mut changes = store.changes();
    let begun = async |more_than: u64| {
        store.download("m").await.unwrap();
        let mut changes = store.changes();
        loop {
            match state(&store, "m").await {
                State::Downloading { done, total, .. } if done > more_than => return (done, total),
                State::Downloading { .. } => changes.changed().await.unwrap(),
                other => panic!("{other:?}"),
            }
        }
    };
    let (_, total) = begun(0).await;
    assert_eq!(total, content.len() as u64);
    assert!(changes.has_changed().unwrap(), "listeners are told");
    changes.mark_unchanged();
    store.pause("m").await.unwrap();
    let State::Paused { done, error: None, .. } = state(&store, "m").await else { panic!("it is paused") };
    assert!(done > 0 && done < total);
    assert!(matches!(store.pause("m").await, Err(StoreError::NotDownloading(_))));
    assert!(store.installed().is_empty() && !folder.path().join("m").exists());
    // It goes on where it was, also after a cancel in between.
    begun(done).await;
    store.cancel("m").await.unwrap();
    assert_eq!(state(&store, "m").await, State::Available);
    assert_eq!(files(folder.path()), Vec::<std::path::PathBuf>::new());
    server.mend("/a");
    get(&store, "m").await.unwrap();
    assert_eq!(state(&store, "m").await, State::Installed);
    assert!(matches!(store.cancel("m").await, Err(StoreError::IsInstalled(_))));
    store.download("m").await.unwrap();
    store.delete("m").await.unwrap();
    assert_eq!((state(&store, "m").await, store.installed().len()), (State::Available, 0));
    assert!(matches!(store.delete("m").await, Err(StoreError::NotInstalled(_))));
    assert!(matches!(store.download("other").await, Err(StoreError::Unknown(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chosen_model_comes_first_and_is_remembered() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let url = server.file("/a", bytes(1_000, 1));
    let models: Vec<Value> =
        ["big", "small"].map(|id| model(id, vec![file("model", &[&url], Some(1_000), None)])).into();
    let catalog = catalog(models, json!({}), json!([]));
    let store = open(folder.path(), catalog.clone());
    let first = |store: &ModelStore| store.installed()[0].id.clone();
    assert!(matches!(store.choose(Service::Llm, Some("small")).await, Err(StoreError::NotInstalled(_))));
    for id in ["small", "big"] {
        get(&store, id).await.unwrap();
    }
    assert_eq!(first(&store), "big", "in the order of the catalog");
    assert!(matches!(store.choose(Service::Tts, Some("small")).await, Err(StoreError::WrongService { .. })));
    store.choose(Service::Llm, Some("small")).await.unwrap();
    let store = open(folder.path(), catalog);
    assert_eq!(first(&store), "small");
    let used: Vec<bool> = store.listing("en").await.models.iter().map(|model| !model.used_for.is_empty()).collect();
    assert_eq!(used, [false, true]);
    store.choose(Service::Llm, None).await.unwrap();
    assert_eq!(first(&store), "big");
    store.choose(Service::Llm, Some("small")).await.unwrap();
    store.delete("small").await.unwrap();
    get(&store, "small").await.unwrap();
    assert_eq!(first(&store), "big", "a choice ends with the model");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installed_model_that_lost_a_file_is_not_used() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let content = bytes(1_000, 1);
    let url = server.file("/a", content.clone());
    let models = vec![model("m", vec![file("model", &[&url], Some(1_000), Some(sha256(&content)))])];
    let store = open(folder.path(), catalog(models, json!({}), json!([])));
    get(&store, "m").await.unwrap();
    std::fs::write(folder.path().join("m/model.bin"), &content[..900]).unwrap();
    assert!(matches!(state(&store, "m").await, State::Failed(StoreError::Damaged { .. })));
    assert!(store.installed().is_empty());
    get(&store, "m").await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_downloads_than_run_at_once_wait_for_their_turn() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let url = server.file("/a", bytes(1_000_000, 1));
    server.fault("/a", Fault::Slow);
    let ids = ["a", "b", "c", "d"];
    let models = ids.map(|id| model(id, vec![file("model", &[&url], Some(1_000_000), None)])).into();
    let store = open(folder.path(), catalog(models, json!({}), json!([])));
    for id in ids {
        store.download(id).await.unwrap();
    }
    let mut changes = store.changes();
    while server.seen().len() < 2 {
        changes.changed().await.unwrap();
    }
    assert_eq!(server.seen().len(), 2, "the others wait");
    store.cancel("d").await.unwrap();
    server.mend("/a");
    for id in &ids[..3] {
        store.finished(id).await.unwrap();
    }
    assert_eq!(store.installed().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_the_package_is_used_and_not_removed() {
    let (server, package, folder) = (Server::start().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = server.file("/a", bytes(1_000, 1));
    let catalog = catalog(vec![model("m", vec![file("model", &[&url], Some(1_000), None)])], json!({}), json!([]));
    get(&open(package.path(), catalog.clone()), "m").await.unwrap();

    let mut options = StoreOptions::new(folder.path());
    options.packaged = Some(package.path().to_owned());
    options.catalog = Arc::new(catalog);
    let store = ModelStore::open(options).unwrap();
    assert_eq!(state(&store, "m").await, State::Installed);
    assert!(store.installed()[0].files["model"].starts_with(package.path()));
    store.download("m").await.unwrap();
    assert_eq!(files(folder.path()), Vec::<std::path::PathBuf>::new(), "nothing is downloaded again");
    assert!(matches!(store.delete("m").await, Err(StoreError::Packaged(_))));
    assert_eq!(state(&store, "m").await, State::Installed);
}
