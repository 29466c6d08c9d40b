//! ONNX Runtime: the shared library, and a session for one model file.

use std::path::Path;

use aura_local::protocol::{Load, LoadFailedKind};
use ort::environment::Environment;
use ort::session::Session;

use crate::model::LoadFailed;

/// The most threads that help: these models are small.
const MAX_THREADS: usize = 8;

/// ONNX Runtime, loaded.
pub(crate) struct Onnx {
    environment: Environment,
    threads: usize,
    has_exact_products: bool,
}

impl Onnx {
    /// Loads the library that `load` names.
    ///
    /// # Errors
    /// The library is missing, or this computer cannot run it.
    pub(crate) fn open(load: &Load) -> Result<Self, LoadFailed> {
        let unsupported = |message: String| LoadFailed::new(LoadFailedKind::Unsupported, message);
        let library = load
            .onnx_runtime
            .as_deref()
            .ok_or_else(|| unsupported("This model needs ONNX Runtime. Download it under Models.".into()))?;
        // The library's own builds use these instructions without a check.
        #[cfg(target_arch = "x86_64")]
        if !std::arch::is_x86_feature_detected!("avx2") {
            return Err(unsupported("This model needs a processor with AVX2.".into()));
        }
        let environment = ort::init_from(library)
            .map_err(|error| unsupported(format!("ONNX Runtime cannot be loaded: {error}")))?
            .with_name("aura")
            .with_telemetry(false)
            .build()
            .map_err(|error| unsupported(format!("ONNX Runtime cannot be started: {error}")))?;
        Ok(Self { environment, threads: threads(load), has_exact_products: false })
    }

    /// Computes products of 8-bit numbers exactly. Without it they overflow on processors that lack the newer instructions (VNNI). A network
    /// that uses the same 8-bit weights twice cannot be loaded with it.
    pub(crate) fn with_exact_products(mut self) -> Self {
        self.has_exact_products = true;
        self
    }

    /// Loads a model file, `.onnx` or `.ort`.
    ///
    /// # Errors
    /// The file is missing or damaged, or the memory does not suffice.
    pub(crate) fn session(&self, file: &Path) -> Result<Session, LoadFailed> {
        let build = || -> ort::Result<Session> {
            Session::builder(&self.environment)?
                .with_intra_threads(self.threads)?
                .with_inter_threads(1)?
                // Threads that wait by spinning start the next part of a run a tenth sooner, and stop a moment after it.
                .with_intra_op_spinning(true)?
                .with_config_entry("session.x64quantprecision", if self.has_exact_products { "1" } else { "0" })?
                .commit_from_file(file)
        };
        build().map_err(|error| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let message =
                format!("The model file {name} cannot be loaded. Delete the model and download it again. ({error})");
            LoadFailed::new(LoadFailedKind::BadFile, message)
        })
    }
}

/// The number of threads to compute with.
pub(crate) fn threads(load: &Load) -> usize {
    if load.threads > 0 {
        return load.threads;
    }
    std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)
}
