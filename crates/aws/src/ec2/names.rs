//! The names of instances: which are free, and giving them.

use aws_sdk_ec2::types as sdk;
use polycloud_core::{Error, ErrorKind, Result};

use super::list::{LIVING, filter, flatten};
use super::patience::CONSISTENCY;
use super::plan::Request;
use super::{Inner, tags};

impl Inner {
    /// The instances that creates with a token have made.
    pub(super) async fn find_by_token(&self, token: &str) -> Result<Vec<sdk::Instance>> {
        self.find(vec![filter(format!("tag:{}", tags::TOKEN), [token])]).await
    }

    /// The names of a create that no living instance of another one has.
    pub(super) async fn free_names(&self, request: &Request<'_>) -> Result<Vec<String>> {
        let name = request.spec.name.as_str();
        let pattern = if request.count.max() == 1 { name.to_owned() } else { format!("{name}-*") };
        // The other characters of a name have no meaning in a pattern.
        let by_name = sdk::Filter::builder().name("tag:Name").values(pattern).build();
        let living = self.find(vec![by_name, filter("instance-state-name", LIVING)]).await?;
        let taken: Vec<_> = living
            .iter()
            .filter(|other| tags::value(other.tags(), tags::TOKEN) != Some(&request.token))
            .filter_map(|other| tags::value(other.tags(), tags::NAME))
            .collect();
        let (free, others): (Vec<_>, Vec<_>) = request
            .names
            .iter()
            .map(ToString::to_string)
            .partition(|name| !taken.contains(&name.as_str()));
        if free.len() < usize::try_from(request.count.min()).unwrap_or(usize::MAX) {
            let others = others.join(", ");
            return Err(Error::new(ErrorKind::AlreadyExists)
                .with_message(format!("there are living instances by the name of {others}")));
        }
        Ok(free)
    }

    /// Gives each instance that was launched together with others its own of these names.
    pub(super) async fn assign_names(
        &self,
        request: &Request<'_>,
        names: &[String],
        instances: Vec<sdk::Instance>,
    ) -> Result<Vec<(sdk::Instance, String)>> {
        let has: Vec<_> = instances.iter().map(|made| own_name(request, made)).collect();
        let used = |name: &String| has.iter().flatten().any(|has| has == name);
        let mut free =
            names.iter().filter(|name| !used(name)).cloned().collect::<Vec<_>>().into_iter();
        let mut named = Vec::with_capacity(instances.len());
        for (instance, has) in instances.into_iter().zip(has) {
            let name = match has {
                Some(name) => name,
                None => {
                    let name = free.next().ok_or_else(|| Error::new(ErrorKind::AlreadyExists))?;
                    let native = instance.instance_id().unwrap_or_default();
                    self.until_seen(|| self.put_tags(native, vec![tags::tag(tags::NAME, &name)]))
                        .await?;
                    name
                }
            };
            named.push((instance, name));
        }
        Ok(named)
    }

    /// The instances as they are read, once they can be. What is not to be seen for long is shown as it was
    /// launched.
    pub(super) async fn as_seen(
        &self,
        named: Vec<(sdk::Instance, String)>,
    ) -> Vec<(sdk::Instance, String)> {
        let ids: Vec<_> =
            named.iter().filter_map(|(made, _)| made.instance_id().map(str::to_owned)).collect();
        let all = self.look(CONSISTENCY, || self.read_all(&ids)).await;
        let Ok(Some(all)) = all else { return named };
        let newest = |(made, name): (sdk::Instance, String)| {
            let read = all.iter().find(|read| read.instance_id() == made.instance_id());
            (read.cloned().unwrap_or(made), name)
        };
        named.into_iter().map(newest).collect()
    }

    /// All of these instances, or nothing if one of them cannot be seen.
    async fn read_all(&self, ids: &[String]) -> Result<Option<Vec<sdk::Instance>>> {
        let request = self.caller.client().describe_instances();
        let request = request.set_instance_ids(Some(ids.to_vec()));
        match self.caller.call("DescribeInstances", request.send()).await {
            Ok(answer) => {
                let all = flatten(answer.reservations);
                Ok(Some(all).filter(|all| all.len() >= ids.len()))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether all instances have their own name already.
pub(super) fn is_named(request: &Request<'_>, instances: &[sdk::Instance]) -> bool {
    instances.iter().all(|instance| own_name(request, instance).is_some())
}

/// The name of an instance, if it is the one that it is to keep.
fn own_name(request: &Request<'_>, instance: &sdk::Instance) -> Option<String> {
    if let [only] = request.names.as_slice() {
        return Some(only.to_string());
    }
    let name = tags::value(instance.tags(), tags::NAME)?;
    request.names.iter().any(|own| own.as_str() == name).then(|| name.to_owned())
}
