//! What the update server says: the newest version with its packages, and newer catalogs of models, signed as a whole.

use aura_local::download::{Downloader, Wanted};
use jiff::civil::Date;
use minisign_verify::{PublicKey, Signature};
use semver::Version;
use serde::Deserialize;
use url::Url;

/// The newest version, as `latest.json` describes it. The file `latest.json.minisig` beside it is its signature by minisign.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Manifest {
    /// The version.
    pub(super) version: Version,
    /// The day on which it was published.
    pub(super) published: Date,
    /// What is new, in Markdown.
    #[serde(default)]
    pub(super) notes: String,
    /// The packages of the version.
    #[serde(default)]
    pub(super) packages: Vec<Package>,
    /// Catalogs of models and prices, which may be newer than the version.
    #[serde(default)]
    pub(super) catalogs: Option<Catalogs>,
}

/// A package.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Package {
    /// `deb`, `rpm`, `nsis` or `dmg`.
    pub(super) kind: String,
    /// The processor, as Rust names it, such as `x86_64`.
    pub(super) arch: String,
    #[serde(flatten)]
    pub(super) file: RemoteFile,
}

/// The catalogs of models, for programs that understand their format.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Catalogs {
    /// The day on which they were last compared with the providers' documentation.
    pub(super) date: Date,
    /// The models, prices and voices of providers, in the format of `aura-providers/src/catalog/data.json`.
    pub(super) providers: RemoteFile,
    /// The models for this computer, in the format of `aura-local/data/models.json`.
    pub(super) local: RemoteFile,
}

/// A file on the server.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RemoteFile {
    /// Its address: a whole one, or relative to `latest.json`.
    pub(super) url: String,
    /// Its size in bytes.
    pub(super) size: u64,
    /// Its SHA-256 in lower-case hexadecimal.
    pub(super) sha256: String,
}

/// Why a manifest is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ManifestError {
    /// It, or its signature, is not what the maintainers made.
    #[error("the signature is wrong: {0}")]
    Signature(String),
    /// It is in a format that this version does not know.
    #[error("the description of the newest version cannot be read: {0}")]
    Format(String),
}

impl Manifest {
    /// Reads a manifest whose signature is right.
    pub(super) fn verified(bytes: &[u8], signature: &[u8], key: &PublicKey) -> Result<Self, ManifestError> {
        let wrong = |cause: &dyn std::fmt::Display| ManifestError::Signature(cause.to_string());
        let signature = std::str::from_utf8(signature).map_err(|cause| wrong(&cause))?;
        let signature = Signature::decode(signature).map_err(|cause| wrong(&cause))?;
        key.verify(bytes, &signature, false).map_err(|cause| wrong(&cause))?;
        serde_json::from_slice(bytes).map_err(|cause| ManifestError::Format(cause.to_string()))
    }

    /// The package of this kind for this computer's processor.
    pub(super) fn package(&self, kind: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.kind == kind && package.arch == std::env::consts::ARCH)
    }
}

impl RemoteFile {
    /// The file as it is downloaded. `None` when its address is not encrypted, or its name is not one.
    pub(super) fn wanted(&self, manifest: &Url) -> Option<Wanted> {
        let url = manifest.join(&self.url).ok().filter(|url| Downloader::is_allowed(url) && url != manifest)?;
        let name = url.path_segments()?.next_back()?.to_owned();
        let is_name = !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+~-".contains(&byte));
        is_name.then_some(Wanted { url, name, size: self.size, sha256: self.sha256.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_relative_or_whole_and_never_plain_http_elsewhere() {
        let manifest = Url::parse("https://example.org/aura/latest.json").unwrap();
        let wanted = |url: &str| {
            let file = RemoteFile { url: url.into(), size: 1, sha256: String::new() };
            file.wanted(&manifest).map(|wanted| (wanted.url.to_string(), wanted.name))
        };
        let good = |url: &str, name: &str| Some((url.to_owned(), name.to_owned()));
        assert_eq!(wanted("v2/a_1.deb"), good("https://example.org/aura/v2/a_1.deb", "a_1.deb"));
        assert_eq!(wanted("https://cdn.example.org/a.deb"), good("https://cdn.example.org/a.deb", "a.deb"));
        for bad in ["http://example.org/a.deb", "file:///etc/passwd", "", "a/", ".bashrc", "a%2Fb", "..", "a b"] {
            assert_eq!(wanted(bad), None, "{bad}");
        }
    }
}
