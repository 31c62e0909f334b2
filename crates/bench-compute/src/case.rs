//! What is measured.

use clap::ValueEnum;

/// Instances that a listing finds.
pub(crate) const LISTED: usize = 10_000;
/// Instances that are created, and waited for.
pub(crate) const CREATED: usize = 100;
/// Creates that are under way at a time.
pub(crate) const TASKS: usize = 10;

/// An operation. One measurement is one such, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// List 10,000 instances.
    List,
    /// Create 100 instances one by one, ten at a time.
    Create,
    /// Create 100 instances with one call.
    CreateMany,
    /// Wait for 100 instances until they run.
    Wait,
}

impl Case {
    pub(crate) const ALL: [Self; 4] = [Self::List, Self::Create, Self::CreateMany, Self::Wait];

    /// As in the report and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Create => "create",
            Self::CreateMany => "create-many",
            Self::Wait => "wait",
        }
    }

    /// What it is in words.
    pub(crate) fn title(self) -> String {
        match self {
            Self::List => format!("list {LISTED} instances"),
            Self::Create => format!("create {CREATED}, one by one"),
            Self::CreateMany => format!("create {CREATED} at once"),
            Self::Wait => format!("wait for {CREATED}"),
        }
    }

    /// How long instances take until they run, in milliseconds.
    pub(crate) fn pending(self) -> u64 {
        if self == Self::Wait { 2_000 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for case in Case::ALL {
            assert_eq!(Case::from_str(case.name(), false), Ok(case));
        }
    }
}
