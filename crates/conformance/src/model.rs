//! Random sequences of operations, compared step by step with a plain model of a store.
//!
//! The cases of the suite show one behaviour each. This finds what they have no idea of: how behaviours
//! meet. A sequence on which a store and the model differ is made as short as can be and reported with
//! the seed that repeats it.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use polycloud_conformance::{Harness, model};
//! # async fn test(harness: Arc<dyn Harness>) {
//! model::check(&harness, false, 0..200, 60).await.unwrap();
//! # }
//! ```

mod reference;
mod run;
mod step;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use polycloud_core::clock::SeededRandom;

use self::run::Run;
use self::step::{Dice, Step};
use crate::case::Failure;
use crate::harness::{Harness, StoreSetup};

/// Most sequences that are tried to make one shorter.
const ATTEMPTS: usize = 2_000;

/// Runs one sequence of so many steps for each seed, each on a bucket of its own that keeps older versions
/// or does not, and stops at the first on which the store and the model differ.
///
/// What a backend does not support is left out of the sequences. The operations are those of
/// [`ObjectStore`](polycloud_core::object::ObjectStore) but for `delete_many`, `signer` and `multipart`.
///
/// # Errors
/// The shortest sequence that was found on which they differ.
pub async fn check(
    harness: &Arc<dyn Harness>,
    versioned: bool,
    seeds: Range<u64>,
    steps: usize,
) -> Result<(), Counterexample> {
    for seed in seeds {
        let random = SeededRandom::new(seed);
        let dice = Dice { random: &random, versioned };
        let sequence: Vec<_> = (0..steps).map(|_| dice.step()).collect();
        if let Err(difference) = run(harness, versioned, &sequence).await {
            let (sequence, failure) = shrink(harness, versioned, sequence, difference).await;
            return Err(Counterexample {
                backend: harness.name().to_owned(),
                seed,
                versioned,
                length: steps,
                steps: sequence.iter().map(|step| format!("{step:?}")).collect(),
                failure: failure.to_string(),
            });
        }
    }
    Ok(())
}

/// A sequence of operations on which a store and the model differ.
#[derive(Clone)]
#[non_exhaustive]
pub struct Counterexample {
    /// The name of the backend.
    pub backend: String,
    /// The seed of the sequence.
    pub seed: u64,
    /// Whether the bucket keeps older versions.
    pub versioned: bool,
    /// How many steps the sequence had at first.
    pub length: usize,
    /// The steps that are left of it. The difference shows in the last one, or after it when everything
    /// that the store holds is compared.
    pub steps: Vec<String>,
    /// The difference.
    pub failure: String,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backend, seed, versioned, length, steps, failure } = self;
        writeln!(f, "{backend} differs from the model: {failure}")?;
        for (number, step) in (1..).zip(steps) {
            writeln!(f, "  {number}. {step}")?;
        }
        write!(f, "repeat: model::check(&harness, {versioned}, {seed}..{}, {length})", seed + 1)
    }
}

impl fmt::Debug for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Counterexample {}

/// Where a run went wrong: after how many steps, and how.
struct Difference {
    steps: usize,
    failure: Failure,
}

async fn run(
    harness: &Arc<dyn Harness>,
    versioned: bool,
    sequence: &[Step],
) -> Result<(), Difference> {
    let setup = if versioned { StoreSetup::versioned() } else { StoreSetup::default() };
    let store = harness.store(&setup).await;
    let store = store.map_err(|error| Difference { steps: 0, failure: error.into() })?;
    let mut run = Run::new(store, versioned);
    for (done, step) in (1..).zip(sequence) {
        run.step(step).await.map_err(|failure| Difference { steps: done, failure })?;
    }
    run.end().await.map_err(|failure| Difference { steps: sequence.len(), failure })
}

/// Leaves out of a sequence what is not needed for a difference: first halves, then ever smaller pieces,
/// then parts of single steps.
async fn shrink(
    harness: &Arc<dyn Harness>,
    versioned: bool,
    mut sequence: Vec<Step>,
    difference: Difference,
) -> (Vec<Step>, Failure) {
    sequence.truncate(difference.steps);
    let (mut failure, mut attempts) = (difference.failure, 0);
    let mut piece = sequence.len().div_ceil(2).max(1);
    loop {
        let mut shorter = false;
        let candidates = (0..sequence.len()).step_by(piece).rev();
        for start in candidates {
            let end = (start + piece).min(sequence.len());
            let mut candidate = sequence.clone();
            candidate.drain(start.min(end)..end);
            attempts += 1;
            if let Err(difference) = run(harness, versioned, &candidate).await {
                candidate.truncate(difference.steps);
                (sequence, failure, shorter) = (candidate, difference.failure, true);
            }
        }
        if attempts > ATTEMPTS || (piece == 1 && !shorter) {
            break;
        }
        if !shorter {
            piece = (piece / 2).max(1);
        }
        piece = piece.min(sequence.len().max(1));
    }
    for at in 0..sequence.len() {
        for simpler in sequence.get(at).map(Step::simpler).unwrap_or_default() {
            let mut candidate = sequence.clone();
            if let Some(step) = candidate.get_mut(at) {
                *step = simpler;
            }
            if let Err(difference) = run(harness, versioned, &candidate).await
                && difference.steps == candidate.len()
            {
                (sequence, failure) = (candidate, difference.failure);
            }
        }
    }
    (sequence, failure)
}
