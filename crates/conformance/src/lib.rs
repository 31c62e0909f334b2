//! The suite that defines what a polycloud backend has to do.
//!
//! A backend proves that it keeps the contracts of [`ObjectStore`](polycloud_core::object::ObjectStore)
//! and [`Compute`](polycloud_core::compute::Compute) by implementing [`Harness`] in its tests and
//! calling [`run`]:
//!
//! - Each [`Case`] is one behaviour, stated by its [`sentence`](Case::sentence).
//! - A case that needs a [`Feature`](polycloud_core::capability::Feature) which the backend declares
//!   as unsupported is replaced by a probe that the backend refuses it, before any I/O.
//! - [`Matrix`] prints cases × backends.
//! - [`model::check`] compares random sequences of operations with a plain model of a store.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use polycloud_conformance::{Harness, Selection, run};
//! # async fn test(harness: Arc<dyn Harness>) {
//! let report = run(harness, &Selection::default()).await;
//! assert!(report.is_success(), "{report}");
//! # }
//! ```

mod case;
mod compute;
mod expect;
mod harness;
mod listing;
pub mod model;
mod negative;
mod object;
mod report;

pub use self::case::{Case, CaseResult, Context, Failure, Subject};
pub use self::harness::{Harness, StoreSetup};
pub use self::report::{Matrix, Outcome, Report, Row, Selection, run};

/// Every case: those of object stores, of buckets, and of computes.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    object::AREAS.iter().chain(compute::AREAS).copied().flatten()
}
