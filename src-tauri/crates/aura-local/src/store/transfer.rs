//! Downloads one file. What has arrived is kept on the disk, and goes on from there after any break.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use reqwest::header::{IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::catalog::Source;
use super::error::StoreError;
use super::files;
use super::http::{self, Http};
use super::machine;
use super::progress::Progress;

/// The longest chain of redirects.
pub(crate) const REDIRECTS: usize = 8;
/// Free space is checked again after this many bytes.
const SPACE_CHECK: u64 = 64 << 20;
/// The bytes after which a stall does not count as an attempt that brought nothing.
const WORTH_A_STALL: u64 = 1 << 20;
/// Bytes that are collected before they are written.
const BUFFER: usize = 256 << 10;

/// The limits of a download.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a server may send nothing.
    pub stall: Duration,
    /// How often in a row an attempt may bring nothing before the next source is tried, or the download stops.
    pub retries: u32,
    /// The pause before the first attempt after one that brought nothing; it doubles with each.
    pub pause: Duration,
    /// The bytes of the disk that a download leaves free.
    pub reserve: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stall: Duration::from_secs(30), retries: 4, pause: Duration::from_millis(500), reserve: 64 << 20 }
    }
}

/// What a server said about a file. It is kept beside the part of the file that has arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The address that sent it.
    pub(crate) url: Option<Url>,
    /// A tag that changes with each byte of the file.
    pub(crate) tag: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) sha256: Option<String>,
}

/// A download of one file.
pub(crate) struct Transfer<'a> {
    pub(crate) http: &'a Http,
    pub(crate) limits: &'a Limits,
    pub(crate) progress: &'a Progress,
    pub(crate) stop: &'a CancellationToken,
    /// The file's name, for users.
    pub(crate) name: &'a str,
    /// What has arrived of it.
    pub(crate) part: PathBuf,
    /// The bytes of the whole download that are needed beside this file, for the check of free space.
    pub(crate) further: u64,
}

/// Where what a server said about a part is kept.
pub(crate) fn known_file(part: &Path) -> PathBuf {
    let mut file = part.as_os_str().to_owned();
    file.push(".json");
    PathBuf::from(file)
}

/// Removes what has arrived of a file, and what a server said about it.
pub(crate) fn remove_part(part: &Path) -> Result<(), StoreError> {
    for file in [part, &known_file(part)] {
        match std::fs::remove_file(file) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::storage("remove a part of a file", &cause));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Transfer<'_> {
    /// Downloads the file from the first of the addresses that delivers it. Returns what a server said about it.
    pub(crate) async fn run(&self, source: &Source, urls: &[Url]) -> Result<Known, StoreError> {
        let mut last = StoreError::Stopped;
        for url in urls {
            match self.from(source, url).await {
                Ok(known) => return Ok(known),
                Err(error) if error.depends_on_source() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Downloads the file from one address, with as many attempts as bring something.
    async fn from(&self, source: &Source, url: &Url) -> Result<Known, StoreError> {
        let mut known: Known = files::read_json(&known_file(&self.part)).unwrap_or_default();
        if known.url.as_ref() != Some(url) {
            // Another server's file is the same one only where the catalog knows its checksum.
            if source.sha256.is_none() {
                self.start_over(&mut known)?;
            }
            known = Known { url: Some(url.clone()), ..Known::default() };
        }
        known.size = source.size.or(known.size);
        let mut failures = 0;
        loop {
            let before = files::size(&self.part);
            let error = match self.attempt(source, url, &mut known).await {
                Ok(()) => return Ok(known),
                Err(error) => error,
            };
            let may_pass = match &error {
                StoreError::Connection { .. } | StoreError::Stalled { .. } => true,
                StoreError::WrongRange { .. } => {
                    self.start_over(&mut known)?;
                    true
                }
                StoreError::Refused { status, .. } => matches!(status, 408 | 429 | 500..),
                _ => false,
            };
            let arrived = files::size(&self.part).saturating_sub(before);
            // A server that stalls again and again with little in between does not serve.
            let enough = if matches!(error, StoreError::Stalled { .. }) { WORTH_A_STALL } else { 1 };
            let has_progressed = arrived >= enough;
            failures = if has_progressed { 0 } else { failures + 1 };
            if !may_pass || failures > self.limits.retries {
                return Err(error);
            }
            tracing::debug!(%error, file = self.name, failures, "a download goes on");
            let pause =
                if has_progressed { Duration::ZERO } else { self.limits.pause * 2_u32.pow(failures.min(8) - 1) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return Err(StoreError::Stopped),
            }
        }
    }

    /// Removes what has arrived.
    fn start_over(&self, known: &mut Known) -> Result<(), StoreError> {
        *known = Known { url: known.url.clone(), ..Known::default() };
        remove_part(&self.part)?;
        self.progress.set_current(0);
        Ok(())
    }

    /// One request. Ends well when the file is as long as it should be.
    async fn attempt(&self, source: &Source, url: &Url, known: &mut Known) -> Result<(), StoreError> {
        let mut have = files::size(&self.part);
        if known.size.is_some_and(|size| have > size) {
            self.start_over(known)?;
            (known.size, have) = (source.size, 0);
        }
        if known.size == Some(have) && have > 0 {
            self.progress.set_current(have);
            return Ok(());
        }
        let (response, linked) = self.request(url, have, known).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let wrong_range = || StoreError::WrongRange { host: http::host(url), file: self.name.to_owned() };
        let range = http::content_range(&headers);
        let total = match status {
            StatusCode::OK => {
                have = 0;
                http::length(&headers)
            }
            StatusCode::PARTIAL_CONTENT => match range {
                Some((Some(start), total)) if start == have => total,
                _ => return Err(wrong_range()),
            },
            StatusCode::RANGE_NOT_SATISFIABLE => {
                return match range {
                    // All of it has arrived already.
                    Some((_, Some(total))) if total == have && known.size.is_none_or(|size| size == have) => {
                        known.size = Some(have);
                        self.progress.set_current(have);
                        Ok(())
                    }
                    _ => Err(wrong_range()),
                };
            }
            status => {
                let (host, file) = (http::host(url), self.name.to_owned());
                return Err(StoreError::Refused { host, status: status.as_u16(), file });
            }
        };
        let expected = source.size.or(linked).or(known.size.filter(|_| have > 0));
        if let (Some(size), Some(total)) = (expected, total)
            && size != total
        {
            if have > 0 {
                return Err(wrong_range());
            }
            return Err(StoreError::Damaged { file: self.name.to_owned(), what: "size" });
        }
        known.size = source.size.or(total);
        known.tag = http::strong_tag(&headers);
        files::write_json(&known_file(&self.part), known)
            .map_err(|cause| StoreError::storage("write to the folder of models", &cause))?;
        self.receive(response, url, have, known.size).await
    }

    /// Sends the request for what is missing, and follows redirects. Returns the size that was stated beside a redirect as well.
    async fn request(&self, url: &Url, have: u64, known: &mut Known) -> Result<(Response, Option<u64>), StoreError> {
        let (mut url, mut linked) = (url.clone(), None);
        for _ in 0..=REDIRECTS {
            let mut request = self.http.client(&url).get(url.clone());
            if have > 0 {
                request = request.header(RANGE, format!("bytes={have}-"));
                if let Some(tag) = &known.tag {
                    request = request.header(IF_RANGE, tag);
                }
            }
            let response = self.limited(&url, request.send()).await?;
            let response = response
                .map_err(|error| StoreError::Connection { host: http::host(&url), cause: http::reason(error) })?;
            if let (Some(hash), size) = http::linked(response.headers()) {
                // What has arrived is of the file that was stated first.
                match &known.sha256 {
                    Some(_) if have > 0 => {}
                    _ => known.sha256 = Some(hash),
                }
                linked = linked.or(size);
            }
            if !response.status().is_redirection() {
                return Ok((response, linked));
            }
            let redirect = || StoreError::Redirect { host: http::host(&url), file: self.name.to_owned() };
            url = http::target(&url, response.headers()).ok_or_else(redirect)?;
        }
        Err(StoreError::Redirect { host: http::host(&url), file: self.name.to_owned() })
    }

    /// Writes the body to the disk, from the byte `have` on.
    async fn receive(&self, response: Response, url: &Url, have: u64, size: Option<u64>) -> Result<(), StoreError> {
        let part = self.part.clone();
        let open = move || {
            let mut file = files::private().open(part)?;
            file.set_len(have)?;
            std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(have))?;
            Ok(file)
        };
        let unwritable = |cause: std::io::Error| self.unwritable(&cause, size, have);
        let file =
            tokio::task::spawn_blocking(open).await.map_err(std::io::Error::other).flatten().map_err(unwritable)?;
        let mut file = tokio::io::BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(file));
        let mut done = have;
        let mut next_check = have;
        let mut body = response.bytes_stream();
        let ended = loop {
            if done >= next_check {
                self.check_space(size.unwrap_or(done).saturating_sub(done)).await?;
                next_check = done + SPACE_CHECK;
            }
            let chunk = match self.limited(url, body.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => break Ok(()),
                Ok(Some(Err(error))) => {
                    break Err(StoreError::Connection { host: http::host(url), cause: http::reason(error) });
                }
                Err(error) => break Err(error),
            };
            let length = chunk.len() as u64;
            if size.is_some_and(|size| done + length > size) {
                break Err(StoreError::Damaged { file: self.name.to_owned(), what: "size" });
            }
            file.write_all(&chunk).await.map_err(|cause| self.unwritable(&cause, size, done))?;
            done += length;
            self.progress.set_current(done);
        };
        // What has arrived is kept, however the body ended.
        file.flush().await.map_err(|cause| self.unwritable(&cause, size, done))?;
        file.get_ref().sync_all().await.map_err(|cause| self.unwritable(&cause, size, done))?;
        ended?;
        match size {
            Some(size) if done < size => {
                let cause = "it closed the connection early".to_owned();
                Err(StoreError::Connection { host: http::host(url), cause })
            }
            _ => Ok(()),
        }
    }

    /// Waits for the server, but not longer than the stall limit, and not after the download was stopped.
    async fn limited<T>(&self, url: &Url, wait: impl Future<Output = T>) -> Result<T, StoreError> {
        tokio::select! {
            () = self.stop.cancelled() => Err(StoreError::Stopped),
            got = tokio::time::timeout(self.limits.stall, wait) => got.map_err(|_| StoreError::Stalled {
                host: http::host(url),
                seconds: self.limits.stall.as_secs(),
            }),
        }
    }

    /// Fails when the disk has no room for the rest of this file and what is needed beside it.
    async fn check_space(&self, rest: u64) -> Result<(), StoreError> {
        let needed = rest.saturating_add(self.further);
        machine::check_space(&self.part, needed, self.limits.reserve).await
    }

    fn unwritable(&self, cause: &std::io::Error, size: Option<u64>, done: u64) -> StoreError {
        match StoreError::storage("write to the folder of models", cause) {
            StoreError::DiskFull { .. } => {
                let needed = size.unwrap_or(done).saturating_sub(done).saturating_add(self.further);
                StoreError::DiskFull { needed, free: 0 }
            }
            error => error,
        }
    }
}
