//! What was made a moment ago, which EC2 may not show yet: whoever has made something finds it in the next
//! reading and listing, and deletes it for sure.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use polycloud_core::{ErrorKind, Result};

use super::Inner;
use super::patience::CONSISTENCY;

/// Resources that are remembered at once. Of more, the oldest are taken to be seen by now.
const MOST: usize = 1_024;

/// Resources by their id, and when they were made.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<BTreeMap<String, Duration>>);

impl Fresh {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, id: &str, now: Duration) {
        let mut made = self.lock();
        made.retain(|_, at| now.saturating_sub(*at) < CONSISTENCY);
        if made.len() >= MOST
            && let Some(oldest) = made.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone())
        {
            made.remove(&oldest);
        }
        made.insert(id.to_owned(), now);
    }

    fn holds(&self, id: &str, now: Duration) -> bool {
        self.lock().get(id).is_some_and(|at| now.saturating_sub(*at) < CONSISTENCY)
    }

    /// Those of a kind, by the beginning of their ids.
    fn of_kind(&self, kind: &str, now: Duration) -> Vec<String> {
        let made = self.lock();
        let fresh = made.iter().filter(|(_, at)| now.saturating_sub(**at) < CONSISTENCY);
        fresh.map(|(id, _)| id.clone()).filter(|id| id.starts_with(kind)).collect()
    }
}

impl Inner {
    /// Remembers what was made just now.
    pub(super) fn made(&self, id: &str) {
        self.fresh.note(id, self.caller.clock().monotonic());
    }

    /// Whether something was made a moment ago.
    fn is_fresh(&self, id: &str) -> bool {
        self.fresh.holds(id, self.caller.clock().monotonic())
    }

    /// Does something with what may have been made a moment ago, once EC2 sees it.
    pub(super) async fn once_seen<T, F>(
        &self,
        id: &str,
        attempt: impl FnMut() -> F + Send,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let again = |error: &polycloud_core::Error| {
            error.kind() == ErrorKind::NotFound && self.is_fresh(id)
        };
        self.repeat(CONSISTENCY, again, attempt).await
    }

    /// Removes something that may have been made a moment ago. That it is gone is fine.
    pub(super) async fn removed<T, F>(
        &self,
        id: &str,
        attempt: impl FnMut() -> F + Send,
    ) -> Result<()>
    where
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        match self.once_seen(id, attempt).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => drop(removed?),
        }
        self.fresh.lock().remove(id);
        Ok(())
    }

    /// A listing with all that was made a moment ago. `kind` is what their ids begin with.
    pub(super) async fn complete<T, F>(
        &self,
        kind: &str,
        id_of: impl Fn(&T) -> &str + Send + Sync,
        mut list: impl FnMut() -> F + Send,
    ) -> Result<Vec<T>>
    where
        F: Future<Output = Result<Vec<T>>> + Send,
        T: Send,
    {
        let found = self.look(CONSISTENCY, || {
            let (listing, id_of) = (list(), &id_of);
            async move {
                let all = listing.await?;
                // What somebody else has deleted is waited for until it is not fresh any more.
                let fresh = self.fresh.of_kind(kind, self.caller.clock().monotonic());
                let is_whole = fresh.iter().all(|id| all.iter().any(|one| id_of(one) == id));
                Ok(is_whole.then_some(all))
            }
        });
        match found.await? {
            Some(all) => Ok(all),
            None => list().await,
        }
    }

    /// A token by which something is found again whose answer was lost.
    pub(super) fn draw_token(&self) -> String {
        let random = self.caller.random();
        format!("{:016x}{:016x}", random.next_u64(), random.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freshness_ends() {
        let (fresh, second) = (Fresh::default(), Duration::from_secs(1));
        fresh.note("vol-1", second);
        fresh.note("snap-1", second * 2);
        assert!(fresh.holds("vol-1", CONSISTENCY) && !fresh.holds("vol-2", second));
        assert!(!fresh.holds("vol-1", CONSISTENCY + second));
        assert_eq!(fresh.of_kind("snap-", CONSISTENCY), ["snap-1"]);
        for n in 0..=u32::try_from(MOST).unwrap() {
            fresh.note(&format!("key-{n}"), second * 3);
        }
        assert_eq!(fresh.lock().len(), MOST);
        assert!(!fresh.holds("vol-1", second * 3), "the oldest goes first");
    }
}
