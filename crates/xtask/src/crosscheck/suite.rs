//! What is checked together.

use clap::ValueEnum;

use super::clients::{self, Client};
use super::deviations::{self, Deviation};
use super::report::Check;
use super::servers::compute::ComputeServer;
use super::servers::{self, Server, compute};
use super::{Bench, NotRun};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Suite {
    /// Amazon S3.
    S3,
    /// Amazon EC2.
    Ec2,
}

impl Suite {
    /// Its parts, in the order in which they are run.
    pub(crate) fn parts(self) -> Vec<Part> {
        let clients = match self {
            Self::S3 => clients::PARTS,
            Self::Ec2 => clients::EC2_PARTS,
        };
        let mut parts: Vec<_> = clients.iter().map(Part::Client).collect();
        match self {
            Self::S3 => parts.extend(servers::PARTS.iter().map(Part::Store)),
            Self::Ec2 => parts.extend(compute::PARTS.iter().map(Part::Compute)),
        }
        parts
    }

    /// What fails in it through no fault of ours.
    pub(crate) fn deviations(self) -> &'static [Deviation] {
        match self {
            Self::S3 => deviations::DEVIATIONS,
            Self::Ec2 => deviations::ec2::DEVIATIONS,
        }
    }
}

/// What is run against what.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// A client of others against our emulator.
    Client(&'static Client),
    /// Our store against a server of others.
    Store(&'static Server),
    /// Our compute against a server of others.
    Compute(&'static ComputeServer),
}

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client(part) => part.name,
            Self::Store(part) => part.name,
            Self::Compute(part) => part.name,
        }
    }

    pub(crate) async fn run(self, bench: &Bench) -> Result<Vec<Check>, NotRun> {
        match self {
            Self::Client(part) => clients::run(bench, part).await,
            Self::Store(part) => servers::run(bench, part).await,
            Self::Compute(part) => compute::run(bench, part).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn parts_have_names_of_their_own_and_deviations_a_part() {
        let mut names = BTreeSet::new();
        for suite in [Suite::S3, Suite::Ec2] {
            let own: BTreeSet<_> = suite.parts().into_iter().map(Part::name).collect();
            assert_eq!(own.len(), suite.parts().len(), "{suite:?}");
            for deviation in suite.deviations() {
                assert!(own.contains(deviation.part), "{}", deviation.part);
            }
            for name in own {
                assert!(names.insert(name), "{name}");
            }
        }
    }
}
