use std::any::Any;
use std::fmt;

use async_trait::async_trait;

use super::facets::{
    Console, Firewalls, Images, KeyPairs, Networks, Prices, Quotas, Resize, Sweep, Volumes,
};
use super::id::InstanceId;
use super::instance::{Instance, InstancePage};
use super::labels::LabelPatch;
use super::options::{
    Count, CreateOptions, CreateReport, InstanceFilter, RestartMode, StopMode, TerminateOptions,
};
use super::spec::{ImageSelector, InstanceSpec};
use super::types::{Arch, Image, Location, TypePage, TypeQuery};
use crate::capability::Capabilities;
use crate::error::Result;
use crate::page::PageToken;

/// Which account and region it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComputeInfo {
    /// The provider, such as `aws`, `gcp`, `azure` or `local`.
    pub provider: &'static str,
    /// The region; for Azure with the subscription and resource group in front.
    pub region: String,
    /// The URL that opens it, without credentials.
    pub url: String,
}

impl ComputeInfo {
    /// Describes a backend.
    pub fn new(provider: &'static str, region: impl Into<String>, url: impl Into<String>) -> Self {
        Self { provider, region: region.into(), url: url.into() }
    }
}

impl fmt::Display for ComputeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.url)
    }
}

/// The virtual machines of one account in one region.
///
/// Methods return as soon as the provider has accepted the request; waiting is in
/// [`ComputeExt`](super::ComputeExt). Backends are shared as `Arc<dyn Compute>`.
///
/// # What holds for every method
///
/// - **Options are honoured or refused.** What the backend lacks is
///   [`Unsupported`](crate::ErrorKind::Unsupported) before any I/O. See
///   [`Capabilities`](crate::capability::Capabilities).
/// - **State is read, not guessed.** A request that fails is an error, never
///   [`InstanceState::Unknown`](super::InstanceState::Unknown).
/// - **Errors** say by [`outcome`](crate::Error::outcome) whether the change took effect and by
///   [`radius`](crate::Error::radius) what a failover has to leave. Besides the kinds named at a
///   method, all can fail with `InvalidArgument` (an id of another provider), `Unauthenticated`,
///   `PermissionDenied`, `RateLimited`, `Timeout`, `Unavailable` and `Internal`.
/// - **Cancellation.** Dropping a future gives up waiting; the provider may still carry the request
///   out. A create that was dropped is found again by its token or by
///   [`sweep`](super::Sweep).
///
/// Backends implement all methods; there are no default bodies, so that a layer cannot forget one.
#[async_trait]
pub trait Compute: fmt::Debug + Send + Sync + 'static {
    /// Which account and region it is. Costs nothing.
    fn info(&self) -> &ComputeInfo;

    /// What the backend can do. Costs nothing.
    fn capabilities(&self) -> &Capabilities;

    /// Creates an instance and returns it, usually `Pending`.
    ///
    /// Idempotent by the token of the options. If the instance cannot be completed, everything that
    /// was made for it is removed again, and what could not be removed is named in
    /// [`leaked`](crate::Error::leaked). One to five requests.
    ///
    /// # Errors
    /// `NoCapacity`, `QuotaExceeded`; `AlreadyExists` if a living instance has the name;
    /// `IdempotencyMismatch`; `NotFound` if the image or type does not exist; `InvalidArgument`.
    async fn create(&self, spec: &InstanceSpec, options: &CreateOptions) -> Result<Instance>;

    /// Creates between min and max instances, or none.
    ///
    /// If more than one is asked for, they are named by the spec's name with `-0`, `-1`, … behind it.
    /// Fewer than max is a success with a [`shortfall`](CreateReport::shortfall); below min everything
    /// is removed again, and that is an error.
    ///
    /// # Errors
    /// As [`create`](Self::create), where fewer than min could be created.
    async fn create_many(
        &self,
        spec: &InstanceSpec,
        count: Count,
        options: &CreateOptions,
    ) -> Result<CreateReport>;

    /// Reads an instance. A terminated one is either shown as such or not found. One request; three on
    /// Azure for the addresses.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get(&self, id: &InstanceId) -> Result<Instance>;

    /// Lists instances, one page at a time. One request.
    ///
    /// An instance that exists during the whole listing is listed exactly once. A part of the region
    /// that does not answer is an error: an incomplete list never looks complete.
    ///
    /// # Errors
    /// `InvalidArgument` if the token is not from such a listing.
    async fn list_page(
        &self,
        filter: &InstanceFilter,
        token: Option<&PageToken>,
    ) -> Result<InstancePage>;

    /// Starts a stopped or suspended instance. Starting one that runs or is about to succeeds. One
    /// request.
    ///
    /// # Errors
    /// `NotFound`; `InvalidState` if it is being stopped, suspended or terminated; `NoCapacity`, and the
    /// instance stays stopped.
    async fn start(&self, id: &InstanceId) -> Result<()>;

    /// Stops a running instance. Stopping one that is stopped or about to be succeeds. One request.
    ///
    /// # Errors
    /// `NotFound`; `InvalidState` if it is pending, suspended or being terminated.
    async fn stop(&self, id: &InstanceId, mode: StopMode) -> Result<()>;

    /// Restarts a running instance, which keeps its addresses. One request.
    ///
    /// # Errors
    /// `NotFound`; `InvalidState` unless it is running.
    async fn restart(&self, id: &InstanceId, mode: RestartMode) -> Result<()>;

    /// Terminates an instance and removes what was made for it: disk, addresses, firewall.
    ///
    /// Terminating what is terminated or was never there succeeds. Returns once the provider has
    /// accepted it; [`wait_until`](super::ComputeExt::wait_until) `Terminated` waits until it is gone.
    /// One request, and those for what the provider does not remove itself.
    ///
    /// # Errors
    /// `PermissionDenied` if it belongs to another owner than the options ask for; what could not be
    /// removed is named in [`leaked`](crate::Error::leaked).
    async fn terminate(&self, id: &InstanceId, options: &TerminateOptions) -> Result<()>;

    /// Sets and removes labels. One to two requests; repeated if someone else changes them meanwhile.
    ///
    /// # Errors
    /// `NotFound`; `InvalidState` if it is terminated; `InvalidArgument` above the provider's number of
    /// labels.
    async fn set_labels(&self, id: &InstanceId, patch: &LabelPatch) -> Result<()>;

    /// The regions of the account and their zones. One to two requests.
    async fn locations(&self) -> Result<Vec<Location>>;

    /// Lists the kinds of machines to be had here, one page at a time. One request.
    ///
    /// # Errors
    /// `InvalidArgument` if the token is not from such a listing.
    async fn types_page(&self, query: &TypeQuery, token: Option<&PageToken>) -> Result<TypePage>;

    /// Finds the image that a selector means now. None to two requests.
    ///
    /// # Errors
    /// `NotFound`.
    async fn resolve_image(&self, selector: &ImageSelector, arch: Arch) -> Result<Image>;

    /// Key pairs held by the provider, if it has them.
    fn key_pairs(&self) -> Option<&dyn KeyPairs>;

    /// Volumes and snapshots, if the provider has them.
    fn volumes(&self) -> Option<&dyn Volumes>;

    /// Networks and subnets, if the provider has them.
    fn networks(&self) -> Option<&dyn Networks>;

    /// Firewalls of their own, if the provider has them.
    fn firewalls(&self) -> Option<&dyn Firewalls>;

    /// Images made from instances, if the provider has them.
    fn images(&self) -> Option<&dyn Images>;

    /// Console output, if the provider keeps it.
    fn console(&self) -> Option<&dyn Console>;

    /// Limits of the account, if the provider tells them.
    fn quotas(&self) -> Option<&dyn Quotas>;

    /// Changing the hardware of an instance, if the provider can.
    fn resize(&self) -> Option<&dyn Resize>;

    /// Prices, if the provider tells them.
    fn prices(&self) -> Option<&dyn Prices>;

    /// Removing what a killed caller left behind.
    fn sweep(&self) -> Option<&dyn Sweep>;

    /// The backend's own type, for what these traits do not cover: `native().downcast_ref()`.
    /// Layers pass it through.
    fn native(&self) -> &dyn Any;
}
