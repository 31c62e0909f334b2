use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use polycloud_core::Error;
use polycloud_core::capability::{Capabilities, Feature, Support};
use polycloud_core::clock::{Clock, Random, SeededRandom, SystemRandom};
use polycloud_core::compute::{Compute, WaitOptions};
use polycloud_core::object::{Buckets, ObjectStore};

use crate::harness::{Harness, StoreSetup};

/// One behaviour that every backend has to show.
#[derive(Debug)]
#[non_exhaustive]
pub struct Case {
    /// The area and the name, such as `range/suffix_of_nothing`. Unique.
    pub name: &'static str,
    /// The behaviour, in one sentence.
    pub sentence: &'static str,
    /// What the behaviour belongs to.
    pub area: &'static str,
    /// What a backend must offer at all for the case to apply.
    pub subject: Subject,
    /// The features that it needs. A backend that lacks one has to refuse it instead.
    pub features: &'static [Feature],
    /// Shows the behaviour.
    pub run: fn(Context) -> BoxFuture<'static, CaseResult>,
}

/// What a case is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Subject {
    /// One bucket.
    Store,
    /// The administration of buckets.
    Buckets,
    /// Instances.
    Compute,
}

/// What became of a case.
pub type CaseResult = Result<(), Failure>;

/// Why a case failed, and where in the suite.
pub struct Failure {
    message: String,
    at: &'static Location<'static>,
}

impl Failure {
    /// A failure at the place of the caller.
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: Location::caller() }
    }

    /// Says in front of the message what was being done.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.message, self.at.file(), self.at.line())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Error> for Failure {
    #[track_caller]
    fn from(error: Error) -> Self {
        Self::new(format!("unexpected error: {}", Chain(&error)))
    }
}

/// An error with all its causes.
pub(crate) struct Chain<'a>(pub(crate) &'a Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// What a case works with.
#[derive(Clone)]
pub struct Context {
    harness: Arc<dyn Harness>,
    random: Arc<dyn Random>,
    deferred: Arc<Mutex<Vec<BoxFuture<'static, CaseResult>>>>,
}

impl Context {
    /// The context of one case. The same seed and case draw the same random numbers.
    #[must_use]
    pub fn new(harness: Arc<dyn Harness>, seed: u64, case: &str) -> Self {
        // FNV-1a, so that each case has a sequence of its own.
        let own = case.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let random = Arc::new(SeededRandom::new(seed ^ own));
        Self { harness, random, deferred: Arc::default() }
    }

    /// A fresh, empty bucket.
    ///
    /// # Errors
    /// Whatever the harness fails with.
    pub async fn store(&self) -> Result<Arc<dyn ObjectStore>, Failure> {
        Ok(self.harness.store(&StoreSetup::default()).await?)
    }

    /// A fresh, empty bucket that keeps older versions.
    ///
    /// # Errors
    /// Whatever the harness fails with.
    pub async fn versioned_store(&self) -> Result<Arc<dyn ObjectStore>, Failure> {
        Ok(self.harness.store(&StoreSetup::versioned()).await?)
    }

    /// The administration of buckets.
    ///
    /// # Errors
    /// If the harness has none although it was said to.
    pub fn buckets(&self) -> Result<Arc<dyn Buckets>, Failure> {
        self.harness.buckets().ok_or_else(|| Failure::new("the harness has no buckets"))
    }

    /// The compute side.
    ///
    /// # Errors
    /// If the harness has none although it was said to.
    pub fn compute(&self) -> Result<Arc<dyn Compute>, Failure> {
        self.harness.compute().ok_or_else(|| Failure::new("the harness has no compute"))
    }

    /// What the backend under test offers beside its stores.
    #[must_use]
    pub fn harness(&self) -> &dyn Harness {
        &*self.harness
    }

    /// The clock that the backend's times agree with.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.harness.clock()
    }

    /// How to wait for instances.
    #[must_use]
    pub fn wait(&self) -> WaitOptions {
        self.harness.wait()
    }

    /// Random numbers, repeatable by the seed of the run.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// Does this once the case has ended, however it ends; what was deferred last is done first. A case
    /// whose deferred work fails has failed.
    pub fn defer(&self, work: impl Future<Output = CaseResult> + Send + 'static) {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(work));
    }

    /// Does all deferred work, and tells of the first failure.
    pub(crate) async fn finish(self) -> CaseResult {
        let mut result = Ok(());
        loop {
            let work = self.deferred.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(work) = work else { return result };
            result = result.and(work.await);
        }
    }

    /// A name that nobody has used before, legal for buckets, instances and labels. It has up to 13
    /// characters more than the prefix.
    #[must_use]
    pub fn unique(&self, prefix: &str) -> String {
        format!("{prefix}-{:012x}", SystemRandom.next_u64() >> 16)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("harness", &self.harness.name()).finish_non_exhaustive()
    }
}

/// Whether a harness offers what a case is about.
pub(crate) fn applies(harness: &dyn Harness, case: &Case) -> bool {
    match case.subject {
        Subject::Store => harness.object_capabilities().is_some(),
        Subject::Buckets => harness.buckets().is_some(),
        Subject::Compute => harness.compute_capabilities().is_some(),
    }
}

/// How a harness' backend provides a feature.
pub(crate) fn support(harness: &dyn Harness, feature: Feature) -> Support {
    let of = |capabilities: Option<&Capabilities>| {
        capabilities.map_or(Support::Unsupported, |capabilities| capabilities.support(feature))
    };
    match feature {
        Feature::BucketVersioning | Feature::BucketLifecycle | Feature::BucketLocation => {
            of(harness.buckets().as_deref().map(Buckets::capabilities))
        }
        _ if feature.is_compute() => of(harness.compute_capabilities()),
        _ => of(harness.object_capabilities()),
    }
}

/// Fails the case unless the condition holds: `ensure!(condition, "what was expected {}", ...)`.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::case::Failure::new(format!($($message)+)));
        }
    };
}

/// Fails the case unless two values are equal: `ensure_eq!(actual, expected, "of what {}", ...)`.
macro_rules! ensure_eq {
    ($actual:expr, $expected:expr $(,)?) => {
        $crate::case::ensure_eq!($actual, $expected, "{}", stringify!($actual))
    };
    ($actual:expr, $expected:expr, $($message:tt)+) => {
        match (&$actual, &$expected) {
            (actual, expected) => {
                if *actual != *expected {
                    return Err($crate::case::Failure::new(format!(
                        "{}: expected {:?}, got {:?}",
                        format_args!($($message)+),
                        $crate::case::Short(expected),
                        $crate::case::Short(actual),
                    )));
                }
            }
        }
    };
}

/// Defines the cases of one file, and `CASES`, which lists them.
///
/// Each case is a documented `async fn(Context) -> CaseResult`: its documentation is its sentence, and
/// `#[needs(...)]` lists the features without which it cannot be shown.
macro_rules! cases {
    (
        $subject:ident, $area:literal;
        $(
            $(#[doc = $sentence:literal])+
            $(#[needs($($feature:ident),+ $(,)?)])?
            async fn $name:ident($context:ident: Context) -> CaseResult $body:block
        )+
    ) => {
        pub(crate) static CASES: &[$crate::case::Case] = &[$(
            $crate::case::Case {
                name: concat!($area, "/", stringify!($name)),
                sentence: concat!($($sentence),+).trim_ascii(),
                area: $area,
                subject: $crate::case::Subject::$subject,
                features: &[$($(polycloud_core::capability::Feature::$feature),+)?],
                run: |context| Box::pin($name(context)),
            },
        )+];

        $(
            $(#[doc = $sentence])+
            async fn $name($context: $crate::case::Context) -> $crate::case::CaseResult $body
        )+
    };
}

pub(crate) use {cases, ensure, ensure_eq};

/// Prints a value, cut where it gets too long to read.
pub(crate) struct Short<'a, T: ?Sized>(pub(crate) &'a T);

/// Most characters of a value in a message.
const SHORT: usize = 400;

impl<T: fmt::Debug + ?Sized> fmt::Debug for Short<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:?}", self.0);
        match text.char_indices().nth(SHORT) {
            Some((end, _)) => {
                write!(f, "{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len())
            }
            None => f.write_str(&text),
        }
    }
}
