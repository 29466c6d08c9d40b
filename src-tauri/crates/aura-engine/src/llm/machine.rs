//! What this computer offers: instructions and memory.

use aura_local::memory::parse_available;
use aura_local::protocol::{Load, LoadFailedKind};
use llama_cpp_2::list_llama_ggml_backend_devices;

use crate::model::LoadFailed;

/// Checks for the instructions that llama.cpp is compiled for (`.cargo/config.toml`), before any of them is run.
///
/// # Errors
/// When the processor lacks one.
pub(super) fn check_processor() -> Result<(), LoadFailed> {
    #[cfg(target_arch = "x86_64")]
    {
        let all = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("f16c")
            && std::arch::is_x86_feature_detected!("bmi2");
        if !all {
            return Err(LoadFailed::new(
                LoadFailedKind::Unsupported,
                "Language models need a processor with AVX2, FMA, F16C and BMI2, as most since 2013 have.",
            ));
        }
    }
    Ok(())
}

/// The number of threads to compute with, unless the caller says so: one for each processor that other programs leave. The threads wait
/// for each other by spinning, so that one without a processor holds up all of them: two threads on two busy processors are ten times
/// slower than one.
pub(super) fn threads(load: &Load) -> usize {
    let all = crate::onnx::threads(load);
    if load.threads > 0 {
        return all;
    }
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let busy = text.split(' ').next().and_then(|number| number.parse::<f32>().ok()).unwrap_or(0.0);
    all.saturating_sub(busy.round() as usize).max(1)
}

/// The memory that programs can still take, in bytes; `None` where it cannot be told.
pub(super) fn free_memory() -> Option<u64> {
    if let Ok(text) = std::fs::read_to_string("/proc/meminfo") {
        return parse_available(&text);
    }
    list_llama_ggml_backend_devices().iter().map(|device| device.memory_free as u64).max().filter(|free| *free > 0)
}
