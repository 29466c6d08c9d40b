//! The ports of a server without devices.

use std::sync::Arc;

use async_trait::async_trait;
use aura_core::error::{Error, ErrorCode, Result};
use aura_core::ports::{CaptureTarget, Device, Microphone, Output, Recording, Screen, Screenshot, Speaker};

/// In the place of microphone, speaker and screen: every use is an error that says where they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoDevices;

impl NoDevices {
    fn error<T>(code: ErrorCode, device: &str) -> Result<T> {
        let message = format!("This server has no {device}. Use the desktop app, or send the data with the request.");
        Err(Error::new(code, message))
    }
}

#[async_trait]
impl Microphone for NoDevices {
    async fn record(&self, _: &[String]) -> Result<Recording> {
        Self::error(ErrorCode::NoMicrophone, "microphone")
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Speaker for NoDevices {
    async fn open(&self, _: Option<&str>) -> Result<Arc<dyn Output>> {
        Self::error(ErrorCode::NoSpeaker, "speaker")
    }

    async fn devices(&self) -> Result<Vec<Device>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Screen for NoDevices {
    async fn capture(&self, _: &CaptureTarget) -> Result<Screenshot> {
        Self::error(ErrorCode::CaptureRefused, "screen")
    }

    async fn targets(&self) -> Result<Vec<CaptureTarget>> {
        Ok(Vec::new())
    }
}
