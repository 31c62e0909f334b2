//! Virtual machines: [`Compute`], its facets and its value types.

mod ext;
mod facets;
mod id;
mod instance;
mod intent;
mod key;
mod labels;
mod options;
mod provider;
mod spec;
mod state;
mod types;
mod undo;
mod wait;

pub use self::ext::ComputeExt;
pub use self::facets::{
    Console, ConsoleOutput, FirewallInfo, Firewalls, ImageBuild, Images, KeyPair, KeyPairs,
    Network, Networks, NewVolume, Price, Prices, Quota, Quotas, Resize, Snapshot, Subnet, Sweep,
    SweepOptions, SweepReport, Volume, VolumeState, Volumes,
};
pub use self::id::{InstanceId, InstanceName};
pub use self::instance::{Instance, InstancePage};
pub use self::intent::{Intent, IntentId, IntentJournal};
pub use self::key::PrivateKey;
pub use self::labels::{LabelPatch, Labels, Owner};
pub use self::options::{
    Count, CreateOptions, CreateReport, IdempotencyToken, InstanceFilter, RestartMode, StopMode,
    TerminateOptions,
};
pub use self::provider::{Compute, ComputeInfo};
pub use self::spec::{
    BootDisk, Cidr, DiskKind, Hardware, ImageSelector, IngressRule, InstanceSpec, Market, Needs,
    Placement, Protocol, PublicKey, UserData,
};
pub use self::state::{InstanceState, InstanceStatus, Reach, StateReason};
pub use self::types::{Arch, Image, InstanceType, Location, TypePage, TypeQuery};
pub use self::undo::Undo;
pub use self::wait::WaitOptions;
