//! Servers and connections that misbehave.

use aura_local::store::State;
use aura_local::store::error::StoreError;
use serde_json::json;

use super::fixture::{bytes, catalog, file, files, get, model, open, sha256, state};
use super::server::{Fault, Server};

const SIZE: usize = 700_000;

/// A store with one model of one file, with or without what the catalog knows about it.
macro_rules! store {
    ($server:expr, $folder:expr, known: $known:expr) => {{
        let content = bytes(SIZE, 7);
        let url = $server.file("/a", content.clone());
        let (size, hash) = if $known { (Some(SIZE), Some(sha256(&content))) } else { (None, None) };
        let models = vec![model("m", vec![file("model", &[&url], size, hash)])];
        (open($folder, catalog(models, json!({}), json!([]))), content)
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_a_hundred_times_delivers_the_whole_file() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (store, content) = store!(server, folder.path(), known: true);
    // At random places; some of them before the first byte of the file.
    let places = bytes(100, 3).into_iter().enumerate().map(|(index, byte)| match index % 7 {
        0 => 0,
        _ => usize::from(byte) * 37 + 1,
    });
    server.fault("/a", Fault::Cut(places.collect()));
    get(&store, "m").await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content);
    let seen = server.seen();
    assert_eq!(seen.len(), 101, "each break costs one request");
    let starts: Vec<u64> = seen.iter().map(|seen| seen.from.unwrap_or(0)).collect();
    assert!(starts.is_sorted() && *starts.last().unwrap() > 0, "each goes on where the one before stopped: {starts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_another_checksum_is_never_used() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (store, content) = store!(server, folder.path(), known: true);
    server.fault("/a", Fault::OtherBytes);
    let error = get(&store, "m").await.unwrap_err();
    assert_eq!(error, StoreError::Damaged { file: "model.bin".into(), what: "checksum" });
    assert!(error.to_string().contains("download it again"), "{error}");
    assert_eq!(state(&store, "m").await, State::Failed(error));
    assert!(!folder.path().join("m").exists());
    assert_eq!(files(folder.path()), Vec::<std::path::PathBuf>::new(), "nothing of it is kept");
    server.mend("/a");
    get(&store, "m").await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mirror_serves_what_the_first_address_does_not() {
    for fault in [Fault::OtherBytes, Fault::Status(404), Fault::Status(503), Fault::Stall(1_000)] {
        let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
        let content = bytes(SIZE, 7);
        let urls = [server.file("/a", content.clone()), server.file("/b", content.clone())];
        let urls = [urls[0].as_str(), urls[1].as_str()];
        let models = vec![model("m", vec![file("model", &urls, Some(SIZE), Some(sha256(&content)))])];
        let store = open(folder.path(), catalog(models, json!({}), json!([])));
        server.fault("/a", fault.clone());
        get(&store, "m").await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ranges_starts_over() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (store, content) = store!(server, folder.path(), known: true);
    server.fault("/a", Fault::Stall(300_000));
    assert!(matches!(get(&store, "m").await, Err(StoreError::Stalled { .. })));
    server.fault("/a", Fault::NoRange);
    get(&store, "m").await.unwrap();
    assert!(server.seen().iter().any(|seen| seen.from.is_some()), "the rest was asked for");
    assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_range_than_the_one_asked_for_is_not_written() {
    for fault in [Fault::WrongOffset(1_000), Fault::NotSatisfiable] {
        let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
        let (store, content) = store!(server, folder.path(), known: true);
        server.fault("/a", Fault::Stall(300_000));
        assert!(matches!(get(&store, "m").await, Err(StoreError::Stalled { .. })));
        server.fault("/a", fault.clone());
        // The part is dropped, and the whole file is asked for.
        get(&store, "m").await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_is_complete_already_is_accepted() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (store, content) = store!(server, folder.path(), known: false);
    std::fs::create_dir(folder.path().join("m.partial")).unwrap();
    std::fs::write(folder.path().join("m.partial/model.bin.part"), &content).unwrap();
    let known = json!({ "url": format!("{}/a", server.address), "tag": null, "size": null, "sha256": null });
    std::fs::write(folder.path().join("m.partial/model.bin.part.json"), known.to_string()).unwrap();
    get(&store, "m").await.unwrap();
    assert_eq!(server.seen()[0].from, Some(SIZE as u64), "the server answers this with 416");
    assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_sends_nothing_more_pauses_the_download() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (store, content) = store!(server, folder.path(), known: true);
    server.fault("/a", Fault::Stall(300_000));
    let error = get(&store, "m").await.unwrap_err();
    assert!(matches!(error, StoreError::Stalled { .. }) && error.to_string().contains("Resume"), "{error}");
    let State::Paused { done, total, error: Some(_) } = state(&store, "m").await else { panic!("it is paused") };
    assert!(done >= 300_000 && total == SIZE as u64, "{done} of {total}");
    server.mend("/a");
    get(&store, "m").await.unwrap();
    assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_only_where_nobody_can_listen() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (store, content) = store!(server, folder.path(), known: true);
    let other = server.file("/store/b", content.clone());
    server.fault("/a", Fault::Redirect("http://downloads.example.com/a".into()));
    let error = get(&store, "m").await.unwrap_err();
    assert!(matches!(error, StoreError::Redirect { .. }), "{error}");
    // To itself, for ever.
    server.fault("/a", Fault::Redirect("/a".into()));
    assert!(matches!(get(&store, "m").await, Err(StoreError::Redirect { .. })));
    for to in ["/store/b", other.as_str()] {
        server.fault("/a", Fault::Redirect(to.into()));
        get(&store, "m").await.unwrap();
        assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), content);
        store.delete("m").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checksum_beside_a_redirect_is_used_where_the_catalog_has_none() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (store, content) = store!(server, folder.path(), known: false);
    server.file("/cdn", content.clone());
    server.fault("/a", Fault::Redirect("/cdn".into()));
    server.headers("/a", format!("X-Linked-ETag: \"{}\"\r\nX-Linked-Size: {SIZE}\r\n", sha256(b"another file")));
    assert!(matches!(get(&store, "m").await, Err(StoreError::Damaged { what: "checksum", .. })));
    server.headers("/a", format!("X-Linked-ETag: \"{}\"\r\nX-Linked-Size: 12\r\n", sha256(&content)));
    assert!(matches!(get(&store, "m").await, Err(StoreError::Damaged { what: "size", .. })));
    server.headers("/a", format!("X-Linked-ETag: \"{}\"\r\nX-Linked-Size: {SIZE}\r\n", sha256(&content)));
    get(&store, "m").await.unwrap();
    let listing = store.listing("en").await;
    assert!(!listing.models[0].has_checksums, "and users are told");
    assert_eq!(listing.models[0].size, SIZE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_on_the_server_is_not_put_together_from_two() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let (store, _) = store!(server, folder.path(), known: false);
    server.headers("/a", "ETag: \"one\"\r\n".into());
    server.fault("/a", Fault::Stall(300_000));
    assert!(matches!(get(&store, "m").await, Err(StoreError::Stalled { .. })));
    // A server that knows If-Range answers with the whole new file.
    let other = bytes(SIZE, 8);
    server.file("/a", other.clone());
    server.fault("/a", Fault::NoRange);
    get(&store, "m").await.unwrap();
    assert!(
        server.seen().last().unwrap().if_range,
        "the rest was asked for on the condition that the file is the same"
    );
    assert_eq!(std::fs::read(folder.path().join("m/model.bin")).unwrap(), other);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there any more.
    let url = format!("{}/a", Server::start().await.address);
    let models = vec![model("m", vec![file("model", &[&url], Some(SIZE), None)])];
    let store = open(folder.path(), catalog(models, json!({}), json!([])));
    let error = get(&store, "m").await.unwrap_err();
    assert!(
        matches!(error, StoreError::Connection { .. }) && error.to_string().contains("Check the network"),
        "{error}"
    );
    assert!(matches!(state(&store, "m").await, State::Paused { error: Some(_), .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_for_which_the_disk_has_no_room_is_not_begun() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let url = server.file("/a", bytes(1_000, 1));
    let models = vec![model("m", vec![file("model", &[&url], Some(1 << 60), Some(sha256(b"")))])];
    let store = open(folder.path(), catalog(models, json!({}), json!([])));
    let error = store.download("m").await.unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }) && error.to_string().contains("Free some space"), "{error}");
    assert!(server.seen().is_empty());
}
