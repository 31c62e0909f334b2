//! Deleting in bulk.

use polycloud_core::ErrorKind;
use polycloud_core::object::{DeleteItem, DeleteOptions, Key, Precondition};

use super::kit::{Step, holds, is_absent, key, lists, put, put_all, put_many};
use crate::case::{cases, ensure, ensure_eq};
use crate::expect::expect_kind;

fn items(names: &[&str]) -> Step<Vec<DeleteItem>> {
    Ok(names.iter().map(|name| Key::new(*name).map(DeleteItem::from)).collect::<Result<_, _>>()?)
}

cases! {
    Store, "delete_many";

    /// Nothing to delete is nothing to report.
    async fn none(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "x").await?;
        ensure_eq!(store.delete_many(Vec::new()).await.len(), 0);
        holds(&*store, "k", "x").await
    }

    /// Deletes what is named and nothing else.
    async fn named_only(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a", "a/b", "ab", "b", "c"]).await?;
        for outcome in store.delete_many(items(&["a", "c"])?).await {
            outcome.result?;
        }
        lists(&*store, &["a/b", "ab", "b"]).await
    }

    /// Outcomes come in the order of the items.
    async fn order_of_outcomes(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["b", "d", "a", "c"]).await?;
        let order = ["c", "missing", "a", "d", "b", "Z"];
        let outcomes = store.delete_many(items(&order)?).await;
        let keys: Vec<_> = outcomes.iter().map(|outcome| outcome.item.key.as_str()).collect();
        ensure_eq!(keys, order);
        Ok(())
    }

    /// Deleting what is missing succeeds in bulk too, and the outcomes tell it if they tell at all.
    async fn missing_items(context: Context) -> CaseResult {
        let store = context.store().await?;
        put_all(&*store, &["a", "c"]).await?;
        let outcomes = store.delete_many(items(&["a", "b", "c", "d"])?).await;
        for (outcome, there) in outcomes.into_iter().zip([true, false, true, false]) {
            let existed = outcome.result?.existed;
            ensure!(existed != Some(!there), "{} existed: {existed:?}", outcome.item.key);
        }
        lists(&*store, &[]).await
    }

    /// 1,001 items, a tenth of them missing, are one call.
    async fn thousand_and_one(context: Context) -> CaseResult {
        let store = context.store().await?;
        let all: Vec<_> = (0..1_001).map(|number| format!("k{number:04}")).collect();
        let there = all.iter().enumerate().filter(|(number, _)| number % 10 != 3);
        put_many(&*store, there.map(|(_, name)| name.clone()).collect()).await?;
        put(&*store, "survivor", "x").await?;
        let names: Vec<_> = all.iter().map(String::as_str).collect();
        let outcomes = store.delete_many(items(&names)?).await;
        ensure_eq!(outcomes.len(), 1_001);
        for (outcome, name) in outcomes.into_iter().zip(names) {
            ensure_eq!(outcome.item.key.as_str(), name);
            outcome.result?;
        }
        lists(&*store, &["survivor"]).await
    }

    /// An item that is named twice is deleted once, and both outcomes are successes.
    async fn twice_the_same(context: Context) -> CaseResult {
        let store = context.store().await?;
        put(&*store, "k", "x").await?;
        let outcomes = store.delete_many(items(&["k", "k"])?).await;
        ensure_eq!(outcomes.len(), 2);
        for outcome in outcomes {
            outcome.result?;
        }
        is_absent(&*store, "k").await
    }

    /// An item whose condition fails does not keep the others from being deleted.
    #[needs(DeleteIfMatch)]
    async fn failed_condition(context: Context) -> CaseResult {
        let store = context.store().await?;
        let old = put(&*store, "changed", "old").await?.revision;
        put_all(&*store, &["a", "changed", "z"]).await?;
        let stale = DeleteOptions::default().with_precondition(Precondition::IfUnchanged(old));
        let mut items = items(&["a", "z"])?;
        items.insert(1, DeleteItem::new(key("changed")?, stale));
        let mut outcomes = store.delete_many(items).await;
        ensure_eq!(outcomes.len(), 3);
        expect_kind(outcomes.remove(1).result, ErrorKind::PreconditionFailed)?;
        for outcome in outcomes {
            outcome.result?;
        }
        lists(&*store, &["changed"]).await?;
        holds(&*store, "changed", "changed").await
    }

    /// An item whose condition holds is deleted.
    #[needs(DeleteIfMatch)]
    async fn kept_condition(context: Context) -> CaseResult {
        let store = context.store().await?;
        let current = put(&*store, "k", "x").await?.revision;
        let options =
            DeleteOptions::default().with_precondition(Precondition::IfUnchanged(current));
        for outcome in store.delete_many(vec![DeleteItem::new(key("k")?, options)]).await {
            outcome.result?;
        }
        is_absent(&*store, "k").await
    }

    /// Versions are removed for good in bulk.
    #[needs(ListVersions, DeleteVersion, ReadVersion)]
    async fn versions(context: Context) -> CaseResult {
        let store = context.versioned_store().await?;
        let mut items = Vec::new();
        for name in ["a", "b"] {
            let old = put(&*store, name, "old").await?.revision;
            put(&*store, name, "new").await?;
            let version = old.version.ok_or_else(|| crate::Failure::new("no version"))?;
            items.push(DeleteItem::new(key(name)?, DeleteOptions::default().with_version(version)));
        }
        for outcome in store.delete_many(items).await {
            outcome.result?;
        }
        let options = polycloud_core::object::ListOptions::default().with_versions(true);
        ensure_eq!(super::kit::names(&*store, &options).await?, ["a", "b"]);
        holds(&*store, "a", "new").await
    }
}
