//! Downloads of files that are no models, with the care of the model store: they go on after a break, and stop when a server stalls, sends
//! something else, or the disk is full.

use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::store::Limits;
use crate::store::catalog::Source;
use crate::store::error::StoreError;
use crate::store::http::{self, Http};
use crate::store::job::blocking;
use crate::store::machine;
pub use crate::store::progress::Progress;
use crate::store::transfer::{REDIRECTS, Transfer, known_file, remove_part};
use crate::store::verify::verify;

/// Downloads files over connections that it keeps.
#[derive(Debug, Clone)]
pub struct Downloader {
    http: Http,
    limits: Limits,
}

/// A file to download, and what it must be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its address.
    pub url: Url,
    /// Its name, for users.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl Downloader {
    /// A downloader with these limits.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(limits: Limits) -> Result<Self, StoreError> {
        Ok(Self { http: Http::new()?, limits })
    }

    /// Whether a file may be downloaded from an address: the connection is encrypted, or the server is on this computer.
    pub fn is_allowed(url: &Url) -> bool {
        http::is_allowed(url)
    }

    /// Downloads a small file of at most `limit` bytes.
    ///
    /// # Errors
    /// When the server does not deliver it, stalls, or sends more.
    pub async fn bytes(&self, url: &Url, limit: usize) -> Result<Vec<u8>, StoreError> {
        let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default().to_owned();
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            let host = http::host(&url);
            let unreachable = |error| StoreError::Connection { host: host.clone(), cause: http::reason(error) };
            let response =
                self.limited(&url, self.http.client(&url).get(url.clone()).send()).await?.map_err(unreachable)?;
            if response.status().is_redirection() {
                let redirect = StoreError::Redirect { host, file: name.clone() };
                url = http::target(&url, response.headers()).ok_or(redirect)?;
                continue;
            }
            if !response.status().is_success() {
                return Err(StoreError::Refused { host, status: response.status().as_u16(), file: name });
            }
            let (mut body, mut bytes) = (response.bytes_stream(), Vec::new());
            while let Some(chunk) = self.limited(&url, body.next()).await? {
                bytes.extend_from_slice(&chunk.map_err(unreachable)?);
                if bytes.len() > limit {
                    return Err(StoreError::Damaged { file: name, what: "size" });
                }
            }
            return Ok(bytes);
        }
        Err(StoreError::Redirect { host: http::host(&url), file: name })
    }

    /// Downloads a file, or goes on with what has arrived of it, and puts it in place once its size and checksum are right.
    ///
    /// # Errors
    /// When it is stopped, the server does not deliver the file, the file is not the wanted one, or the disk is full. What has arrived of
    /// the right file is kept.
    pub async fn file(
        &self,
        wanted: &Wanted,
        to: &Path,
        progress: &Arc<Progress>,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let part = to.with_added_extension("part");
        progress.set_total(wanted.size);
        machine::check_space(&part, wanted.size, self.limits.reserve).await?;
        let source =
            Source { urls: vec![wanted.url.clone()], size: Some(wanted.size), sha256: Some(wanted.sha256.clone()) };
        let transfer = Transfer {
            http: &self.http,
            limits: &self.limits,
            progress,
            stop,
            name: &wanted.name,
            part: part.clone(),
            further: 0,
        };
        let arrived = transfer.run(&source, &source.urls).await;
        if let Err(StoreError::Damaged { .. }) = arrived {
            remove_part(&part)?;
        }
        arrived?;
        let (wanted, to, stop) = (wanted.clone(), to.to_owned(), stop.clone());
        blocking(move || {
            let measured = verify(&part, &wanted.name, Some(wanted.size), Some(&wanted.sha256), &stop);
            if let Err(StoreError::Damaged { .. }) = measured {
                remove_part(&part)?;
            }
            measured?;
            std::fs::rename(&part, &to).map_err(|cause| StoreError::storage("save a download", &cause))?;
            let _ = std::fs::remove_file(known_file(&part));
            Ok(())
        })
        .await
    }

    async fn limited<T>(&self, url: &Url, wait: impl Future<Output = T>) -> Result<T, StoreError> {
        let stalled = |_| StoreError::Stalled { host: http::host(url), seconds: self.limits.stall.as_secs() };
        tokio::time::timeout(self.limits.stall, wait).await.map_err(stalled)
    }
}

/// Whether a file has this size and SHA-256. Waits for the disk.
pub fn is_file(file: &Path, size: u64, sha256: &str) -> bool {
    verify(file, "", Some(size), Some(sha256), &CancellationToken::new()).is_ok()
}
