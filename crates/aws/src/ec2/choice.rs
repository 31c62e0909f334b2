//! Which machine and which image a create means.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use polycloud_core::Result;
use polycloud_core::compute::{Hardware, ImageSelector, InstanceSpec, InstanceType};

use super::image::ResolvedImage;
use super::{Inner, image, types};

/// How long a choice holds for creates of the same kind: many machines that are made one by one are alike,
/// and cost no more than their launches.
const HOLDS: Duration = Duration::from_secs(300);

/// The last choice, and what it was made for.
#[derive(Debug)]
pub(super) struct Last<T>(Mutex<Option<(Asked, Duration, T)>>);

/// The machine, and the image for its architecture.
pub(super) type Choice = (InstanceType, ResolvedImage);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    hardware: Hardware,
    image: ImageSelector,
    zone: Option<String>,
}

impl Asked {
    fn of(spec: &InstanceSpec) -> Self {
        Self {
            hardware: spec.hardware.clone(),
            image: spec.image.clone(),
            zone: spec.placement.zone.clone(),
        }
    }
}

impl<T: Clone> Last<T> {
    fn get(&self, asked: &Asked, now: Duration) -> Option<T> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, at, choice) = last.as_ref()?;
        (known == asked && now.saturating_sub(*at) < HOLDS).then(|| choice.clone())
    }

    fn put(&self, last: Option<(Asked, Duration, T)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    /// Forgets the choice, as something of it is not there.
    pub(super) fn forget(&self) {
        self.put(None);
    }
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl Inner {
    /// The machine and the image that a create means.
    pub(super) async fn hardware_and_image(&self, spec: &InstanceSpec) -> Result<Choice> {
        let asked = Asked::of(spec);
        let now = self.caller.clock().monotonic();
        if let Some(known) = self.choice.get(&asked, now) {
            return Ok(known);
        }
        let choice = self.choose(spec).await?;
        self.choice.put(Some((asked, now, choice.clone())));
        Ok(choice)
    }

    async fn choose(&self, spec: &InstanceSpec) -> Result<Choice> {
        let zone = spec.placement.zone.as_deref();
        // An image that is named decides about the architecture, where the machine is left open.
        if let (ImageSelector::Id(id), Hardware::Needs(needs)) = (&spec.image, &spec.hardware)
            && needs.arch.is_none()
        {
            let image = image::by_id(self, id).await?;
            let needs = needs.with_arch(image.image.arch);
            let hardware = types::choose(self, &Hardware::Needs(needs), zone).await?;
            return Ok((hardware, image));
        }
        let hardware = types::choose(self, &spec.hardware, zone).await?;
        let image = image::resolve(self, &spec.image, hardware.arch).await?;
        Ok((hardware, image))
    }
}

#[cfg(test)]
mod tests {
    use polycloud_core::compute::InstanceName;

    use super::*;

    #[test]
    fn a_choice_holds_for_the_same_and_for_a_while() {
        let spec = |kind: &str| {
            let spec = InstanceSpec::new(InstanceName::new("web").unwrap());
            Asked::of(&spec.with_hardware(Hardware::of_type(kind)))
        };
        let (last, start) = (Last::default(), Duration::from_secs(7));
        last.put(Some((spec("t3.micro"), start, 1)));
        let late = start + HOLDS;
        let just = late.saturating_sub(Duration::from_nanos(1));
        assert_eq!(last.get(&spec("t3.micro"), just), Some(1));
        assert_eq!(last.get(&spec("t3.large"), start), None);
        assert_eq!(last.get(&spec("t3.micro"), late), None);
        last.forget();
        assert_eq!(last.get(&spec("t3.micro"), start), None);
    }
}
