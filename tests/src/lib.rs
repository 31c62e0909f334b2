//! The backends of this workspace as the conformance suite sees them.
//!
//! Backends are opened through the facade, by URL, as programs do it. To prove a backend of your own,
//! write a [`Harness`] like [`Memory`] or [`Local`] for it.

mod ec2;
mod file;
mod folder;
mod layered;
mod local;
mod memory;
mod s3;

use std::sync::Arc;

use polycloud::Result;
use polycloud_conformance::Harness;

pub use self::ec2::Ec2;
pub use self::file::File;
pub use self::layered::Layered;
pub use self::local::Local;
pub use self::memory::Memory;
pub use self::s3::S3;

/// One harness for each backend, and for each way to set it up that changes how it works.
///
/// # Errors
/// Those of opening a backend in a temporary directory.
pub async fn harnesses() -> Result<Vec<Arc<dyn Harness>>> {
    Ok(vec![
        Arc::new(Memory::new()),
        Arc::new(File::durable().await?),
        Arc::new(File::fast().await?),
        Arc::new(Layered::new(Memory::new())),
        Arc::new(S3::new().await?),
        Arc::new(Local::new().await?),
        Arc::new(Ec2::new().await?),
    ])
}
