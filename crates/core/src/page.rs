//! Paging: opaque tokens, and pages turned into streams.

use std::collections::HashSet;
use std::fmt;
use std::future::Future;

use futures::stream::{self, Stream, StreamExt};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Where a listing goes on. Opaque, and valid only for the same listing on the same backend; it can
/// be stored and used by another process.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageToken(String);

impl PageToken {
    /// Wraps a backend's token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The backend's token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageToken({:?})", self.0)
    }
}

/// Most empty pages in a row before a listing counts as stuck.
const MAX_EMPTY_PAGES: u32 = 1_000;

/// Turns pages into a stream of items.
///
/// A token that comes back a second time, at any distance, is
/// [`InvalidResponse`](ErrorKind::InvalidResponse), never a silent end: what a caller would delete
/// or sync by an incomplete listing is lost. So are 1,000 empty pages in a row. The stream ends
/// after its first error. Dropping it cancels the request that is under way.
pub fn paginate<'a, T, F, Fut>(fetch: F) -> impl Stream<Item = Result<T>> + Send + 'a
where
    T: Send + 'a,
    F: Fn(Option<PageToken>) -> Fut + Send + Sync + 'a,
    Fut: Future<Output = Result<(Vec<T>, Option<PageToken>)>> + Send + 'a,
{
    struct Cursor<F> {
        fetch: F,
        next: Option<PageToken>,
        seen: HashSet<PageToken>,
        empty: u32,
        done: bool,
    }
    let cursor = Cursor { fetch, next: None, seen: HashSet::new(), empty: 0, done: false };
    stream::unfold(cursor, |mut cursor| async move {
        if cursor.done {
            return None;
        }
        let page = match (cursor.fetch)(cursor.next.take()).await {
            Ok((items, next)) => {
                cursor.empty = if items.is_empty() { cursor.empty + 1 } else { 0 };
                let repeated = next.as_ref().is_some_and(|next| !cursor.seen.insert(next.clone()));
                cursor.done = next.is_none();
                cursor.next = next;
                if repeated {
                    Err("the listing repeats a continuation token")
                } else if cursor.empty >= MAX_EMPTY_PAGES {
                    Err("the listing does not get on: 1,000 empty pages")
                } else {
                    Ok(items)
                }
                .map_err(|why| Error::new(ErrorKind::InvalidResponse).with_message(why))
            }
            Err(error) => Err(error),
        };
        let items: Vec<Result<T>> = match page {
            Ok(items) => items.into_iter().map(Ok).collect(),
            Err(error) => {
                cursor.done = true;
                vec![Err(error)]
            }
        };
        Some((stream::iter(items), cursor))
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    fn token(n: u32) -> Option<PageToken> {
        Some(PageToken::new(n.to_string()))
    }

    #[tokio::test]
    async fn pages_are_joined() {
        let items = paginate(|t| async move {
            Ok(match t.as_ref().map(PageToken::as_str) {
                None => (vec![1, 2], token(1)),
                Some("1") => (vec![], token(2)),
                _ => (vec![3], None),
            })
        });
        assert_eq!(items.try_collect::<Vec<_>>().await.unwrap(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_cycle_of_tokens_is_an_error() {
        for length in 1..=5 {
            let items = paginate(move |t| async move {
                let n: u32 = t.map_or(0, |t| t.as_str().parse().unwrap());
                Ok((vec![n], token((n + 1) % length)))
            });
            let error = items.try_collect::<Vec<_>>().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        }
    }

    #[tokio::test]
    async fn endless_empty_pages_are_an_error() {
        let items = paginate(|t| async move {
            let n: u32 = t.map_or(0, |t| t.as_str().parse().unwrap());
            Ok((Vec::<u32>::new(), token(n + 1)))
        });
        let error = items.try_collect::<Vec<_>>().await.unwrap_err();
        assert!(error.message().contains("empty pages"), "{error}");
    }

    #[tokio::test]
    async fn an_error_ends_the_stream() {
        let items: Vec<Result<u32>> =
            paginate(|_| async { Err(ErrorKind::Unavailable.into()) }).collect().await;
        assert_eq!(items.len(), 1);
    }
}
