//! A request as the handlers see it.

use std::time::{Duration, SystemTime};

use super::controls::Settings;
use super::error::{Ec2Error, Result};
use super::filters::Filters;
use super::params::{Fields, Params};
use super::state::Region;
use super::xml::Xml;

/// Carries out an action and tells what is in its answer.
pub(crate) type Handler = fn(&mut Region, &Call<'_>) -> Result<Xml>;

/// Names of actions with their handlers.
pub(crate) type Actions = &'static [(&'static str, Handler)];

/// Carries out an operation of a service with JSON.
pub(crate) type JsonHandler =
    fn(&mut Region, &Call<'_>, &serde_json::Value) -> Result<serde_json::Value>;

/// Targets (`AmazonSSM.GetParameter`) with their handlers.
pub(crate) type Targets = &'static [(&'static str, JsonHandler)];

/// A verified request.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) all: &'a Params,
    pub(crate) params: Fields<'a>,
    /// The time of the emulator's clock.
    pub(crate) now: SystemTime,
    pub(crate) settings: &'a Settings,
    /// Who asks.
    pub(crate) account: &'a str,
    pub(crate) request_id: &'a str,
}

impl<'a> Call<'a> {
    /// So much later than now.
    pub(crate) fn after(&self, delay: Duration) -> SystemTime {
        self.now.checked_add(delay).unwrap_or(self.now)
    }

    /// The filters, of which those named are possible, and those for tags.
    pub(crate) fn filters(&self, known: &[&str]) -> Result<Filters<'a>> {
        Filters::parse(&self.params, known)
    }

    /// Ends a request that only asks whether it would be carried out. Handlers call it once all that they
    /// check is checked, and before they change anything.
    pub(crate) fn dry_run(&self) -> Result<()> {
        if self.params.flag("DryRun")? == Some(true) {
            let message = "Request would have succeeded, but DryRun flag is set.";
            return Err(Ec2Error::with_status(412, "DryRunOperation", message));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A call without a network.
    #[derive(Debug, Clone)]
    pub(crate) struct TestCall {
        pairs: Vec<(String, String)>,
        params: Params,
        pub(crate) settings: Settings,
        pub(crate) now: SystemTime,
    }

    impl TestCall {
        pub(crate) fn new(action: &str) -> Self {
            let test = Self {
                pairs: Vec::new(),
                params: Params::default(),
                settings: Settings::default(),
                now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600),
            };
            test.with("Action", action)
        }

        pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
            self.pairs.push((name.to_owned(), value.to_owned()));
            self.params = Params::new(self.pairs.clone());
            self
        }

        /// So many seconds after the others begin.
        pub(crate) fn at(mut self, seconds: u64) -> Self {
            self.now += Duration::from_secs(seconds);
            self
        }

        pub(crate) fn call(&self) -> Call<'_> {
            Call {
                all: &self.params,
                params: self.params.root(),
                now: self.now,
                settings: &self.settings,
                account: "111122223333",
                request_id: "REQUEST",
            }
        }

        /// Settles the region and runs the action's handler in it.
        pub(crate) fn run(&self, region: &mut Region) -> Result<Xml> {
            let call = self.call();
            region.settle(call.now, call.settings);
            let action = call.params.need("Action")?;
            let handler = crate::ec2::handler(action)
                .ok_or_else(|| Ec2Error::new("InvalidAction", action))?;
            handler(region, &call)
        }
    }
}
