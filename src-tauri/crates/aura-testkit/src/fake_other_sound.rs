//! Other programs that can be lowered.

use std::sync::Arc;

use async_trait::async_trait;
use aura_core::ports::{Lowered, OtherSound};

/// The sound of other programs, of which a test sees whether it is lowered.
#[derive(Debug, Default)]
pub struct FakeOtherSound(Arc<()>);

impl FakeOtherSound {
    /// Whether something keeps it lowered.
    pub fn is_lowered(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

#[async_trait]
impl OtherSound for FakeOtherSound {
    async fn can_be_lowered(&self) -> bool {
        true
    }

    fn lower(&self) -> Lowered {
        Box::new(self.0.clone())
    }

    async fn restored(&self) {}
}
