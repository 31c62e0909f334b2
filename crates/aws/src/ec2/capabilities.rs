//! What EC2 can do.

use polycloud_core::capability::{Capabilities, Feature, Limits, Support};

/// Bytes of user data before base64
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html>).
pub(super) const USER_DATA: u64 = 16 * 1024;

/// Tags that a resource may have
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>).
const TAGS: u32 = 50;

const fn limits() -> Limits {
    let mut limits = Limits::NONE;
    limits.list_page = 1_000;
    limits.user_data_bytes = Some(USER_DATA);
    limits.labels = Some(TAGS - super::tags::OWN);
    limits
}

/// Amazon EC2, where instances can hibernate or not.
pub(super) fn of(hibernates: bool) -> Capabilities {
    if hibernates { EC2.with(Support::Native, &[Feature::StopSuspend]) } else { EC2 }
}

/// Amazon EC2.
const EC2: Capabilities = Capabilities::NONE
    .with(
        Support::Native,
        &[
            Feature::IdempotentCreate,
            Feature::CreateMany,
            Feature::UserData,
            Feature::Labels,
            Feature::SshKeys,
            Feature::PublicIp,
            Feature::BootDisk,
            Feature::Zones,
            Feature::Spot,
            Feature::InstanceIdentity,
            Feature::StopDeallocate,
            Feature::StopForce,
            Feature::RestartGraceful,
            Feature::KeyPairs,
            Feature::Volumes,
            Feature::Networks,
            Feature::Firewalls,
            Feature::Images,
            Feature::Console,
            Feature::Quotas,
            Feature::Resize,
        ],
    )
    .with(
        Support::Emulated,
        &[Feature::Ingress, Feature::HardwareNeeds, Feature::ImageAlias, Feature::Sweep],
    )
    .with_limits(limits());
