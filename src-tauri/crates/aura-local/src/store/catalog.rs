//! The catalog of models: data that is checked when it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use aura_providers::Service;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::protocol::Engine;

/// The server that most models come from.
const HUB: &str = "huggingface.co";
/// AURA's own catalog.
const OWN: &str = include_str!("../../data/models.json");

/// The models that can be installed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalog {
    /// ONNX Runtime for each platform that has one.
    pub runtimes: Vec<Runtime>,
    /// Archives that files are members of, by name.
    pub archives: BTreeMap<String, Source>,
    /// The models, for each service the preferred one first.
    pub models: Vec<Entry>,
}

/// ONNX Runtime for one platform.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// The operating system, as `std::env::consts::OS` names it.
    pub os: String,
    /// The processor, as `std::env::consts::ARCH` names it.
    pub arch: String,
    /// Its name and version.
    pub label: String,
    /// Its licence.
    pub license: String,
    /// The page that describes it.
    pub source: Url,
    /// The shared library, in the role `library`.
    pub files: Vec<FileSpec>,
}

/// A model that can be installed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its ID, which is also the name of its folder.
    pub id: String,
    /// Its name for users.
    pub label: String,
    /// The engine that runs it.
    pub engine: Engine,
    /// What it does.
    pub services: Vec<Service>,
    /// The ISO 639-1 codes of its languages; empty for many.
    #[serde(default)]
    pub languages: Vec<String>,
    /// What it is good for, in a sentence.
    pub description: String,
    /// The memory that it needs when loaded, in bytes.
    pub memory: u64,
    /// Its licence, as an SPDX identifier or a name.
    pub license: String,
    /// The page that describes it.
    pub source: Url,
    /// Where its sizes and checksums come from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// Whether it is offered first: among speech models for their languages, among language models by size.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suggested: bool,
    /// Whether it is left out of what users see: it serves tests, and computers without a connection to the models' usual hub.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Its files.
    pub files: Vec<FileSpec>,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    /// What the engine calls it.
    pub role: String,
    /// Its name on the disk.
    pub name: String,
    /// Where it is: addresses of its own, or a place in an archive.
    #[serde(flatten)]
    pub place: Place,
    /// Its size in bytes, where it is known before the download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its SHA-256 in hexadecimal, where it is known before the download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// In an archive.
    Archive {
        /// The archive's name in [`Catalog::archives`].
        archive: String,
        /// The path in it.
        member: String,
    },
    /// At one of these addresses, the preferred one first.
    Urls {
        /// The addresses.
        urls: Vec<Url>,
    },
}

/// A file to download: addresses, the preferred one first, and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The addresses.
    pub urls: Vec<Url>,
    /// Its size in bytes, where it is known before the download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its SHA-256 in hexadecimal, where it is known before the download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// The catalog contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the catalog of models is not valid: {0}")]
pub struct CatalogError(String);

impl Catalog {
    /// AURA's own catalog.
    pub fn own() -> &'static Self {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
            // A test reads it, so this never fails in a build that was tested.
            Catalog::parse(OWN).unwrap_or_else(|error| {
                tracing::error!(%error, "no models can be installed");
                Catalog::default()
            })
        });
        &CATALOG
    }

    /// Reads a catalog and checks it.
    ///
    /// # Errors
    /// When it is not in the format, or contradicts itself.
    pub fn parse(json: &str) -> Result<Self, CatalogError> {
        let catalog: Self = serde_json::from_str(json).map_err(|error| CatalogError(error.to_string()))?;
        catalog.check().map_err(CatalogError)?;
        Ok(catalog)
    }

    /// Lets a mirror of Hugging Face serve before Hugging Face itself. The checksums of the catalog hold for both.
    #[must_use]
    pub fn with_mirror(mut self, mirror: &Url) -> Self {
        let mirrored = |url: &Url| {
            let path = (url.host_str() == Some(HUB)).then(|| url.path().trim_start_matches('/'))?;
            let base = mirror.as_str().trim_end_matches('/');
            Url::parse(&format!("{base}/{path}")).ok().filter(super::http::is_allowed)
        };
        for file in self.models.iter_mut().flat_map(|entry| &mut entry.files) {
            if let Place::Urls { urls } = &mut file.place {
                let mirrors: Vec<Url> = urls.iter().filter_map(mirrored).collect();
                urls.splice(..0, mirrors);
            }
        }
        self
    }

    fn check(&self) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for entry in &self.models {
            let problem = |what: &str| Err(format!("{}: {what}", entry.id));
            let is_name = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            if entry.id.is_empty() || !is_name(&entry.id) || entry.id.starts_with('.') || entry.id == RUNTIME {
                return problem("the ID is not a name of a folder");
            }
            if !ids.insert(&entry.id) {
                return problem("the ID is there twice");
            }
            if entry.services.is_empty()
                || entry.memory == 0
                || entry.description.is_empty()
                || entry.license.is_empty()
            {
                return problem("a field is empty");
            }
            if let Some(code) = entry.languages.iter().find(|code| !is_language(code)) {
                return problem(&format!("{code} is not a code of ISO 639-1"));
            }
            let roles: Vec<&str> = entry.files.iter().map(|file| file.role.as_str()).collect();
            if let Some(missing) = roles_of(entry.engine).iter().find(|role| !roles.contains(role)) {
                return problem(&format!("the engine needs a file `{missing}`"));
            }
            self.check_files(&entry.files).or_else(|what| problem(&what))?;
        }
        for runtime in &self.runtimes {
            self.check_files(&runtime.files).map_err(|what| format!("{} {}: {what}", runtime.os, runtime.arch))?;
        }
        Ok(())
    }

    fn check_files(&self, files: &[FileSpec]) -> Result<(), String> {
        let (mut roles, mut names) = (BTreeSet::new(), BTreeSet::new());
        for file in files {
            let is_plain =
                !file.name.is_empty() && !file.name.starts_with('.') && !file.name.contains(['/', '\\', ':']);
            if !is_plain || file.name == super::record::FILE || file.name.ends_with(super::files::PART) {
                return Err(format!("{} is not a plain name of a file", file.name));
            }
            if !roles.insert(&file.role) || !names.insert(&file.name) {
                return Err(format!("two files are called {} or are the {}", file.name, file.role));
            }
            check_hash(file.sha256.as_deref())?;
            let source = self.source(file).ok_or_else(|| format!("{} is in no archive of the catalog", file.name))?;
            check_hash(source.sha256.as_deref())?;
            if source.urls.is_empty() || source.urls.iter().any(|url| !super::http::is_allowed(url)) {
                return Err(format!("{} has no address, or one that is not encrypted", file.name));
            }
        }
        Ok(())
    }

    /// What is downloaded for a file: the file itself, or its archive. `None` when the archive is not in the catalog.
    pub(crate) fn source(&self, file: &FileSpec) -> Option<Source> {
        match &file.place {
            Place::Archive { archive, .. } => self.archives.get(archive).cloned(),
            Place::Urls { urls } => Some(Source { urls: urls.clone(), size: file.size, sha256: file.sha256.clone() }),
        }
    }

    /// The model with this ID.
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.models.iter().find(|entry| entry.id == id)
    }

    /// ONNX Runtime for this computer.
    pub fn runtime(&self) -> Option<&Runtime> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        self.runtimes.iter().find(|runtime| runtime.os == os && runtime.arch == arch)
    }

    /// The bytes to download for these files; an archive counts once. 0 when a size is not known.
    pub(crate) fn download_size(&self, files: &[FileSpec]) -> u64 {
        let mut seen = BTreeSet::new();
        let sources = files.iter().filter_map(|file| self.source(file));
        let sources = sources.filter(|source| seen.insert(source.urls.clone()));
        sources.map(|source| source.size).sum::<Option<u64>>().unwrap_or(0)
    }
}

/// The name of ONNX Runtime in the store.
pub const RUNTIME: &str = "onnxruntime";

/// The files that an engine cannot do without, by their role.
pub fn roles_of(engine: Engine) -> &'static [&'static str] {
    match engine {
        Engine::Moonshine | Engine::Whisper => &["encoder", "decoder", "tokenizer"],
        Engine::Parakeet => &["encoder", "decoder", "vocabulary"],
        Engine::Piper => &["model", "config"],
        Engine::Hibari => {
            &["hibari.onnx", "vocab.json", "normalize.json", "tagger.json.gz", "tokenizer_exceptions.json"]
        }
        Engine::Kokoro => &["model", "voices"],
        Engine::Llama => &["model"],
    }
}

/// Whether an engine needs ONNX Runtime.
pub fn needs_runtime(engine: Engine) -> bool {
    !matches!(engine, Engine::Llama)
}

fn check_hash(hash: Option<&str>) -> Result<(), String> {
    let is_hash = |hash: &str| hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match hash {
        Some(hash) if !is_hash(hash) => Err(format!("{hash} is not a SHA-256 in lower case")),
        _ => Ok(()),
    }
}

/// Whether this is a code of ISO 639-1 (or `yue`, which Whisper lists beside them, has no such code and is left out).
fn is_language(code: &str) -> bool {
    const CODES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el \
                         en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu \
                         ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na \
                         nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so \
                         sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";
    code.len() == 2 && CODES.split_whitespace().any(|known| known == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The catalog as JSON after a change.
    fn changed(change: impl Fn(&mut serde_json::Value)) -> Result<Catalog, CatalogError> {
        let mut json = serde_json::from_str(OWN).unwrap();
        change(&mut json);
        Catalog::parse(&json.to_string())
    }

    #[test]
    fn the_catalog_is_valid_and_has_what_a_user_needs() {
        let catalog = Catalog::parse(OWN).unwrap();
        let of =
            |service| catalog.models.iter().filter(move |entry| entry.services.contains(&service) && !entry.hidden);
        let voices: BTreeSet<&str> = of(Service::Tts).flat_map(|entry| &entry.languages).map(String::as_str).collect();
        assert!(voices.len() >= 10, "voices for ten languages: {voices:?}");
        for id in [
            "moonshine-tiny-en",
            "moonshine-base-en",
            "whisper-base",
            "whisper-small",
            "whisper-large-v3-turbo",
            "parakeet-v3",
        ] {
            assert!(catalog.entry(id).is_some(), "{id}");
        }
        let sizes: BTreeSet<u64> =
            of(Service::Llm).map(|entry| catalog.download_size(&entry.files) / 1_000_000_000).collect();
        assert!(sizes.len() >= 3, "language models in three sizes: {sizes:?}");
        assert!(
            of(Service::Vlm).any(|entry| catalog.download_size(&entry.files) < 1_000_000_000),
            "a small vision model"
        );
        let platforms: Vec<(&str, &str)> =
            catalog.runtimes.iter().map(|runtime| (runtime.os.as_str(), runtime.arch.as_str())).collect();
        for platform in [("linux", "x86_64"), ("linux", "aarch64"), ("windows", "x86_64"), ("macos", "aarch64")] {
            assert!(platforms.contains(&platform), "{platform:?}");
        }
        for runtime in &catalog.runtimes {
            assert!(runtime.files.iter().any(|file| file.role == "library" && file.sha256.is_some()), "{}", runtime.os);
        }
    }

    #[test]
    fn a_mirror_comes_before_the_hub() {
        let mirrored = Catalog::own().clone().with_mirror(&"https://mirror.example/hub/".parse().unwrap());
        let file = &mirrored.entry("whisper-base").unwrap().files[2];
        let Place::Urls { urls } = &file.place else { panic!("it has addresses") };
        let path = "onnx-community/whisper-base/resolve/1846881b6b3a3024392c1eea3ad983695bc23925/tokenizer.json";
        let urls: Vec<&str> = urls.iter().map(Url::as_str).collect();
        assert_eq!(urls, [&format!("https://mirror.example/hub/{path}"), &format!("https://huggingface.co/{path}")]);
        // One that is not encrypted is left out.
        let plain = Catalog::own().clone().with_mirror(&"http://mirror.example/".parse().unwrap());
        let Place::Urls { urls } = &plain.entry("whisper-base").unwrap().files[2].place else { panic!("addresses") };
        assert_eq!(urls.len(), 1);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert!(changed(|_| {}).is_ok());
        let model = |json: &serde_json::Value, id: &str| {
            json["models"].as_array().unwrap().iter().position(|model| model["id"] == id).unwrap()
        };
        type Change = fn(&mut serde_json::Value);
        let changes: [(&str, Change); 8] = [
            ("twice", |model| model["id"] = "moonshine-base-en".into()),
            ("folder", |model| model["id"] = "../up".into()),
            ("ISO 639-1", |model| model["languages"] = serde_json::json!(["english"])),
            ("`decoder`", |model| model["files"][1]["role"] = "head".into()),
            ("not encrypted", |model| model["files"][0]["urls"] = serde_json::json!(["http://example.com/a"])),
            ("SHA-256", |model| model["files"][0]["sha256"] = "12".into()),
            ("plain name", |model| model["files"][0]["name"] = "../a".into()),
            ("two files", |model| model["files"][0]["name"] = model["files"][1]["name"].clone()),
        ];
        for (word, change) in changes {
            let error = changed(|json| {
                let place = model(json, "parakeet-v3");
                change(&mut json["models"][place]);
            });
            let error = error.unwrap_err().to_string();
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}
