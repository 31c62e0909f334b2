//! The HTTP layer of polycloud's cloud backends.
//!
//! A backend describes its provider as a [`Service`] (how requests are authorised, what refusals mean)
//! and its operations as [`Call`]s. [`Wire`] sends them: it is the one place that retries, that watches
//! deadlines, that learns the server's clock and that limits itself when a provider asks for it. Nothing
//! here knows a provider.
//!
//! - [`client`]: the trait [`HttpClient`](client::HttpClient) and the built-in client.
//! - [`wire`](Wire): calls, retries, and bodies that go on where they were interrupted.
//! - [`xml`], [`json`], [`encode`], [`time`]: reading and writing what providers send, within limits.
//! - [`token`]: credentials that are fetched once for all who wait and renewed ahead of their end.
//! - [`redact`]: secrets that cannot be printed.

mod attempt;
pub mod client;
pub mod encode;
pub mod json;
pub mod limit;
mod patience;
mod range;
pub mod redact;
mod resume;
pub mod retry_after;
mod service;
mod telemetry;
pub mod time;
pub mod token;
mod wire;
pub mod xml;

pub use self::range::ContentRange;
pub use self::resume::{Download, SKIP_LIMIT};
pub use self::service::{Answer, Reason, Refusal, Service};
pub use self::wire::{Call, Class, Failure, Reply, Timeouts, Wire, WireBuilder};
