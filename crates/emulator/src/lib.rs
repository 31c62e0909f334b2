//! Clouds in a process: S3, EC2, STS and the metadata service of instances, with real state, verified
//! signatures and faults on purpose.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! use polycloud_emulator::{Emulator, Fault, Rule};
//!
//! let emulator = Emulator::start().await?;
//! emulator.create_bucket("photos")?;
//! // Point a client here, and sign with these.
//! let (endpoint, credentials) = (emulator.s3_url(), emulator.credentials());
//! # let _ = (endpoint, credentials);
//!
//! // The third upload is carried out, but its answer is lost.
//! emulator.faults().push(Rule::new(Fault::ResetAfterEffect).operation("PutObject").nth(3));
//!
//! assert_eq!(emulator.journal().count("PutObject"), 0);
//! # Ok(())
//! # }
//! ```
//!
//! Requests are answered as AWS documents it, with its error codes and limits. What a request may not do
//! for a wrong signature, a stale date or a body other than the signed one, it does not do here either.

mod auth;
mod builder;
mod clock;
mod clockwork;
mod credentials;
mod date;
mod ec2;
mod emulator;
mod faults;
mod http;
mod imds;
mod journal;
mod persist;
mod s3;
mod server;
mod sts;

pub use self::builder::Builder;
pub use self::clock::EmulatorClock;
pub use self::credentials::Credentials;
pub use self::ec2::{Ec2Controls, Ec2Instance, Ec2Resource, Ec2Timings};
pub use self::emulator::{Emulator, Limits};
pub use self::faults::{Fault, FaultRates, Faults, Fired, Rule, StallAt};
pub use self::journal::{Journal, RecordedRequest, Service};
