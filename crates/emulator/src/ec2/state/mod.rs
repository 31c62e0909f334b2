//! The state of EC2.

pub(crate) mod addressing;
pub(crate) mod region;
pub(crate) mod tags;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

pub(crate) use self::region::{Event, Region};
use super::controls::Settings;
use super::error::{Ec2Error, Result};
use super::instances;
use super::userdata::Processes;
use crate::clockwork::Dice;

const MAX_REGIONS: usize = 200;

/// EC2 of all accounts. Nothing of it is kept in a folder: instances end with the emulator.
#[derive(Debug)]
pub(crate) struct Ec2 {
    state: Mutex<Ec2State>,
    pub(crate) processes: Processes,
}

impl Ec2 {
    pub(crate) fn new(processes: Processes) -> Self {
        Self { state: Mutex::new(Ec2State::default()), processes }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Ec2State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets happen everywhere what is due.
    pub(crate) fn settle(&self, now: SystemTime) {
        let state = &mut *self.lock();
        state.switch_off(&self.processes.take_off(), now);
        for region in state.regions.values_mut() {
            region.settle(now, &state.settings);
            self.processes.follow(region);
        }
    }

    /// Forgets all resources, and refuses no requests; what else tests set stays.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        state.regions.clear();
        state.throttles.clear();
        drop(state);
        self.processes.kill_all();
    }
}

/// All regions and what they follow.
#[derive(Debug)]
pub(crate) struct Ec2State {
    pub(crate) settings: Settings,
    /// By account and name.
    pub(crate) regions: BTreeMap<(String, String), Region>,
    /// How often an operation is refused because there were too many; `*` stands for all.
    pub(crate) throttles: BTreeMap<String, f64>,
    pub(crate) dice: Dice,
}

impl Default for Ec2State {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            regions: BTreeMap::new(),
            throttles: BTreeMap::new(),
            dice: Dice::new(0),
        }
    }
}

impl Ec2State {
    /// Shuts down instances that have switched themselves off.
    pub(crate) fn switch_off(&mut self, ids: &[String], now: SystemTime) {
        for region in self.regions.values_mut() {
            for id in ids {
                // It is in one region only, and it may be on its way already.
                let _ = instances::shut_down(region, id, now, &self.settings);
            }
        }
    }

    /// A region, as it is before it is used if it is used for the first time, and the settings.
    pub(crate) fn region(&mut self, account: &str, name: &str) -> Result<(&Settings, &mut Region)> {
        let key = (account.to_owned(), name.to_owned());
        if !self.regions.contains_key(&key)
            && (!is_region(name) || self.regions.len() >= MAX_REGIONS)
        {
            let message = "AWS was not able to validate the provided access credentials";
            return Err(Ec2Error::with_status(401, "AuthFailure", message));
        }
        let region = self.regions.entry(key).or_insert_with(|| Region::new(name, account));
        Ok((&self.settings, region))
    }

    /// Whether a request of this operation is one too many.
    pub(crate) fn is_throttled(&mut self, operation: &str) -> bool {
        let rate = self.throttles.get(operation).or_else(|| self.throttles.get("*"));
        rate.is_some_and(|rate| self.dice.unit() < *rate)
    }
}

/// Whether a name looks like `eu-central-1`.
fn is_region(name: &str) -> bool {
    let mut parts = name.split('-').collect::<Vec<_>>();
    let number = parts.pop().unwrap_or_default();
    let letters =
        |part: &&str| part.bytes().all(|byte| byte.is_ascii_lowercase()) && !part.is_empty();
    (2..=4).contains(&parts.len())
        && name.len() <= 32
        && parts.iter().all(letters)
        && number.len() == 1
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_regions() {
        assert!(
            ["us-east-1", "us-gov-west-1", "ap-southeast-5"].iter().all(|name| is_region(name))
        );
        assert!(
            !["", "us", "us-east", "US-east-1", "us--1", "us-east-x"]
                .iter()
                .any(|name| is_region(name))
        );
    }

    #[test]
    fn throttling_by_rate() {
        let mut state = Ec2State::default();
        assert!(!state.is_throttled("RunInstances"));
        state.throttles.insert("RunInstances".to_owned(), 0.5);
        let refused = (0..1000).filter(|_| state.is_throttled("RunInstances")).count();
        assert!((400..600).contains(&refused), "{refused}");
        assert!(!state.is_throttled("DescribeInstances"));
        state.throttles.insert("*".to_owned(), 1.0);
        assert!(state.is_throttled("DescribeInstances"));
    }
}
