//! Creating instances: once, completely, or not at all.

use aws_sdk_ec2::types as sdk;
use polycloud_core::compute::{Count, CreateOptions, CreateReport, Instance, InstanceSpec};
use polycloud_core::{Error, ErrorKind, Outcome, ResourceRef, Result};

use super::launch::{Made, Plan};
use super::ledger::{GROUP, INSTANCE, KEY_PAIR, Ledger};
use super::list::filter;
use super::names::is_named;
use super::patience::CONSISTENCY;
use super::plan::Request;
use super::removal::{is_ending, unsure};
use super::{Ec2Compute, Inner, tags, user_data};

/// Client tokens that EC2 remembers of instances that were removed again, at most.
const ATTEMPTS: u32 = 8;

impl Ec2Compute {
    /// See [`create_many`](polycloud_core::compute::Compute::create_many).
    pub(super) async fn create_all(
        &self,
        spec: &InstanceSpec,
        count: Count,
        options: &CreateOptions,
    ) -> Result<CreateReport> {
        let inner = &*self.0;
        inner.capabilities.check(spec)?;
        inner.capabilities.check(options)?;
        inner.check_labels(&spec.labels)?;
        let user_data = user_data::compose(spec)?;
        let request = Request::new(spec, count, options, &**inner.caller.random())?;
        if request.is_given {
            let known = inner.find_by_token(&request.token).await?;
            if known.iter().any(|made| !request.launched(made)) {
                return Err(ErrorKind::IdempotencyMismatch.into());
            }
            if !known.is_empty() {
                let known = inner.all_launched(&request, known).await?;
                if !inner.is_undone(&request, &known)? {
                    return inner.repeated(&request, known).await;
                }
            }
        }
        let names = inner.free_names(&request).await?;
        let (hardware, image) = inner.hardware_and_image(spec).await?;
        let most = u32::try_from(names.len()).unwrap_or(u32::MAX).min(count.max());
        let count = (count.min(), most);
        let plan = Plan { request: &request, hardware, image, user_data, names, count };
        let built = self.build(&plan).await;
        if built.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            inner.choice.forget();
        }
        let instances = built?;
        let all = plan.names.len() == request.names.len();
        let shortfall = if all { ErrorKind::NoCapacity } else { ErrorKind::AlreadyExists };
        inner.report(&request, &instances, shortfall)
    }

    /// Makes all of it, or removes again what was made.
    async fn build(&self, plan: &Plan<'_>) -> Result<Vec<(sdk::Instance, String)>> {
        let mut ledger = Ledger::open(&self.0, plan.request).await?;
        match self.make(plan, &mut ledger).await {
            Ok(instances) => {
                ledger.keep().await?;
                Ok(instances)
            }
            Err(error) => Err(ledger.undo(error).await),
        }
    }

    async fn make(
        &self,
        plan: &Plan<'_>,
        ledger: &mut Ledger,
    ) -> Result<Vec<(sdk::Instance, String)>> {
        let made = Made {
            group: self.make_ingress(plan, ledger).await?,
            key_pair: self.make_key_pair(plan, ledger).await?,
        };
        let instances = self.make_instances(plan, &made, ledger).await?;
        if let Some(name) = &made.key_pair {
            // The instances keep the key.
            self.0.delete_key_pair(name).await?;
        }
        let named = self.0.assign_names(plan.request, &plan.names, instances).await?;
        Ok(self.0.as_seen(named).await)
    }

    async fn make_ingress(&self, plan: &Plan<'_>, ledger: &mut Ledger) -> Result<Option<String>> {
        let rules = &plan.request.spec.ingress;
        if rules.is_empty() {
            return Ok(None);
        }
        let vpc = match &self.0.subnet {
            Some(subnet) => Some(self.0.vpc_of(subnet).await?),
            None => None,
        };
        let name = plan.request.child_name();
        let mut tags = plan.tags(&name);
        tags.push(tags::tag(tags::CREATED, &tags::time(self.0.caller.now())));
        let id = match self.0.make_group(&name, vpc.as_deref(), tags).await {
            Ok(id) => id,
            Err(error) => {
                if error.outcome() == Outcome::Unknown {
                    let (own, token) = (self.clone(), plan.request.token.clone());
                    let what = ResourceRef::new(GROUP, name.clone());
                    ledger.suspect(
                        what,
                        async move { own.0.delete_group_by_name(&name, &token).await },
                    );
                }
                return Err(error);
            }
        };
        let (own, group) = (self.clone(), id.clone());
        let remove = async move { own.0.delete_new_group(&group).await };
        ledger.note(ResourceRef::new(GROUP, id.clone()), remove).await?;
        self.0.authorize(&id, rules).await?;
        Ok(Some(id))
    }

    async fn make_key_pair(&self, plan: &Plan<'_>, ledger: &mut Ledger) -> Result<Option<String>> {
        let Some(key) = user_data::paired_key(plan.request.spec) else { return Ok(None) };
        let name = plan.request.child_name();
        let tags = tags::specification(sdk::ResourceType::KeyPair, plan.tags(&name));
        let imported = match self.0.import_key_pair(&name, key, tags).await {
            // It is there from an attempt whose answer was lost: nobody else has the name.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            imported => imported,
        };
        let is_unclear = imported.as_ref().is_err_and(|error| error.outcome() == Outcome::Unknown);
        if imported.is_ok() || is_unclear {
            let (own, key_pair) = (self.clone(), name.clone());
            let remove = async move {
                let deleted = own.0.delete_key_pair(&key_pair).await;
                deleted.map_err(|error| if is_unclear { unsure(error) } else { error })
            };
            ledger.note(ResourceRef::new(KEY_PAIR, name.clone()), remove).await?;
        }
        imported.map(|()| Some(name))
    }

    async fn make_instances(
        &self,
        plan: &Plan<'_>,
        made: &Made,
        ledger: &mut Ledger,
    ) -> Result<Vec<sdk::Instance>> {
        let instances = match self.0.launch_once(plan, made).await {
            Ok(instances) => instances,
            Err(error) => {
                if error.outcome() == Outcome::Unknown {
                    let (own, token) = (self.clone(), plan.request.token.clone());
                    let what = ResourceRef::new(INSTANCE, format!("with token {token}"));
                    let count = plan.count;
                    ledger.suspect(
                        what,
                        async move { own.0.terminate_by_token(&token, count).await },
                    );
                }
                return Err(error);
            }
        };
        for instance in &instances {
            let native = instance.instance_id().unwrap_or_default();
            self.0.made(native);
            let what = ResourceRef::new(INSTANCE, self.0.id(native)?.to_string());
            let (own, instance) = (self.clone(), instance.clone());
            ledger.suspect(what, async move { own.0.take_back(&instance).await });
        }
        Ok(instances)
    }
}

impl Inner {
    /// All instances that a create has launched, of which some are seen: those that were launched together
    /// are not all seen at the same time.
    async fn all_launched(
        &self,
        request: &Request<'_>,
        mut known: Vec<sdk::Instance>,
    ) -> Result<Vec<sdk::Instance>> {
        let most = usize::try_from(request.count.max()).unwrap_or(usize::MAX);
        let launched = known.iter().filter_map(super::instance::created).max();
        let now = self.caller.now();
        let age = launched.and_then(|at| now.duration_since(at).ok()).unwrap_or_default();
        if known.len() < most && age < CONSISTENCY {
            let window = CONSISTENCY.saturating_sub(age);
            known = self.find_launched(&request.token, most, window).await?;
        }
        Ok(known)
    }

    /// Whether instances are what a create has taken back again. Fewer than it needs were never launched.
    ///
    /// It fails if a part of them lives: they may be in use, so that they are not for this create to remove.
    fn is_undone(&self, request: &Request<'_>, known: &[sdk::Instance]) -> Result<bool> {
        let least = usize::try_from(request.count.min()).unwrap_or(usize::MAX);
        if known.len() >= least {
            return Ok(false);
        }
        let mut left = Vec::new();
        for instance in known.iter().filter(|instance| !is_ending(instance)) {
            let id = self.id(instance.instance_id().unwrap_or_default())?;
            left.push(ResourceRef::new(INSTANCE, id.to_string()));
        }
        if left.is_empty() {
            return Ok(true);
        }
        Err(Error::new(ErrorKind::InvalidState)
            .with_message("only a part is left of what was created by this token")
            .with_outcome(Outcome::Applied)
            .with_leaked(left))
    }

    /// What a create that is repeated returns: what the first one has made, completed if it was not.
    async fn repeated(
        &self,
        request: &Request<'_>,
        mut known: Vec<sdk::Instance>,
    ) -> Result<CreateReport> {
        known.sort_by_key(|instance| instance.ami_launch_index());
        if user_data::paired_key(request.spec).is_some() {
            self.delete_key_pair(&request.child_name()).await?;
        }
        let names = if is_named(request, &known) {
            request.names.iter().map(ToString::to_string).collect()
        } else {
            self.free_names(request).await?
        };
        let named = self.assign_names(request, &names, known).await?;
        self.report(request, &named, ErrorKind::NoCapacity)
    }

    /// Launches instances, or finds those that the token has launched already.
    async fn launch_once(&self, plan: &Plan<'_>, made: &Made) -> Result<Vec<sdk::Instance>> {
        let request = plan.request;
        let mut attempt = 0;
        loop {
            let token = request.client_token(attempt);
            attempt += 1;
            let found = match self.launch(plan, made, &token).await {
                Ok(instances) => instances,
                Err(error) => self.launched_before(request, &token, error).await?,
            };
            // Those of an attempt that was taken back. EC2 remembers its token for a while.
            if attempt < ATTEMPTS && found.iter().all(is_ending) {
                continue;
            }
            return Ok(found);
        }
    }

    /// The instances of an earlier attempt, if it is only in a detail of EC2's that the two differ.
    async fn launched_before(
        &self,
        request: &Request<'_>,
        client_token: &str,
        error: Error,
    ) -> Result<Vec<sdk::Instance>> {
        if error.code() == Some("IdempotentInstanceTerminated") {
            return Ok(Vec::new());
        }
        if error.kind() != ErrorKind::IdempotencyMismatch {
            return Err(error);
        }
        let found = self.look(CONSISTENCY, || async {
            let found = self.find(vec![filter("client-token", [client_token])]).await?;
            Ok(Some(found).filter(|found| !found.is_empty()))
        });
        let fits = |made: &sdk::Instance| request.launched(made) || is_ending(made);
        match found.await {
            Ok(Some(found)) if found.iter().all(fits) => Ok(found),
            _ => Err(error),
        }
    }

    fn report(
        &self,
        request: &Request<'_>,
        instances: &[(sdk::Instance, String)],
        shortfall: ErrorKind,
    ) -> Result<CreateReport> {
        let mut all = Vec::with_capacity(instances.len());
        for (from, name) in instances {
            let mut instance = self.instance(from)?;
            instance.name = name.parse()?;
            all.push(instance);
        }
        let position = |made: &Instance| request.names.iter().position(|name| *name == made.name);
        all.sort_by_key(position);
        let most = usize::try_from(request.count.max()).unwrap_or(usize::MAX);
        let shortfall = (all.len() < most).then(|| Error::new(shortfall));
        Ok(CreateReport::new(all, shortfall))
    }
}
