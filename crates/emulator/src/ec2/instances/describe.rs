//! `DescribeInstances`.

use super::check_ids;
use super::document::{Volumes, dns_name, private_name, public_ip, volumes, write_reservation};
use super::model::Instance;
use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::filters::Filters;
use crate::ec2::paging::page;
use crate::ec2::state::Region;
use crate::ec2::time;
use crate::ec2::xml::Xml;

const FILTERS: [&str; 60] = [
    "affinity",
    "architecture",
    "availability-zone",
    "block-device-mapping.attach-time",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.status",
    "block-device-mapping.volume-id",
    "client-token",
    "dns-name",
    "hibernation-options.configured",
    "hypervisor",
    "iam-instance-profile.arn",
    "iam-instance-profile.id",
    "image-id",
    "instance-id",
    "instance-lifecycle",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "instance.group-id",
    "instance.group-name",
    "group-id",
    "group-name",
    "ip-address",
    "key-name",
    "launch-index",
    "launch-time",
    "metadata-options.http-endpoint",
    "metadata-options.http-tokens",
    "monitoring-state",
    "network-interface.addresses.association.public-ip",
    "network-interface.addresses.private-ip-address",
    "network-interface.association.public-ip",
    "network-interface.attachment.attachment-id",
    "network-interface.description",
    "network-interface.group-id",
    "network-interface.network-interface-id",
    "network-interface.private-ip-address",
    "network-interface.subnet-id",
    "network-interface.vpc-id",
    "owner-id",
    "placement-group-name",
    "platform",
    "private-dns-name",
    "private-ip-address",
    "product-code",
    "ramdisk-id",
    "reason",
    "requester-id",
    "reservation-id",
    "root-device-name",
    "root-device-type",
    "source-dest-check",
    "spot-instance-request-id",
    "state-reason-code",
    "state-reason-message",
    "subnet-id",
    "tenancy",
    "vpc-id",
];

pub(super) fn describe_instances(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let region = &*region;
    let ids = call.params.list("InstanceId");
    check_ids(region, call, &ids)?;
    let filters = call.filters(&FILTERS)?;
    if !ids.is_empty() && call.params.text("MaxResults").is_some() {
        let message = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(Ec2Error::combination(message));
    }
    call.dry_run()?;
    let asked = Asked { region, call, filters: &filters };
    let found = if ids.is_empty() {
        let volumes = volumes(region, |_| true);
        let seen = region.instances.values().filter(|known| region.sees(&known.id, call));
        asked.pass(seen, &volumes)
    } else {
        let named = ids.iter().collect::<std::collections::BTreeSet<_>>();
        let volumes = volumes(region, |id| named.contains(&id));
        asked.pass(named.iter().filter_map(|id| region.instances.get(**id)), &volumes)
    };
    let key =
        |instance: &&Instance| format!("{} {:08}", instance.reservation, instance.launch_index);
    let page = page(call, found, key, 5..=1000)?;
    let shown = page.items.iter().map(|instance| instance.id.as_str());
    let shown = shown.collect::<std::collections::BTreeSet<_>>();
    let volumes = volumes(region, |id| shown.contains(id));
    let mut xml = Xml::new();
    let reservations = page.items.chunk_by(|one, other| one.reservation == other.reservation);
    xml.list("reservationSet", reservations, |xml, instances| {
        if let Some(first) = instances.first() {
            write_reservation(xml, region, &first.reservation, instances, &volumes);
        }
    });
    page.write_next(&mut xml);
    Ok(xml)
}

struct Asked<'r, 'a> {
    region: &'r Region,
    call: &'r Call<'a>,
    filters: &'r Filters<'a>,
}

impl<'r> Asked<'r, '_> {
    fn pass(
        &self,
        instances: impl Iterator<Item = &'r Instance>,
        volumes: &Volumes<'_>,
    ) -> Vec<&'r Instance> {
        let passes = |instance: &&Instance| {
            let tags = self.region.tags.of(&instance.id);
            self.filters.pass(tags, |name| self.values(instance, name, volumes))
        };
        instances.filter(passes).collect()
    }

    /// The values of an instance for a filter.
    fn values(&self, instance: &Instance, name: &str, volumes: &Volumes<'_>) -> Vec<String> {
        if let Some(name) = name.strip_prefix("block-device-mapping.") {
            let own = volumes.get(instance.id.as_str()).map_or(&[][..], Vec::as_slice);
            let attachments = own.iter().filter_map(|volume| {
                volume.attachment.as_ref().map(|attachment| (volume, attachment))
            });
            return attachments
                .map(|(volume, attachment)| match name {
                    "attach-time" => time::text(attachment.since),
                    "delete-on-termination" => attachment.delete_on_termination.to_string(),
                    "device-name" => attachment.device.clone(),
                    "status" => attachment.state.to_owned(),
                    _ => volume.id.clone(),
                })
                .collect();
        }
        match network_filter(name) {
            Some(name) => self.of_network(instance, name),
            None => self.of_instance(instance, name).into_iter().collect(),
        }
    }

    fn of_network(&self, instance: &Instance, name: &str) -> Vec<String> {
        let all = instance.interfaces.iter().filter_map(|id| self.region.interfaces.get(id));
        let region = self.region;
        all.flat_map(|interface| match name {
            "dns-name" => dns_name(region, interface).into_iter().collect(),
            "private-dns-name" => vec![private_name(region, interface)],
            "group-id" => interface.groups.clone(),
            "group-name" => {
                let groups = interface.groups.iter();
                let groups = groups.filter_map(|id| region.security_groups.get(id));
                groups.map(|group| group.name.clone()).collect()
            }
            "public-ip" => {
                public_ip(region, interface).map(|(address, _)| address).into_iter().collect()
            }
            "private-ip" => vec![interface.private_ip.to_string()],
            "attachment" => {
                interface.attachment.iter().map(|attachment| attachment.id.clone()).collect()
            }
            "description" => vec![interface.description.clone()],
            "id" => vec![interface.id.clone()],
            "subnet" => vec![interface.subnet.clone()],
            "vpc" => vec![interface.vpc.clone()],
            _ => vec![interface.source_dest_check.to_string()],
        })
        .collect()
    }

    fn of_instance(&self, instance: &Instance, name: &str) -> Option<String> {
        let text = |text: &str| Some(text.to_owned());
        match name {
            "architecture" => text(&instance.architecture),
            "availability-zone" => text(&instance.zone),
            "client-token" => instance.client_token.clone(),
            "hibernation-options.configured" => Some(instance.hibernation.to_string()),
            "hypervisor" => text("xen"),
            "iam-instance-profile.arn" => instance.profile.as_ref().map(|(arn, _)| arn.clone()),
            "iam-instance-profile.id" => instance.profile.as_ref().map(|(_, id)| id.clone()),
            "image-id" => text(&instance.image),
            "instance-id" => text(&instance.id),
            "instance-lifecycle" => instance.is_spot().then(|| "spot".to_owned()),
            "instance-state-code" => Some(instance.state.code().to_string()),
            "instance-state-name" => text(instance.state.name()),
            "instance-type" => text(&instance.machine_type),
            "key-name" => instance.key_name.clone(),
            "launch-index" => Some(instance.launch_index.to_string()),
            "launch-time" => Some(time::text(instance.launched)),
            "metadata-options.http-endpoint" => text(&instance.metadata.endpoint),
            "metadata-options.http-tokens" => text(&instance.metadata.tokens),
            "monitoring-state" => text(if instance.monitoring { "enabled" } else { "disabled" }),
            "owner-id" => text(self.call.account),
            "placement-group-name" => instance.placement_group.clone(),
            "reason" => text(&instance.transition_reason),
            "reservation-id" => text(&instance.reservation),
            "root-device-name" => text(&instance.root_device),
            "root-device-type" => text("ebs"),
            "spot-instance-request-id" => instance.spot_request.clone(),
            "state-reason-code" => instance.reason.as_ref().map(|reason| reason.code.clone()),
            "state-reason-message" => instance.reason.as_ref().map(|reason| reason.message.clone()),
            "tenancy" => text(&instance.tenancy),
            _ => None,
        }
    }
}

/// The property of interfaces that a filter is about.
fn network_filter(name: &str) -> Option<&'static str> {
    Some(match name {
        "dns-name" => "dns-name",
        "private-dns-name" => "private-dns-name",
        "instance.group-id" | "group-id" | "network-interface.group-id" => "group-id",
        "instance.group-name" | "group-name" => "group-name",
        "ip-address"
        | "network-interface.association.public-ip"
        | "network-interface.addresses.association.public-ip" => "public-ip",
        "private-ip-address"
        | "network-interface.private-ip-address"
        | "network-interface.addresses.private-ip-address" => "private-ip",
        "network-interface.attachment.attachment-id" => "attachment",
        "network-interface.description" => "description",
        "network-interface.network-interface-id" => "id",
        "subnet-id" | "network-interface.subnet-id" => "subnet",
        "vpc-id" | "network-interface.vpc-id" => "vpc",
        "source-dest-check" => "source-dest-check",
        _ => return None,
    })
}
