//! Amazon Web Services as polycloud backends.
//!
//! [`S3Store`] is one bucket of Amazon S3, or of a service that speaks its protocol, opened by an
//! [`S3Config`]. The crate `polycloud` opens it by URL: `s3://bucket?region=eu-west-1`.
//!
#![cfg_attr(
    feature = "ec2",
    doc = "[`Ec2Compute`] is Amazon EC2 in one region, opened by an [`Ec2Config`], or as `ec2://eu-west-1`. It has
all facets of a `Compute` but prices: key pairs, volumes, networks, firewalls, images, console, quotas,
resizing, and sweeping up what a killed program left.

```no_run
use polycloud_aws::{Ec2Config, Session};
use polycloud_core::compute::{Compute, CreateOptions, InstanceName, InstanceSpec};

# async fn run() -> polycloud_core::Result<()> {
let compute = Ec2Config::new(\"eu-west-1\").open(&Session::new()).await?;
// A t3.micro with Debian in the default network, closed to the outside.
let spec = InstanceSpec::new(InstanceName::new(\"web-1\")?);
let instance = compute.create(&spec, &CreateOptions::default()).await?;
println!(\"{}\", instance.id);
# Ok(())
# }
```"
)]

#[cfg(feature = "admin")]
mod admin;
#[cfg(feature = "s3")]
mod config;
#[cfg(feature = "s3")]
mod credentials;
#[cfg(feature = "ec2")]
mod ec2;
#[cfg(feature = "s3")]
mod error;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "s3")]
mod service;
#[cfg(feature = "s3")]
mod session;
#[cfg(feature = "s3")]
mod sign;
#[cfg(feature = "s3")]
mod smithy;

#[cfg(feature = "s3")]
pub use polycloud_wire::redact::Secret;

#[cfg(feature = "admin")]
pub use self::admin::S3Buckets;
#[cfg(feature = "s3")]
pub use self::config::{Encryption, Preset, S3Config, UploadChecksum};
#[cfg(feature = "ec2")]
pub use self::ec2::{Ec2Compute, Ec2Config};
#[cfg(feature = "s3")]
pub use self::s3::{PostForm, PostPolicy, S3Store};
#[cfg(feature = "s3")]
pub use self::session::Session;

/// The provider's name in errors, spans and metrics.
#[cfg(feature = "s3")]
pub(crate) const PROVIDER: &str = "aws";
