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

/// A sequence that is being made shorter.
struct Shrink<'a> {
    harness: &'a Arc<dyn Harness>,
    versioned: bool,
    sequence: Vec<Step>,
    failure: Failure,
    attempts: usize,
}

/// Makes a sequence short on which the store and the model differ.
async fn shrink(
    harness: &Arc<dyn Harness>,
    versioned: bool,
    mut sequence: Vec<Step>,
    difference: Difference,
) -> (Vec<Step>, Failure) {
    sequence.truncate(difference.steps);
    let failure = difference.failure;
    let mut shrink = Shrink { harness, versioned, sequence, failure, attempts: 0 };
    loop {
        shrink.leave_out().await;
        if !shrink.simplify().await || shrink.attempts > ATTEMPTS {
            return (shrink.sequence, shrink.failure);
        }
    }
}

impl Shrink<'_> {
    /// Takes a sequence over in place of the present one if they differ on it, too.
    async fn attempt(&mut self, mut candidate: Vec<Step>) -> bool {
        self.attempts += 1;
        let Err(difference) = run(self.harness, self.versioned, &candidate).await else {
            return false;
        };
        candidate.truncate(difference.steps);
        (self.sequence, self.failure) = (candidate, difference.failure);
        true
    }

    /// Leaves out what is not needed: first halves, then ever smaller pieces.
    async fn leave_out(&mut self) {
        let mut piece = self.sequence.len().div_ceil(2);
        while piece > 0 && self.attempts <= ATTEMPTS {
            let (mut end, mut shorter) = (self.sequence.len(), false);
            while end > 0 {
                let start = end.saturating_sub(piece);
                let mut candidate = self.sequence.clone();
                candidate.drain(start..end.min(self.sequence.len()));
                shorter |= self.attempt(candidate).await;
                end = start.min(self.sequence.len());
            }
            if !shorter || piece > 1 {
                piece /= 2;
            }
        }
    }

    /// Replaces steps by simpler ones, and tells whether there was one.
    async fn simplify(&mut self) -> bool {
        let mut simplified = false;
        for at in (0..self.sequence.len()).rev() {
            for simpler in self.sequence.get(at).map(Step::simpler).unwrap_or_default() {
                let mut candidate = self.sequence.clone();
                let Some(step) = candidate.get_mut(at) else { continue };
                *step = simpler;
                if self.attempt(candidate).await {
                    simplified = true;
                    break;
                }
            }
        }
        simplified
    }
}
