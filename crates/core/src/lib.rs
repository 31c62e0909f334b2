//! The core of polycloud: the traits that applications are written against and backends implement,
//! with their value types, errors, layers and waiters.
//!
//! - [`object`]: [`ObjectStore`](object::ObjectStore) and what belongs to it.
//! - [`compute`]: [`Compute`](compute::Compute) and what belongs to it.
//! - [`error`]: the one [`Error`].
//! - [`capability`]: what a backend can do, as data.
//! - [`layer`]: timeout, concurrency limit, prefix, tracing, metrics and chaos around either trait.
//! - [`transfer`]: files and streams in and out, in parallel and in bounded memory.
//! - [`clock`], [`retry`], [`page`], [`checksum`]: what all of these share.
//!
//! The core names no provider, speaks no HTTP, reads no environment and no wall clock.

pub mod capability;
pub mod checksum;
pub mod clock;
pub mod compute;
pub mod error;
pub mod layer;
pub mod object;
pub mod page;
pub mod retry;
pub mod transfer;

#[cfg(test)]
mod testing;

pub use crate::error::{
    BlastRadius, Error, ErrorKind, Outcome, ResourceRef, Result, ResultExt, Retry,
};
