use super::provider::Compute;

/// Conveniences for every [`Compute`].
pub trait ComputeExt: Compute {}

impl<T: Compute + ?Sized> ComputeExt for T {}
