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
//! EC2 is a control plane that takes its time: what was launched is `pending` for a while, seen by others
//! only later, and may find no room. All of that follows [the clock](EmulatorClock), also one that is moved
//! by hand, and [the controls](Ec2Controls):
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! use std::time::{Duration, SystemTime};
//!
//! use polycloud_emulator::{Emulator, EmulatorClock};
//!
//! let clock = EmulatorClock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
//! let emulator = Emulator::builder().clock(clock).start().await?;
//! emulator.ec2().capacity("us-east-1a", "t3.micro", 0);
//! // Point a client at `emulator.ec2_url()` and launch an instance; then let it start.
//! emulator.clock().advance(Duration::from_secs(12));
//! assert!(emulator.ec2().resources().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! Instances are not machines. On demand their user data [runs as processes](Builder::run_user_data), so
//! that programs that launch workers can be tried out from end to end.
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
