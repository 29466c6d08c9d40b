//! Where updates come from, and the kind of package that AURA was installed by.

use std::path::Path;

use aura_local::download::Downloader;
use minisign_verify::PublicKey;
use url::Url;

/// The address of `latest.json`, and the key that signs it.
#[derive(Clone)]
pub(super) struct UpdateSource {
    pub(super) url: Url,
    pub(super) key: PublicKey,
}

impl UpdateSource {
    /// The source of the variables `AURA_UPDATE_URL` and `AURA_UPDATE_KEY` (a public key of minisign) together, for a company's own
    /// packages and for tests, else that of the build. `None`: this build has none, or it is not valid.
    pub(super) fn find() -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let chosen = variable("AURA_UPDATE_URL").zip(variable("AURA_UPDATE_KEY"));
        // A workflow sets a variable that it does not have to nothing.
        let built = |value: Option<&'static str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
        let built = || built(option_env!("AURA_UPDATE_URL")).zip(built(option_env!("AURA_UPDATE_KEY")));
        let (url, key) = chosen.or_else(built)?;
        let url = Url::parse(&url).ok().filter(Downloader::is_allowed);
        let source = url.zip(PublicKey::from_base64(&key).ok()).map(|(url, key)| Self { url, key });
        if source.is_none() {
            tracing::warn!("AURA_UPDATE_URL or AURA_UPDATE_KEY is not valid; AURA does not look for updates");
        }
        source
    }

    /// The address of the signature.
    pub(super) fn signature(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}.minisig", self.url.path()));
        url
    }

    /// The server, for users.
    pub(super) fn server(&self) -> String {
        self.url.host_str().unwrap_or_default().to_owned()
    }
}

/// The kind of package that installed AURA: `deb`, `rpm`, `nsis` or `dmg`. `None`: it was built by hand.
pub(super) fn package_kind() -> Option<String> {
    if let Some(kind) = aura_local::package::kind() {
        return Some(kind);
    }
    let program = std::env::current_exe().ok()?;
    let is_app = |folder: &Path| folder.extension().is_some_and(|ending| ending == "app");
    if cfg!(target_os = "macos") && program.ancestors().any(is_app) {
        return Some("dmg".into());
    }
    let has_uninstaller = program.parent().is_some_and(|folder| folder.join("uninstall.exe").is_file());
    (cfg!(windows) && has_uninstaller).then(|| "nsis".into())
}

/// The command that installs a package in a terminal.
pub(super) fn command(kind: &str, file: &Path) -> Option<String> {
    let file = file.display();
    match kind {
        "deb" => Some(format!("sudo apt install {file}")),
        "rpm" if which::which("dnf").is_ok() => Some(format!("sudo dnf install {file}")),
        "rpm" if which::which("zypper").is_ok() => Some(format!("sudo zypper install {file}")),
        "rpm" => Some(format!("sudo rpm --upgrade {file}")),
        _ => None,
    }
}
