//! The sound of other programs.

use async_trait::async_trait;

/// Other programs are quieter as long as this lives.
pub type Lowered = Box<dyn Send>;

/// The sound that other programs play.
#[async_trait]
pub trait OtherSound: Send + Sync {
    /// Whether it can be lowered on this computer.
    async fn can_be_lowered(&self) -> bool;
    /// Lowers it until the returned value is dropped. Returns at once; what cannot be lowered stays as it is. AURA's own sound does, too, and
    /// whatever the person sets meanwhile.
    fn lower(&self) -> Lowered;
    /// Waits until everything is as loud as before, for the end of the program.
    async fn restored(&self);
}

/// A computer on which the sound of other programs cannot be lowered.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoOtherSound;

#[async_trait]
impl OtherSound for NoOtherSound {
    async fn can_be_lowered(&self) -> bool {
        false
    }

    fn lower(&self) -> Lowered {
        Box::new(())
    }

    async fn restored(&self) {}
}
