//! The tool that opens an application, a file or an address.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::tools::{Call, Tool, ToolResult};
use super::super::turn::Turn;
use crate::action::{Action, Effect};
use crate::desktop::OpenTarget;
use crate::error::{Error, ErrorCode, Result};

/// Endings of files that the system may run rather than show.
const RUNNABLE: &[&str] = &[
    "app", "appimage", "bat", "cmd", "com", "command", "cpl", "desktop", "exe", "hta", "jar", "js", "jse", "lnk",
    "msi", "ps1", "py", "reg", "run", "scf", "scr", "sh", "url", "vbe", "vbs", "webloc", "wsf",
];

/// Opens an application, a file or an address.
pub(super) struct Open;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
struct Arguments {
    what: What,
    target: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Application,
    File,
    Address,
}

#[async_trait]
impl Tool for Open {
    fn name(&self) -> &str {
        "open"
    }

    fn description(&self) -> String {
        "Opens an application by its name, a file or folder by its path, or a web page or mail address. It starts no program with \
         arguments and runs no command."
            .into()
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": {
                "what": {"type": "string", "enum": ["application", "file", "address"]},
                "target": {"type": "string", "description": "the name, the path (~ is the home folder), or the address"},
            },
            "required": ["what", "target"],
        })
    }

    fn effect(&self) -> Effect {
        Effect::Changes
    }

    async fn plan(&self, turn: &Turn, arguments: &Map<String, Value>) -> Result<Option<Action>> {
        let Arguments { what, target } = super::arguments(arguments)?;
        let target = match what {
            What::Application => turn.context.ports.desktop.find_application(target.trim()).await?,
            What::File => file(target.trim()).await?,
            What::Address => OpenTarget::Address { url: address(target.trim())? },
        };
        Ok(Some(Action::Open { target }))
    }

    async fn run(&self, turn: &Turn, call: Call) -> Result<ToolResult> {
        turn.perform(call).await
    }
}

/// A file that exists and that the system shows rather than runs, by its whole path.
async fn file(path: &str) -> Result<OpenTarget> {
    let path = expanded(path).ok_or_else(|| {
        Error::invalid(format!("`{path}` is not a whole path. Name the file from / or from ~ on. Nothing was done."))
    })?;
    // Links are followed, so that what is shown is what is opened.
    let path = tokio::fs::canonicalize(&path)
        .await
        .map_err(|_| Error::new(ErrorCode::NotFound, format!("There is no file {}.", path.display())))?;
    let metadata = tokio::fs::metadata(&path).await.map_err(|cause| {
        Error::new(ErrorCode::Storage, format!("{} cannot be read.", path.display())).because(cause)
    })?;
    if is_runnable(&path, &metadata) {
        let message =
            "This file is a program. AURA opens applications by their name, and files that are shown, not run.";
        return Err(Error::new(ErrorCode::Desktop, message));
    }
    let path = path.to_str().ok_or_else(|| Error::invalid("The path is not valid text. Nothing was done."))?;
    Ok(OpenTarget::File { path: path.to_owned() })
}

fn expanded(path: &str) -> Option<PathBuf> {
    let home = || std::env::home_dir();
    let path = match path.strip_prefix('~') {
        Some("") => home()?,
        Some(rest) => home()?.join(rest.strip_prefix(['/', '\\'])?),
        None => PathBuf::from(path),
    };
    path.is_absolute().then_some(path)
}

fn is_runnable(path: &Path, metadata: &std::fs::Metadata) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if RUNNABLE.contains(&extension.as_str()) {
        return true;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A file system of another operating system marks every file, so only one without an ending counts.
        metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 && extension.is_empty()
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// A web or mail address. One without a scheme is a web page.
fn address(text: &str) -> Result<String> {
    let wrong = || {
        Error::invalid(
            "This is not an address that can be opened. Use http, https or mailto. Nothing was done.".to_owned(),
        )
    };
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(wrong());
    }
    let is_mail = |url: &url::Url| url.scheme() == "mailto" && !url.path().is_empty();
    let is_page = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let parsed = match url::Url::parse(text) {
        // `example.org:8080` has the form of a scheme and a path.
        Ok(url) if is_page(&url) || is_mail(&url) => url,
        _ => url::Url::parse(&format!("https://{text}")).ok().filter(is_host).ok_or_else(wrong)?,
    };
    // A password in an address is shown nowhere.
    if !parsed.username().is_empty() && parsed.scheme() != "mailto" || parsed.password().is_some() {
        return Err(wrong());
    }
    Ok(parsed.into())
}

/// Whether the address has the name of a host with a dot, or of this computer, rather than another scheme.
fn is_host(url: &url::Url) -> bool {
    url.host_str().is_some_and(|host| host == "localhost" || host.contains('.') || host.starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_and_mail_addresses_are_opened() {
        for (text, url) in [
            ("example.org", "https://example.org/"),
            ("https://example.org/a?b=c", "https://example.org/a?b=c"),
            ("localhost:8080", "https://localhost:8080/"),
            ("mailto:someone@example.org", "mailto:someone@example.org"),
            ("HTTP://EXAMPLE.ORG", "http://example.org/"),
        ] {
            assert_eq!(address(text).unwrap(), url, "{text}");
        }
        for text in [
            "",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,hello",
            "ssh://example.org",
            "steam:run",
            "two words",
            "https://name:secret@example.org",
            "mailto:",
            "calculator",
        ] {
            assert!(address(text).is_err(), "{text}: {:?}", address(text));
        }
    }

    #[tokio::test]
    async fn a_file_is_opened_by_its_whole_path_unless_it_is_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let note = folder.join("note.txt");
        std::fs::write(&note, "hello").unwrap();
        for (path, kind) in [(folder.clone(), "a folder"), (note.clone(), "a file")] {
            assert_eq!(
                file(path.to_str().unwrap()).await.unwrap(),
                OpenTarget::File { path: path.display().to_string() },
                "{kind}"
            );
        }
        for name in ["start.desktop", "setup.EXE", "script.sh"] {
            std::fs::write(folder.join(name), "").unwrap();
            let error = file(folder.join(name).to_str().unwrap()).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::Desktop, "{name}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let program = folder.join("program");
            std::fs::write(&program, "").unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            std::os::unix::fs::symlink(&program, folder.join("harmless.txt")).unwrap();
            for path in [&program, &folder.join("harmless.txt")] {
                assert_eq!(file(path.to_str().unwrap()).await.unwrap_err().code, ErrorCode::Desktop);
            }
        }
        assert_eq!(file("note.txt").await.unwrap_err().code, ErrorCode::InvalidRequest);
        assert_eq!(file("~other/note.txt").await.unwrap_err().code, ErrorCode::InvalidRequest);
        assert_eq!(file(folder.join("gone").to_str().unwrap()).await.unwrap_err().code, ErrorCode::NotFound);
    }
}
