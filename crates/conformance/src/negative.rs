//! The other side of every case: what a backend does not have, it refuses, and does nothing else.

use futures::future::BoxFuture;
use polycloud_core::capability::Feature;

use crate::case::{CaseResult, Context, Failure};

mod compute;
mod object;

/// Shows that a feature is refused.
pub(crate) type Probe = fn(Context) -> BoxFuture<'static, CaseResult>;

/// Shows that a backend refuses a feature.
///
/// The request is the smallest that needs the feature, and it is about something that does not exist:
/// a backend that looks before it refuses answers with another kind.
pub(crate) fn refuses(context: Context, feature: Feature) -> BoxFuture<'static, CaseResult> {
    match probe(feature) {
        Some(probe) => Box::pin(async move {
            let result = probe(context).await;
            result.map_err(|failure| failure.context(format_args!("without {feature}")))
        }),
        None => Box::pin(async move { Err(Failure::new(format!("no probe of {feature}"))) }),
    }
}

/// The probe of a feature.
pub(crate) fn probe(feature: Feature) -> Option<Probe> {
    object::probe(feature).or_else(|| compute::probe(feature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_a_probe() {
        for feature in Feature::ALL {
            assert!(probe(*feature).is_some(), "{feature}");
        }
    }
}
