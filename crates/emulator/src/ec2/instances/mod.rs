//! Instances.

mod model;

use std::time::SystemTime;

pub(crate) use self::model::{Instance, State};
use super::call::Actions;
use super::controls::Settings;
use super::state::Region;

pub(crate) const ACTIONS: Actions = &[];

impl Region {
    pub(crate) fn has_spot_request(&self, id: &str) -> bool {
        self.instances.values().any(|instance| instance.spot_request.as_deref() == Some(id))
    }
}

/// What happens to an instance at its time.
pub(crate) fn settle(region: &mut Region, id: &str, due: SystemTime, _settings: &Settings) {
    if let Some(instance) = region.instances.get_mut(id) {
        instance.changed = due;
    }
}
