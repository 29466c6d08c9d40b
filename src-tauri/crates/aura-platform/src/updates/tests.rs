//! Updates from a server on this computer, good and bad.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::Duration;

use aura_local::store::Limits;
use minisign::KeyPair;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::*;

/// A server of signed updates.
struct Server {
    address: String,
    keys: KeyPair,
    files: Arc<Mutex<BTreeMap<String, Served>>>,
}

#[derive(Clone)]
struct Served {
    bytes: Vec<u8>,
    /// The connection is closed after so many bytes of the body.
    cut: Option<usize>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let files = Arc::<Mutex<BTreeMap<String, Served>>>::default();
        let served = files.clone();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let served = served.clone();
                tokio::spawn(async move {
                    let mut request = vec![0; 8_192];
                    let length = connection.read(&mut request).await.unwrap_or(0);
                    let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
                    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                    let Some(file) = served.lock().get(&path).cloned() else {
                        let _ = connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
                        return;
                    };
                    let from =
                        request.split_once("range: bytes=").and_then(|(_, rest)| rest.split('-').next()?.parse().ok());
                    let total = file.bytes.len();
                    let head = match from {
                        Some(from) => {
                            let range = format!("Content-Range: bytes {from}-{}/{total}", total - 1);
                            format!("206 Partial Content\r\n{range}\r\nContent-Length: {}", total - from)
                        }
                        None => format!("200 OK\r\nContent-Length: {total}"),
                    };
                    let body = &file.bytes[from.unwrap_or(0)..];
                    let body = &body[..file.cut.unwrap_or(usize::MAX).min(body.len())];
                    let _ =
                        connection.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes()).await;
                    let _ = connection.write_all(body).await;
                });
            }
        });
        Self { address, keys: KeyPair::generate_unencrypted_keypair().unwrap(), files }
    }

    fn put(&self, path: &str, bytes: Vec<u8>, cut: Option<usize>) {
        self.files.lock().insert(path.to_owned(), Served { bytes, cut });
    }

    /// Serves a manifest with its signature.
    fn publish(&self, manifest: &Value) {
        let bytes = manifest.to_string().into_bytes();
        let signature = minisign::sign(None, &self.keys.sk, Cursor::new(&bytes), None, None).unwrap();
        self.put("/latest.json", bytes, None);
        self.put("/latest.json.minisig", signature.to_string().into_bytes(), None);
    }

    fn source(&self) -> UpdateSource {
        let url = Url::parse(&format!("{}/latest.json", self.address)).unwrap();
        UpdateSource { url, key: minisign_verify::PublicKey::from_base64(&self.keys.pk.to_base64()).unwrap() }
    }

    /// AURA 0.1.0 of a .deb with this data folder.
    fn aura(&self, data: &Path) -> SignedUpdates {
        self.with(data, limits(0))
    }

    fn with(&self, data: &Path, limits: Limits) -> SignedUpdates {
        SignedUpdates::with(data, Some(self.source()), Some("deb".into()), "0.1.0", limits).unwrap()
    }
}

fn limits(reserve: u64) -> Limits {
    Limits { stall: Duration::from_secs(5), retries: 0, pause: Duration::from_millis(1), reserve }
}

fn remote(name: &str, bytes: &[u8]) -> Value {
    let sha256: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "url": name, "size": bytes.len(), "sha256": sha256 })
}

fn package(name: &str, bytes: &[u8]) -> Value {
    let mut package = remote(name, bytes);
    package["kind"] = "deb".into();
    package["arch"] = std::env::consts::ARCH.into();
    package
}

fn manifest(version: &str, packages: Value) -> Value {
    json!({ "version": version, "published": "2026-11-29", "notes": "Faster.", "packages": packages })
}

/// Waits until a download has ended.
async fn ended(updates: &SignedUpdates) -> UpdateState {
    let mut changes = updates.changes();
    loop {
        match updates.view().state {
            UpdateState::Downloading { .. } => changes.changed().await.unwrap(),
            state => return state,
        }
    }
}

/// The names of the files in the folder of updates.
fn names(data: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder(data)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_newer_version_is_found_downloaded_and_forgotten_once_it_is_installed() {
    let (server, data) = (Server::start().await, tempfile::tempdir().unwrap());
    let bytes = vec![7; 300_000];
    server.put("/aura_0.2.0.deb", bytes.clone(), None);
    server.publish(&manifest("0.2.0", json!([package("aura_0.2.0.deb", &bytes)])));
    let updates = server.aura(data.path());
    assert_eq!((updates.view().release, updates.view().checked_at), (None, None));
    assert_eq!(updates.download().unwrap_err().code, ErrorCode::NotFound);
    updates.check().await.unwrap();
    let release = updates.view().release.unwrap();
    assert_eq!((release.version.as_str(), release.notes.as_str()), ("0.2.0", "Faster."));
    assert_eq!(release.package.unwrap().size_bytes, 300_000);
    updates.download().unwrap();
    let UpdateState::Ready { file, command } = ended(&updates).await else { panic!("{:?}", updates.view()) };
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    assert_eq!(command, Some(format!("sudo apt install {file}")));
    // Known after a restart, without asking again.
    let updates = server.aura(data.path());
    assert!(updates.view().checked_at.is_some() && matches!(updates.view().state, UpdateState::Ready { .. }));
    // A package that was changed is not opened.
    std::fs::write(&file, "something else").unwrap();
    assert_eq!(updates.install().await.unwrap_err().code, ErrorCode::NotFound);
    // The new version removes its package.
    let new = SignedUpdates::with(data.path(), Some(server.source()), Some("deb".into()), "0.2.0", limits(0)).unwrap();
    assert_eq!(
        (new.view().release, names(data.path())),
        (None, vec!["latest.json".into(), "latest.json.minisig".into()])
    );
}

#[tokio::test]
async fn an_older_or_equal_version_is_none() {
    let (server, data) = (Server::start().await, tempfile::tempdir().unwrap());
    for version in ["0.0.9", "0.1.0", "0.1.0-rc.1"] {
        server.publish(&manifest(version, json!([])));
        let updates = server.aura(data.path());
        updates.check().await.unwrap();
        assert_eq!(updates.view().release, None, "{version}");
        assert!(updates.view().checked_at.is_some());
    }
}

#[tokio::test]
async fn nothing_with_a_wrong_signature_is_used() {
    let (server, other, data) = (Server::start().await, Server::start().await, tempfile::tempdir().unwrap());
    server.publish(&manifest("0.2.0", json!([])));
    other.publish(&manifest("0.3.0", json!([])));
    let signed = server.files.lock().clone();
    let foreign = other.files.lock()["/latest.json.minisig"].clone();
    let mut changed = signed["/latest.json"].clone();
    changed.bytes[12] ^= 1;
    for (path, served) in [
        ("/latest.json", changed),
        ("/latest.json.minisig", foreign),
        ("/latest.json.minisig", Served { bytes: b"untrusted comment: x\n".to_vec(), cut: None }),
        ("/latest.json.minisig", Served { bytes: Vec::new(), cut: None }),
    ] {
        *server.files.lock() = signed.clone();
        server.files.lock().insert(path.into(), served);
        let updates = server.aura(data.path());
        assert_eq!(updates.check().await.unwrap_err().code, ErrorCode::DownloadFailed);
        let view = updates.view();
        assert_eq!((view.release, view.checked_at, names(data.path())), (None, None, vec![]));
        assert!(matches!(view.state, UpdateState::Failed { error } if error.message.contains("not signed")));
    }
}

#[tokio::test]
async fn a_package_that_is_not_the_signed_one_is_not_kept() {
    let (server, data) = (Server::start().await, tempfile::tempdir().unwrap());
    server.put("/a.deb", vec![8; 5_000], None);
    server.publish(&manifest("0.2.0", json!([package("a.deb", &[7; 5_000])])));
    let updates = server.aura(data.path());
    updates.check().await.unwrap();
    updates.download().unwrap();
    assert!(matches!(ended(&updates).await, UpdateState::Failed { error } if error.message.contains("not signed")));
    assert_eq!(names(data.path()), ["latest.json", "latest.json.minisig"]);
}

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_was() {
    let (server, data) = (Server::start().await, tempfile::tempdir().unwrap());
    let bytes: Vec<u8> = (0..200_000_u32).map(|index| index as u8).collect();
    server.put("/a.deb", bytes.clone(), Some(80_000));
    server.publish(&manifest("0.2.0", json!([package("a.deb", &bytes)])));
    let updates = server.aura(data.path());
    updates.check().await.unwrap();
    // The server closes the connection again and again, each time with nothing more.
    server.put("/a.deb", bytes[..80_000].to_vec(), Some(80_000));
    updates.download().unwrap();
    assert!(matches!(ended(&updates).await, UpdateState::Failed { .. }), "{:?}", updates.view());
    server.put("/a.deb", bytes.clone(), None);
    updates.download().unwrap();
    let UpdateState::Ready { file, .. } = ended(&updates).await else { panic!("{:?}", updates.view()) };
    assert_eq!(std::fs::read(file).unwrap(), bytes);
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_old_state_stays() {
    let (server, data) = (Server::start().await, tempfile::tempdir().unwrap());
    server.put("/a.deb", vec![7; 5_000], None);
    server.publish(&manifest("0.2.0", json!([package("a.deb", &[7; 5_000])])));
    let updates = server.with(data.path(), limits(u64::MAX / 2));
    updates.check().await.unwrap();
    updates.download().unwrap();
    let UpdateState::Failed { error } = ended(&updates).await else { panic!("{:?}", updates.view()) };
    assert_eq!(error.code, ErrorCode::DiskFull);
    assert!(updates.view().release.is_some());
}

#[tokio::test]
async fn newer_catalogs_of_models_are_fetched_once_and_used_only_unchanged() {
    let (server, data) = (Server::start().await, tempfile::tempdir().unwrap());
    let providers = include_str!("../../../aura-providers/src/catalog/data.json");
    let local = include_str!("../../../aura-local/data/models.json");
    let publish = |date: &str| {
        let mut manifest = manifest("0.1.0", json!([]));
        let catalogs = [remote("p.json", providers.as_bytes()), remote("m.json", local.as_bytes())];
        manifest["catalogs"] = json!({ "date": date, "providers": catalogs[0], "local": catalogs[1] });
        server.publish(&manifest);
    };
    server.put("/p.json", providers.into(), None);
    server.put("/m.json", local.into(), None);
    publish("2001-01-01");
    let updates = server.aura(data.path());
    updates.check().await.unwrap();
    assert_eq!((updates.view().new_catalogs, names(data.path()).len()), (None, 2), "older ones are not fetched");
    publish("2999-01-01");
    updates.check().await.unwrap();
    assert_eq!(updates.view().new_catalogs.unwrap().year(), 2999);
    let folder = folder(data.path());
    let catalogs = catalogs::saved(&folder, &server.source()).unwrap().catalogs.unwrap();
    assert!(catalogs::read(&folder, &catalogs).is_ok());
    // They are there: a server that no longer has them is not asked.
    server.files.lock().remove("/p.json");
    updates.check().await.unwrap();
    std::fs::write(folder.join("catalog.json"), "{}").unwrap();
    assert!(catalogs::read(&folder, &catalogs).is_err());
}

#[tokio::test]
async fn without_a_source_nothing_is_asked() {
    let data = tempfile::tempdir().unwrap();
    let updates = SignedUpdates::with(data.path(), None, None, "0.1.0", limits(0)).unwrap();
    assert_eq!(updates.view(), UpdatesView::default());
    assert_eq!(updates.check().await.unwrap_err().code, ErrorCode::NotFound);
    assert!(!folder(data.path()).exists());
}
