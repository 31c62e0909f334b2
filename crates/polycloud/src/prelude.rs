//! What nearly every program needs: `use polycloud::prelude::*;`.
//!
//! The traits with their conveniences, and the values of their most common calls.

pub use polycloud_core::compute::{
    Compute, ComputeExt, CreateOptions, InstanceName, InstanceSpec, InstanceState,
    TerminateOptions, WaitOptions,
};
pub use polycloud_core::object::{
    Buckets, GetOptions, Key, ListOptions, ObjectStore, ObjectStoreExt, Payload, Precondition,
    PutOptions, Upload,
};
