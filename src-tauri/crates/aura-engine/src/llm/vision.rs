//! Images: llama.cpp turns them into tokens with the model's projector.

use std::path::Path;

use aura_local::protocol::{FailedKind, LoadFailedKind};
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::mtmd::{MtmdBitmap, MtmdContext, MtmdContextParams, MtmdInputChunks, MtmdInputText};

use super::log;
use crate::model::{Failed, LoadFailed};

/// Stands for an image in the text of a conversation.
pub(super) const MARKER: &str = "<__media__>";

/// The most tokens of one image, where the model lets one choose: more show more detail, but take minutes on a processor.
const MAX_TOKENS: i32 = 1_024;

/// The projector of a model.
pub(super) struct Vision(MtmdContext);

impl Vision {
    /// # Errors
    /// When the file is damaged, or belongs to another model.
    pub(super) fn load(file: &Path, model: &LlamaModel, threads: i32) -> Result<Self, LoadFailed> {
        let bad = |message: &str| LoadFailed::new(LoadFailedKind::BadFile, message);
        let path = file.to_str().ok_or_else(|| bad("The path of the image projector is not valid Unicode."))?;
        let params = MtmdContextParams {
            use_gpu: false,
            print_timings: false,
            n_threads: threads,
            image_max_tokens: MAX_TOKENS,
            ..MtmdContextParams::default()
        };
        log::take_errors();
        let context = MtmdContext::init_from_file(path, model, &params).map_err(|_| {
            let reason = log::take_errors().into_iter().next().unwrap_or_default();
            bad(format!("The image projector cannot be loaded. Download the model again. {reason}").trim_end())
        })?;
        if !context.support_vision() {
            return Err(bad("The image projector does not take images."));
        }
        Ok(Self(context))
    }

    /// The parts of a prompt whose markers stand for `images`.
    ///
    /// # Errors
    /// When an image cannot be read.
    pub(super) fn parts(&self, prompt: String, images: &[Vec<u8>]) -> Result<MtmdInputChunks, Failed> {
        let unreadable = || Failed::new(FailedKind::Invalid, "The image cannot be read. PNG and JPEG are supported.");
        let mut bitmaps = Vec::with_capacity(images.len());
        for image in images {
            let bitmap = MtmdBitmap::from_buffer(&self.0, image, false).map_err(|_| unreadable())?;
            if bitmap.is_audio() {
                return Err(unreadable());
            }
            bitmaps.push(bitmap);
        }
        let text = MtmdInputText { text: prompt, add_special: true, parse_special: true };
        self.0.tokenize(text, &bitmaps.iter().collect::<Vec<_>>()).map_err(|_| unreadable())
    }

    /// Computes `parts` from the start of an empty cache. Returns the position after them.
    ///
    /// # Errors
    /// When llama.cpp fails.
    pub(super) fn compute(
        &mut self,
        parts: &MtmdInputChunks,
        context: &mut LlamaContext<'_>,
        batch: i32,
    ) -> Result<i32, Failed> {
        let failed = |_| Failed::new(FailedKind::Engine, "The model failed while it looked at the image.");
        parts.eval_chunks(&mut self.0, context, 0, 0, batch, true).map_err(failed)
    }
}
