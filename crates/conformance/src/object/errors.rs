//! What stores say about themselves, their errors, and the URLs that they sign.

use std::time::Duration;

use http::Method;
use polycloud_core::object::{
    Attributes, CopyOptions, CopySource, DeleteOptions, GetOptions, HeadOptions, ObjectUpdate,
    SignOptions,
};
use polycloud_core::{BlastRadius, ErrorKind, Outcome, Retry};

use super::kit::{Step, Store, key, put};
use crate::case::{Failure, cases, ensure, ensure_eq};
use crate::expect::expect_kind;

/// The name of a key that a log line must not be broken by.
const MISSING: &str = "no/such\nobject";

async fn not_found(store: &Store) -> Step<polycloud_core::Error> {
    expect_kind(store.get(&key(MISSING)?, &GetOptions::default()).await, ErrorKind::NotFound)
}

cases! {
    Store, "errors";

    /// A store has the capabilities that were declared for it.
    async fn capabilities(context: Context) -> CaseResult {
        let store = context.store().await?;
        let declared = context.harness().object_capabilities();
        let declared = declared.ok_or_else(|| Failure::new("no capabilities are declared"))?;
        ensure_eq!(store.capabilities(), declared);
        Ok(())
    }

    /// A store names its provider and a URL without credentials.
    async fn info(context: Context) -> CaseResult {
        let store = context.store().await?;
        let info = store.info();
        ensure!(!info.provider.is_empty(), "the provider has no name");
        let (scheme, rest) = info.url.split_once(':').unwrap_or_default();
        ensure!(!scheme.is_empty(), "{:?} is not a URL", info.url);
        let authority = rest.trim_start_matches('/').split('/').next().unwrap_or_default();
        ensure!(!authority.contains('@'), "{:?} shows who signs in", info.url);
        Ok(())
    }

    /// What a store can do goes with the parts that it has.
    async fn parts_as_declared(context: Context) -> CaseResult {
        use polycloud_core::capability::Feature;
        let store = context.store().await?;
        let has = |feature| store.capabilities().has(feature);
        ensure_eq!(store.multipart().is_some(), has(Feature::Multipart), "multipart()");
        ensure_eq!(store.signer().is_some(), has(Feature::SignedUrls), "signer()");
        Ok(())
    }

    /// An error names the operation, the key and the provider.
    async fn names(context: Context) -> CaseResult {
        let store = context.store().await?;
        let error = not_found(&*store).await?;
        ensure_eq!(error.operation(), "get");
        ensure_eq!(error.provider(), store.info().provider);
        ensure!(error.target().contains("no/such"), "the target is {:?}", error.target());
        Ok(())
    }

    /// An error is one line, whatever the key.
    async fn one_line(context: Context) -> CaseResult {
        let store = context.store().await?;
        let error = not_found(&*store).await?;
        ensure!(!error.to_string().contains('\n'), "{error:?}");
        Ok(())
    }

    /// Errors of a head, a copy and an update name their operation as well.
    #[needs(UpdateAttributes)]
    async fn every_operation(context: Context) -> CaseResult {
        let store = context.store().await?;
        let (missing, kind) = (key(MISSING)?, ErrorKind::NotFound);
        let error = expect_kind(store.head(&missing, &HeadOptions::default()).await, kind)?;
        ensure_eq!(error.operation(), "head");
        let from = CopySource::new(missing.clone());
        let result = store.copy(&from, &key("to")?, &CopyOptions::default()).await;
        ensure_eq!(expect_kind(result, kind)?.operation(), "copy");
        let update = ObjectUpdate::default().with_attributes(Attributes::new());
        let error = expect_kind(store.update(&missing, &update).await, kind)?;
        ensure_eq!(error.operation(), "update");
        Ok(())
    }

    /// What is not found was not applied, is not worth a retry, and is about this request alone.
    async fn advice(context: Context) -> CaseResult {
        let store = context.store().await?;
        let error = not_found(&*store).await?;
        ensure_eq!(error.outcome(), Outcome::NotApplied);
        ensure_eq!(error.retry(), Retry::Never);
        ensure_eq!(error.radius(), BlastRadius::Request);
        ensure!(error.leaked().is_empty(), "left behind: {:?}", error.leaked());
        Ok(())
    }

    /// A store goes on working after an error.
    async fn goes_on(context: Context) -> CaseResult {
        let store = context.store().await?;
        for _ in 0..50 {
            not_found(&*store).await?;
        }
        put(&*store, "k", "content").await?;
        super::kit::holds(&*store, "k", "content").await?;
        store.delete(&key("k")?, &DeleteOptions::default()).await?;
        Ok(())
    }

    /// Buckets of their own do not see each other's objects.
    async fn separate(context: Context) -> CaseResult {
        let (one, two) = (context.store().await?, context.store().await?);
        put(&*one, "k", "one").await?;
        super::kit::is_absent(&*two, "k").await?;
        put(&*two, "k", "two").await?;
        super::kit::holds(&*one, "k", "one").await
    }

    /// A URL is signed for each of the four methods, and is not printed.
    #[needs(SignedUrls)]
    async fn signed_urls(context: Context) -> CaseResult {
        let store = context.store().await?;
        let signer = store.signer().ok_or_else(|| Failure::new("signer() is None"))?;
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            let options = SignOptions::new(method.clone(), Duration::from_secs(60));
            let request = signer.sign(&key("a/b c")?, &options).await?;
            ensure_eq!(request.method, method);
            let (bare, query) = request.expose().split_once('?').unwrap_or_default();
            ensure!(bare.starts_with("http") && !query.is_empty(), "not a signed URL: {bare}");
            ensure!(!format!("{request:?}").contains(query), "the signature is printed");
        }
        Ok(())
    }

    /// Signatures without an end in sight, and of other methods, are invalid.
    #[needs(SignedUrls)]
    async fn signed_url_limits(context: Context) -> CaseResult {
        let store = context.store().await?;
        let signer = store.signer().ok_or_else(|| Failure::new("signer() is None"))?;
        let minute = Duration::from_secs(60);
        let options = [
            SignOptions::new(Method::GET, Duration::ZERO),
            SignOptions::new(Method::GET, Duration::from_secs(100 * 365 * 24 * 3600)),
            SignOptions::new(Method::POST, minute),
            SignOptions::new(Method::PATCH, minute),
        ];
        for options in options {
            let result = signer.sign(&key("k")?, &options).await;
            expect_kind(result, ErrorKind::InvalidArgument)?;
        }
        Ok(())
    }
}
