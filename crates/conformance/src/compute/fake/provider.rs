//! The fake as a [`Compute`].

use std::any::Any;

use async_trait::async_trait;
use polycloud_core::capability::{Feature, Requires};
use polycloud_core::compute::{
    Arch, Compute, ComputeInfo, Console, Count, CreateOptions, CreateReport, Firewalls, Image,
    ImageSelector, Images, Instance, InstanceFilter, InstanceId, InstancePage, InstanceSpec,
    KeyPairs, LabelPatch, Labels, Location, Networks, Prices, Quotas, Resize, RestartMode,
    StopMode, Sweep, TerminateOptions, TypePage, TypeQuery, Volumes,
};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result};

use super::machine::Request;
use super::world::{World, types};
use super::{Fake, Flaw, REGION, ZONES, invalid_state, not_found};

impl Fake {
    fn check(&self, options: &dyn Requires) -> Result<()> {
        if self.has(Flaw::IgnoresCapabilities) {
            return Ok(());
        }
        self.inner.capabilities.check(options)
    }

    fn require(&self, feature: Feature) -> Result<()> {
        if self.has(Flaw::IgnoresCapabilities) {
            return Ok(());
        }
        self.inner.capabilities.require(feature)
    }

    fn check_limits(&self, spec: &InstanceSpec) -> Result<()> {
        let limits = &self.inner.capabilities.limits;
        let data = spec.user_data.as_ref().map_or(0, |data| data.as_bytes().len());
        let fits = limits.user_data_bytes.is_none_or(|most| data as u64 <= most);
        if fits || self.has(Flaw::IgnoresLimits) {
            return self.check_labels(&spec.labels);
        }
        Err(Error::invalid("too much user data"))
    }

    fn check_labels(&self, labels: &Labels) -> Result<()> {
        let most = self.inner.capabilities.limits.labels;
        let fits = most.is_none_or(|most| labels.len() <= usize::try_from(most).unwrap());
        if fits || self.has(Flaw::IgnoresLimits) {
            return Ok(());
        }
        Err(Error::invalid("too many labels"))
    }

    /// The instances that an earlier create with the same token made, by their numbers in it.
    fn earlier(&self, world: &World, request: &Request) -> Result<Vec<(u32, u32)>> {
        let token = &request.options.token;
        if token.is_none() || self.has(Flaw::IgnoresToken) {
            return Ok(Vec::new());
        }
        let machines = || world.machines.values().filter(|m| m.request.options.token == *token);
        let same = machines().all(|machine| machine.request == *request);
        if !same && !self.has(Flaw::IgnoresMismatch) {
            return Err(ErrorKind::IdempotencyMismatch.into());
        }
        Ok(machines().map(|machine| (machine.index, machine.number)).collect())
    }

    fn create_all(&self, request: &Request) -> Result<CreateReport> {
        self.check(&request.spec)?;
        self.check(&request.options)?;
        self.check_limits(&request.spec)?;
        let mut world = self.world();
        let earlier = self.earlier(&world, request)?;
        let (mut made, mut shortfall) = (Vec::new(), None);
        for index in 0..request.count.max() {
            let known = earlier.iter().find(|(of, _)| *of == index);
            match known.map_or_else(|| world.make(request, index), |(_, number)| Ok(*number)) {
                Ok(number) => made.push(number),
                Err(error) => shortfall = shortfall.or(Some(error)),
            }
        }
        if made.len() < usize::try_from(request.count.min()).unwrap() {
            for number in made.iter().filter(|_| !self.has(Flaw::KeepsBelowMin)) {
                world.machine(*number)?.terminate();
            }
            return Err(shortfall.unwrap_or_else(not_found));
        }
        let instances: Result<_> =
            made.iter().map(|number| world.machine(*number)?.instance()).collect();
        Ok(CreateReport::new(instances?, shortfall))
    }

    fn passes(&self, filter: &InstanceFilter, instance: &Instance) -> bool {
        let mut filter = filter.clone();
        if self.has(Flaw::StateFilterIgnored)
            || (self.has(Flaw::ListsTerminated) && filter.states.is_empty())
        {
            filter.states = vec![instance.state()];
        }
        if self.has(Flaw::LabelsMatchAny)
            && filter.labels.iter().any(|(key, value)| instance.labels.get(key) == Some(value))
        {
            filter.labels = Labels::new();
        }
        filter.matches(instance)
    }
}

#[async_trait]
impl Compute for Fake {
    fn info(&self) -> &ComputeInfo {
        &self.inner.info
    }

    fn capabilities(&self) -> &polycloud_core::capability::Capabilities {
        &self.inner.capabilities
    }

    async fn create(&self, spec: &InstanceSpec, options: &CreateOptions) -> Result<Instance> {
        let count = Count::exactly(1)?;
        let report =
            self.create_all(&Request { spec: spec.clone(), options: options.clone(), count })?;
        report.instances.into_iter().next().ok_or_else(not_found)
    }

    async fn create_many(
        &self,
        spec: &InstanceSpec,
        count: Count,
        options: &CreateOptions,
    ) -> Result<CreateReport> {
        self.require(Feature::CreateMany)?;
        polycloud_core::compute::InstanceName::new(format!("{}-{}", spec.name, count.max() - 1))?;
        self.create_all(&Request { spec: spec.clone(), options: options.clone(), count })
    }

    async fn get(&self, id: &InstanceId) -> Result<Instance> {
        let number = self.number(id)?;
        self.world().look(number).ok_or_else(not_found)?.instance()
    }

    async fn list_page(
        &self,
        filter: &InstanceFilter,
        token: Option<&PageToken>,
    ) -> Result<InstancePage> {
        self.check(filter)?;
        let after = match token.map(|token| token.as_str().strip_prefix("after ")) {
            None => 0,
            Some(Some(number)) => number.parse().map_err(|_| Error::invalid("a token"))?,
            Some(None) if self.has(Flaw::TakesAnyPageToken) => 0,
            Some(None) => return Err(Error::invalid("not a token of this listing")),
        };
        // A page is what passes the filter among so many instances, so that pages can be empty.
        let most = self.inner.capabilities.limits.list_page;
        let size = usize::try_from(filter.page_size.unwrap_or(most).clamp(1, most)).unwrap();
        let mut world = self.world();
        let mut rest = world.machines.range(after..).map(|(number, _)| *number);
        let numbers: Vec<_> = rest.by_ref().take(size).collect();
        let repeats = u32::from(!self.has(Flaw::ListsOneTwice) || size == 1);
        let next = rest
            .next()
            .and_then(|_| numbers.last())
            .map(|last| format!("after {}", last + repeats));
        let mut page = InstancePage::new(Vec::new(), next.map(PageToken::new));
        for number in numbers {
            if let Some(machine) = world.look(number) {
                page.instances.push(machine.instance()?);
            }
        }
        page.instances.retain(|instance| self.passes(filter, instance));
        Ok(page)
    }

    async fn start(&self, id: &InstanceId) -> Result<()> {
        let number = self.number(id)?;
        self.world().machine(number)?.start()
    }

    async fn stop(&self, id: &InstanceId, mode: StopMode) -> Result<()> {
        self.check(&mode)?;
        let number = self.number(id)?;
        self.world().machine(number)?.stop(mode)
    }

    async fn restart(&self, id: &InstanceId, mode: RestartMode) -> Result<()> {
        self.check(&mode)?;
        let number = self.number(id)?;
        self.world().machine(number)?.restart(mode)
    }

    async fn terminate(&self, id: &InstanceId, options: &TerminateOptions) -> Result<()> {
        self.check(options)?;
        let number = match self.number(id) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            number => number?,
        };
        match self.world().machines.get_mut(&number) {
            Some(machine) => {
                let owner = &machine.request.options.owner;
                let other = options.only_owner.is_some() && options.only_owner != *owner;
                if other && !self.has(Flaw::IgnoresOwner) {
                    return Err(ErrorKind::PermissionDenied.into());
                }
                machine.terminate();
                Ok(())
            }
            None if self.has(Flaw::TerminateOfUnknownFails) => Err(not_found()),
            None => Ok(()),
        }
    }

    async fn set_labels(&self, id: &InstanceId, patch: &LabelPatch) -> Result<()> {
        self.require(Feature::Labels)?;
        let number = self.number(id)?;
        let mut world = self.world();
        let machine = world.machine(number)?;
        if !machine.lives() {
            return Err(invalid_state());
        }
        let mut labels = machine.labels.clone();
        if self.has(Flaw::LosesLabelsOfOthers) {
            labels = Labels::new();
        }
        labels.apply(patch);
        self.check_labels(&labels)?;
        machine.labels = labels;
        Ok(())
    }

    async fn locations(&self) -> Result<Vec<Location>> {
        let zones = |zones: [&str; 2]| zones.map(str::to_owned);
        Ok(vec![Location::new(REGION, zones(ZONES)), Location::new("fake-2", [])])
    }

    async fn types_page(&self, query: &TypeQuery, token: Option<&PageToken>) -> Result<TypePage> {
        let after = match token.map(|token| token.as_str().parse::<usize>()) {
            None => 0,
            Some(Ok(after)) => after,
            Some(Err(_)) if self.has(Flaw::TakesAnyPageToken) => 0,
            Some(Err(_)) => return Err(Error::invalid("not a token of this listing")),
        };
        let zone = query.zone.as_deref().is_none_or(|zone| ZONES.contains(&zone));
        let found = types().into_iter().filter(|kind| zone && kind.meets(&query.needs));
        let size = usize::try_from(query.page_size.unwrap_or(3).clamp(1, 3)).unwrap();
        let mut rest = found.skip(after).peekable();
        let types = rest.by_ref().take(size).collect();
        let next = rest.peek().map(|_| PageToken::new((after + size).to_string()));
        Ok(TypePage::new(types, next))
    }

    async fn resolve_image(&self, selector: &ImageSelector, arch: Arch) -> Result<Image> {
        self.world().image(selector, arch).map(|(image, _)| image.clone())
    }

    fn key_pairs(&self) -> Option<&dyn KeyPairs> {
        self.facet(Feature::KeyPairs).map(|facet| facet as _)
    }

    fn volumes(&self) -> Option<&dyn Volumes> {
        self.facet(Feature::Volumes).map(|facet| facet as _)
    }

    fn networks(&self) -> Option<&dyn Networks> {
        self.facet(Feature::Networks).map(|facet| facet as _)
    }

    fn firewalls(&self) -> Option<&dyn Firewalls> {
        self.facet(Feature::Firewalls).map(|facet| facet as _)
    }

    fn images(&self) -> Option<&dyn Images> {
        self.facet(Feature::Images).map(|facet| facet as _)
    }

    fn console(&self) -> Option<&dyn Console> {
        self.facet(Feature::Console).map(|facet| facet as _)
    }

    fn quotas(&self) -> Option<&dyn Quotas> {
        self.facet(Feature::Quotas).map(|facet| facet as _)
    }

    fn resize(&self) -> Option<&dyn Resize> {
        self.facet(Feature::Resize).map(|facet| facet as _)
    }

    fn prices(&self) -> Option<&dyn Prices> {
        self.facet(Feature::Prices).map(|facet| facet as _)
    }

    fn sweep(&self) -> Option<&dyn Sweep> {
        self.facet(Feature::Sweep).map(|facet| facet as _)
    }

    fn native(&self) -> &dyn Any {
        self
    }
}

impl Fake {
    fn facet(&self, feature: Feature) -> Option<&Self> {
        self.require(feature).is_ok().then_some(self)
    }
}
