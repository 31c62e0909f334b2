//! What networks there are.

use super::{Subnet, Vpc, missing_subnet, missing_vpc};
use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::paging::page;
use crate::ec2::select::{select, truth};
use crate::ec2::state::Region;
use crate::ec2::xml::Xml;
use crate::ec2::zones;

/// An id that belongs to a network alone, such as that of its gateway.
fn derived(vpc: &str, prefix: &str) -> String {
    vpc.replacen("vpc", prefix, 1)
}

const VPC_FILTERS: [&str; 10] = [
    "cidr",
    "cidr-block-association.association-id",
    "cidr-block-association.cidr-block",
    "cidr-block-association.state",
    "dhcp-options-id",
    "is-default",
    "isDefault",
    "owner-id",
    "state",
    "vpc-id",
];

pub(super) fn describe_vpcs(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let filters = call.filters(&VPC_FILTERS)?;
    let ids = call.params.list("VpcId");
    let mut vpcs = select(region, call, &region.vpcs, &ids, missing_vpc)?;
    call.dry_run()?;
    vpcs.retain(|vpc| {
        filters.pass(region.tags.of(&vpc.id), |field| match field {
            "cidr" | "cidr-block-association.cidr-block" => vec![vpc.cidr.clone()],
            "cidr-block-association.association-id" => vec![derived(&vpc.id, "vpc-cidr-assoc")],
            "cidr-block-association.state" => vec!["associated".to_owned()],
            "dhcp-options-id" => vec![derived(&vpc.id, "dopt")],
            "is-default" | "isDefault" => truth(vpc.is_default),
            "owner-id" => vec![region.account.clone()],
            "state" => vec!["available".to_owned()],
            _ => vec![vpc.id.clone()],
        })
    });
    let page = page(call, vpcs, |vpc| vpc.id.clone(), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("vpcSet", &page.items, |xml, vpc| write_vpc(xml, region, vpc));
    page.write_next(&mut xml);
    Ok(xml)
}

pub(super) fn write_vpc(xml: &mut Xml, region: &Region, vpc: &Vpc) {
    xml.text("vpcId", &vpc.id)
        .text("ownerId", &region.account)
        .text("state", "available")
        .text("cidrBlock", &vpc.cidr)
        .list("cidrBlockAssociationSet", [vpc], |xml, vpc| {
            xml.text("associationId", &derived(&vpc.id, "vpc-cidr-assoc"))
                .text("cidrBlock", &vpc.cidr)
                .element("cidrBlockState", |xml| {
                    xml.text("state", "associated");
                });
        })
        .text("dhcpOptionsId", &derived(&vpc.id, "dopt"))
        .text("instanceTenancy", "default")
        .value("isDefault", vpc.is_default);
    region.tags.write(xml, &vpc.id);
}

const SUBNET_FILTERS: [&str; 16] = [
    "availability-zone",
    "availability-zone-id",
    "availabilityZone",
    "available-ip-address-count",
    "cidr",
    "cidr-block",
    "cidrBlock",
    "default-for-az",
    "defaultForAz",
    "map-public-ip-on-launch",
    "owner-id",
    "state",
    "subnet-arn",
    "subnet-id",
    "ipv6-native",
    "vpc-id",
];

pub(super) fn describe_subnets(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let filters = call.filters(&SUBNET_FILTERS)?;
    let ids = call.params.list("SubnetId");
    let mut subnets = select(region, call, &region.subnets, &ids, missing_subnet)?;
    call.dry_run()?;
    subnets.retain(|subnet| {
        filters.pass(region.tags.of(&subnet.id), |field| match field {
            "availability-zone" | "availabilityZone" => vec![subnet.zone.clone()],
            "availability-zone-id" => vec![zones::id(&region.name, &subnet.zone)],
            "available-ip-address-count" => vec![region.free_private_ips(&subnet.id).to_string()],
            "cidr" | "cidr-block" | "cidrBlock" => vec![subnet.cidr()],
            "default-for-az" | "defaultForAz" => truth(subnet.default_for_zone),
            "map-public-ip-on-launch" => truth(subnet.map_public_ip),
            "owner-id" => vec![region.account.clone()],
            "state" => vec!["available".to_owned()],
            "subnet-arn" => vec![arn(region, subnet)],
            "subnet-id" => vec![subnet.id.clone()],
            "ipv6-native" => truth(false),
            _ => vec![subnet.vpc.clone()],
        })
    });
    let page = page(call, subnets, |subnet| subnet.id.clone(), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("subnetSet", &page.items, |xml, subnet| write_subnet(xml, region, subnet));
    page.write_next(&mut xml);
    Ok(xml)
}

fn arn(region: &Region, subnet: &Subnet) -> String {
    format!("arn:aws:ec2:{}:{}:subnet/{}", region.name, region.account, subnet.id)
}

pub(super) fn write_subnet(xml: &mut Xml, region: &Region, subnet: &Subnet) {
    xml.text("subnetId", &subnet.id)
        .text("subnetArn", &arn(region, subnet))
        .text("state", "available")
        .text("ownerId", &region.account)
        .text("vpcId", &subnet.vpc)
        .text("cidrBlock", &subnet.cidr())
        .texts::<&str>("ipv6CidrBlockAssociationSet", [])
        .value("availableIpAddressCount", region.free_private_ips(&subnet.id))
        .text("availabilityZone", &subnet.zone)
        .text("availabilityZoneId", &zones::id(&region.name, &subnet.zone))
        .value("defaultForAz", subnet.default_for_zone)
        .value("mapPublicIpOnLaunch", subnet.map_public_ip)
        .value("assignIpv6AddressOnCreation", false)
        .value("ipv6Native", false);
    region.tags.write(xml, &subnet.id);
}

pub(super) fn describe_internet_gateways(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let filters = call.filters(&[
        "attachment.state",
        "attachment.vpc-id",
        "internet-gateway-id",
        "owner-id",
    ])?;
    let ids = call.params.list("InternetGatewayId");
    // The default network is connected; for others there is no gateway to be had.
    let mut gateways = region
        .default_vpc()
        .into_iter()
        .map(|vpc| (derived(&vpc.id, "igw"), vpc))
        .collect::<Vec<_>>();
    if let Some(unknown) = ids.iter().find(|id| !gateways.iter().any(|(known, _)| known == *id)) {
        let message = format!("The internetGateway ID '{unknown}' does not exist");
        return Err(Ec2Error::new("InvalidInternetGatewayID.NotFound", message));
    }
    call.dry_run()?;
    gateways.retain(|(id, vpc)| {
        filters.pass(region.tags.of(id), |field| match field {
            "attachment.state" => vec!["available".to_owned()],
            "attachment.vpc-id" => vec![vpc.id.clone()],
            "internet-gateway-id" => vec![id.clone()],
            _ => vec![region.account.clone()],
        })
    });
    let page = page(call, gateways, |(id, _)| id.clone(), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("internetGatewaySet", &page.items, |xml, (id, vpc)| {
        xml.text("internetGatewayId", id).text("ownerId", &region.account).list(
            "attachmentSet",
            [vpc],
            |xml, vpc| {
                xml.text("vpcId", &vpc.id).text("state", "available");
            },
        );
        region.tags.write(xml, id);
    });
    page.write_next(&mut xml);
    Ok(xml)
}

pub(super) fn describe_route_tables(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let filters = call.filters(&["association.main", "owner-id", "route-table-id", "vpc-id"])?;
    let ids = call.params.list("RouteTableId");
    let mut tables =
        region.vpcs.values().map(|vpc| (derived(&vpc.id, "rtb"), vpc)).collect::<Vec<_>>();
    if let Some(unknown) = ids.iter().find(|id| !tables.iter().any(|(known, _)| known == *id)) {
        let message = format!("The routeTable ID '{unknown}' does not exist");
        return Err(Ec2Error::new("InvalidRouteTableID.NotFound", message));
    }
    call.dry_run()?;
    tables.retain(|(id, vpc)| {
        (ids.is_empty() || ids.contains(&id.as_str()))
            && filters.pass(region.tags.of(id), |field| match field {
                "association.main" => truth(true),
                "owner-id" => vec![region.account.clone()],
                "route-table-id" => vec![id.clone()],
                _ => vec![vpc.id.clone()],
            })
    });
    let page = page(call, tables, |(id, _)| id.clone(), 5..=100)?;
    let mut xml = Xml::new();
    xml.list("routeTableSet", &page.items, |xml, (id, vpc)| write_table(xml, region, id, vpc));
    page.write_next(&mut xml);
    Ok(xml)
}

fn write_table(xml: &mut Xml, region: &Region, id: &str, vpc: &Vpc) {
    let gateway = vpc.is_default.then(|| ("0.0.0.0/0", derived(&vpc.id, "igw"), "CreateRoute"));
    let within = (vpc.cidr.as_str(), "local".to_owned(), "CreateRouteTable");
    xml.text("routeTableId", id)
        .text("vpcId", &vpc.id)
        .text("ownerId", &region.account)
        .list("routeSet", [within].into_iter().chain(gateway), |xml, (cidr, to, origin)| {
            xml.text("destinationCidrBlock", cidr)
                .text("gatewayId", &to)
                .text("state", "active")
                .text("origin", origin);
        })
        .list("associationSet", [vpc], |xml, vpc| {
            xml.text("routeTableAssociationId", &derived(&vpc.id, "rtbassoc"))
                .text("routeTableId", id)
                .value("main", true)
                .element("associationState", |xml| {
                    xml.text("state", "associated");
                });
        })
        .texts::<&str>("propagatingVgwSet", []);
    region.tags.write(xml, id);
}
