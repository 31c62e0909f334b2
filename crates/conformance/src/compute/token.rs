//! Creates that are repeated with their token.

use futures::future::{Either, select};
use polycloud_core::ErrorKind;
use polycloud_core::compute::{
    Count, CreateOptions, IdempotencyToken, InstanceFilter, InstanceState as State, Labels,
};

use super::lab::Lab;
use crate::case::{Context, Failure, cases, ensure, ensure_eq};
use crate::expect::{expect_kind, race};

cases! {
    Compute, "token";

    /// A create that is repeated at once returns the same instance and makes no other.
    #[needs(IdempotentCreate)]
    async fn repeated(context: Context) -> CaseResult {
        let (lab, options) = (Lab::new(&context)?, with_token(&context)?);
        let spec = lab.spec("a")?;
        let first = lab.create(&spec, &options).await?;
        let second = lab.create(&spec, &options).await?;
        ensure_eq!(second.id, first.id);
        ensure_eq!(second.name, first.name);
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, ["a"]);
        Ok(())
    }

    /// A create that is repeated once the instance runs returns it as it is then.
    #[needs(IdempotentCreate)]
    async fn repeated_later(context: Context) -> CaseResult {
        let (lab, options) = (Lab::new(&context)?, with_token(&context)?);
        let spec = lab.spec("a")?;
        let first = lab.create(&spec, &options).await?;
        lab.reach(&first.id, State::Running).await?;
        let second = lab.create(&spec, &options).await?;
        ensure_eq!(second.id, first.id);
        ensure_eq!(second.state(), State::Running);
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, ["a"]);
        Ok(())
    }

    /// A token that comes again with another spec is refused, and nothing is made.
    #[needs(IdempotentCreate, Labels)]
    async fn other_spec(context: Context) -> CaseResult {
        let (lab, options) = (Lab::new(&context)?, with_token(&context)?);
        lab.create(&lab.spec("a")?, &options).await?;
        let labels = Labels::new().with("other", "label")?;
        for spec in [lab.spec("b")?, lab.spec("a")?.with_labels(labels)] {
            expect_kind(lab.create(&spec, &options).await, ErrorKind::IdempotencyMismatch)?;
        }
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, ["a"]);
        Ok(())
    }

    /// Creates with other tokens make other instances.
    #[needs(IdempotentCreate)]
    async fn other_token(context: Context) -> CaseResult {
        let lab = Lab::new(&context)?;
        let first = lab.create(&lab.spec("a")?, &with_token(&context)?).await?;
        let second = lab.create(&lab.spec("b")?, &with_token(&context)?).await?;
        ensure!(first.id != second.id, "both have the id {}", first.id);
        let same_name = lab.create(&lab.spec("a")?, &with_token(&context)?).await;
        expect_kind(same_name, ErrorKind::AlreadyExists)?;
        Ok(())
    }

    /// Creates with one token that come at the same moment make one instance, which all that succeed
    /// return.
    #[needs(IdempotentCreate)]
    async fn concurrent(context: Context) -> CaseResult {
        let (lab, options) = (Lab::new(&context)?, with_token(&context)?);
        let spec = lab.spec("a")?;
        let results = race(6, |_| {
            let (lab, spec, options) = (lab.clone(), spec.clone(), options.clone());
            async move { lab.create(&spec, &options).await }
        });
        let mut ids = Vec::new();
        for result in results.await? {
            match result {
                Ok(instance) => ids.push(instance.id),
                // Providers refuse the second while the first is under way.
                Err(error) => ensure_eq!(error.kind(), ErrorKind::Conflict),
            }
        }
        ids.dedup();
        ensure_eq!(ids.len(), 1, "the ids {ids:?}");
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, ["a"]);
        Ok(())
    }

    /// A create of many that is repeated returns the same instances and makes no others.
    #[needs(IdempotentCreate, CreateMany)]
    async fn many_repeated(context: Context) -> CaseResult {
        let (lab, options) = (Lab::new(&context)?, with_token(&context)?);
        let (spec, count) = (lab.spec("a")?, Count::exactly(3)?);
        let mut sets = Vec::new();
        for _ in 0..2 {
            let report = lab.create_many(&spec, count, &options).await?;
            let mut ids: Vec<_> = report.instances.into_iter().map(|made| made.id).collect();
            ids.sort_unstable();
            sets.push(ids);
        }
        ensure_eq!(sets.first(), sets.last(), "the ids of both creates");
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, ["a-0", "a-1", "a-2"]);
        Ok(())
    }

    /// A create of many that is repeated with another count is refused.
    #[needs(IdempotentCreate, CreateMany)]
    async fn many_with_other_count(context: Context) -> CaseResult {
        let (lab, options) = (Lab::new(&context)?, with_token(&context)?);
        let spec = lab.spec("a")?;
        lab.create_many(&spec, Count::exactly(2)?, &options).await?;
        let more = lab.create_many(&spec, Count::exactly(3)?, &options).await;
        expect_kind(more, ErrorKind::IdempotencyMismatch)?;
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, ["a-0", "a-1"]);
        Ok(())
    }

    /// A create that was dropped half-way is found again by its token.
    #[needs(IdempotentCreate)]
    async fn after_a_drop(context: Context) -> CaseResult {
        let (lab, options) = (Lab::new(&context)?, with_token(&context)?);
        let spec = lab.spec("a")?;
        // It is dropped once it has had an effect: one that is dropped before may have it at any time.
        let listed = || async { Ok(lab.list(InstanceFilter::default()).await?.pop()) };
        let listed = Box::pin(lab.eventually("the instance is listed", listed));
        let first = match select(Box::pin(lab.create(&spec, &options)), listed).await {
            Either::Left((made, _)) => made?,
            Either::Right((listed, _)) => listed?,
        };
        ensure_eq!(lab.create(&spec, &options).await?.id, first.id);
        ensure_eq!(lab.listed(InstanceFilter::default()).await?, ["a"]);
        Ok(())
    }
}

fn with_token(context: &Context) -> Result<CreateOptions, Failure> {
    let token = IdempotencyToken::new(context.unique("token"))?;
    Ok(CreateOptions::default().with_token(token))
}
