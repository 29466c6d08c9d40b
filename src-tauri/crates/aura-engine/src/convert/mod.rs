//! Turns a Whisper model of CTranslate2 into the ONNX files that the engine runs: package registries carry weights in that form only.

mod ct2;
mod graphs;
mod proto;

use std::fs;
use std::io;
use std::path::Path;

/// The weights that share a scale in the 8-bit matrices.
const BLOCK: usize = 64;

/// Reads `model.bin` and `tokenizer.json` in `from`, and writes `encoder_model.onnx`, `decoder_model_merged.onnx` and `tokenizer.json`
/// to `to`. A `model.bin` in parts (`model.bin.part1`, `model.bin.part2` …) is put together.
///
/// # Errors
/// When a file is missing or damaged, or `to` cannot be written.
pub(crate) fn whisper(from: &Path, to: &Path) -> io::Result<()> {
    let model = ct2::Model::read(model_bin(from)?)?;
    let tokenizer = fs::read(from.join("tokenizer.json")).map_err(|error| named("tokenizer.json", &error))?;
    fs::create_dir_all(to)?;
    fs::write(to.join("encoder_model.onnx"), graphs::encoder(&model, BLOCK)?)?;
    fs::write(to.join("decoder_model_merged.onnx"), graphs::decoder(&model, BLOCK)?)?;
    fs::write(to.join("tokenizer.json"), tokenizer)
}

fn model_bin(from: &Path) -> io::Result<Vec<u8>> {
    let whole = from.join("model.bin");
    if whole.exists() {
        return fs::read(whole);
    }
    let mut bytes = Vec::new();
    let parts = (1..).map(|part| from.join(format!("model.bin.part{part}")));
    for part in parts.take_while(|part| part.exists()) {
        bytes.extend(fs::read(part)?);
    }
    if bytes.is_empty() {
        return Err(named("model.bin", &io::Error::from(io::ErrorKind::NotFound)));
    }
    Ok(bytes)
}

fn named(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name} cannot be read: {error}"))
}
