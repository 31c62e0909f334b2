use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};

use super::id::InstanceId;
use super::instance::Instance;
use super::options::{CreateOptions, InstanceFilter, TerminateOptions};
use super::provider::Compute;
use super::spec::InstanceSpec;
use super::state::InstanceState;
use super::types::{InstanceType, TypeQuery};
use super::wait::{self, WaitOptions};
use crate::error::{Error, ErrorKind, ResourceRef, Result, Retry};
use crate::page::paginate;

/// Waiting, and listings as streams, for every [`Compute`].
#[async_trait]
pub trait ComputeExt: Compute {
    /// Waits until an instance is in a state, and returns it as it was read then.
    ///
    /// The answer is `None` only if the target is `Terminated` and the provider does not know the
    /// instance any more. Reads that fail in a way that can pass are repeated, at the pace that the
    /// provider asks for. Reads the instance once right away, then by the options' backoff; dropping
    /// the future stops it at any point without harm.
    ///
    /// # Errors
    /// - `Unreachable`, at once, if the instance can no longer get there, or not by itself. An old
    ///   state within the options' consistency time does not count: wait right after the request.
    /// - `NotFound` if it was never seen within that time.
    /// - `Timeout`, which names the state that it was in last.
    /// - Any other error of [`get`](Compute::get) that does not pass.
    async fn wait_until(
        &self,
        id: &InstanceId,
        state: InstanceState,
        options: &WaitOptions,
    ) -> Result<Option<Instance>> {
        wait::wait_until(self, id, state, options).await
    }

    /// Reports an instance as it is now, and again each time that its status has changed.
    ///
    /// Changes that come and go between two reads are not seen. The stream ends after `Terminated`,
    /// once the provider does not know the instance any more, or after an error. Reads that fail in a
    /// way that can pass are repeated until they have failed for the options' timeout, which is its
    /// only effect here: a quiet instance is watched for as long as the stream is polled.
    ///
    /// # Errors
    /// `NotFound` if it was never seen within the options' consistency time; any other error of
    /// [`get`](Compute::get) that does not pass.
    fn watch(&self, id: &InstanceId, options: &WaitOptions) -> BoxStream<'_, Result<Instance>> {
        wait::watch(self, id, options)
    }

    /// Lists instances. Asks for the next page when it is needed; see
    /// [`paginate`] for how it fails.
    ///
    /// # Errors
    /// As [`list_page`](Compute::list_page).
    fn list(&self, filter: InstanceFilter) -> BoxStream<'_, Result<Instance>> {
        let filter = Arc::new(filter);
        paginate(move |token| {
            let filter = Arc::clone(&filter);
            async move {
                let page = self.list_page(&filter, token.as_ref()).await?;
                Ok((page.instances, page.next))
            }
        })
        .boxed()
    }

    /// Lists the kinds of machines to be had here. Asks for the next page when it is needed.
    ///
    /// # Errors
    /// As [`types_page`](Compute::types_page).
    fn types(&self, query: TypeQuery) -> BoxStream<'_, Result<InstanceType>> {
        let query = Arc::new(query);
        paginate(move |token| {
            let query = Arc::clone(&query);
            async move {
                let page = self.types_page(&query, token.as_ref()).await?;
                Ok((page.types, page.next))
            }
        })
        .boxed()
    }

    /// Creates an instance and waits until it runs.
    ///
    /// If it does not get there, it is terminated, which is given the options' timeout again, and
    /// [`leaked`](Error::leaked) names it unless it is gone for sure. Dropping the future leaves the
    /// instance to the options' token and owner, like dropping a [`create`](Compute::create).
    ///
    /// # Errors
    /// As [`create`](Compute::create) and [`wait_until`](Self::wait_until).
    async fn create_and_wait(
        &self,
        spec: &InstanceSpec,
        create: &CreateOptions,
        wait: &WaitOptions,
    ) -> Result<Instance> {
        let id = self.create(spec, create).await?.id;
        let error = match self.wait_until(&id, InstanceState::Running, wait).await {
            Ok(Some(instance)) => return Ok(instance),
            Ok(None) => Error::new(ErrorKind::NotFound).with_target(&id),
            Err(error) => error,
        };
        match terminate_and_wait(self, &id, wait).await {
            Ok(()) => Err(error),
            Err(_) => Err(error.with_leaked([ResourceRef::new("instance", id.to_string())])),
        }
    }
}

impl<T: Compute + ?Sized> ComputeExt for T {}

async fn terminate_and_wait<C: Compute + ?Sized>(
    compute: &C,
    id: &InstanceId,
    options: &WaitOptions,
) -> Result<()> {
    let start = options.clock.monotonic();
    for n in 0.. {
        let elapsed = options.clock.monotonic().saturating_sub(start);
        match compute.terminate(id, &TerminateOptions::default()).await {
            Ok(()) => break,
            Err(error) if error.retry() == Retry::Later && elapsed < options.timeout => {
                options.clock.sleep(options.delay(n, error.retry_after())).await;
            }
            Err(error) => return Err(error),
        }
    }
    compute.wait_until(id, InstanceState::Terminated, options).await.map(drop)
}
