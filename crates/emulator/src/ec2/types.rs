//! Types of machines, and where they are to be had.

use super::call::{Actions, Call};
use super::catalog::{MachineType, TYPES, machine_type};
use super::error::{Ec2Error, Result};
use super::paging::page;
use super::select::{ids_or_pages, maybe, truth};
use super::state::Region;
use super::state::tags::TagMap;
use super::xml::Xml;
use super::zones;

pub(crate) const ACTIONS: Actions = &[
    ("DescribeInstanceTypes", describe_instance_types),
    ("DescribeInstanceTypeOfferings", describe_instance_type_offerings),
];

const FILTERS: [&str; 27] = [
    "auto-recovery-supported",
    "bare-metal",
    "burstable-performance-supported",
    "current-generation",
    "dedicated-hosts-supported",
    "ebs-info.ebs-optimized-support",
    "ebs-info.encryption-support",
    "ebs-info.nvme-support",
    "free-tier-eligible",
    "hibernation-supported",
    "hypervisor",
    "instance-storage-info.total-size-in-gb",
    "instance-storage-supported",
    "instance-type",
    "memory-info.size-in-mib",
    "network-info.maximum-network-interfaces",
    "network-info.network-performance",
    "processor-info.manufacturer",
    "processor-info.supported-architecture",
    "processor-info.sustained-clock-speed-in-ghz",
    "supported-root-device-type",
    "supported-usage-class",
    "supported-virtualization-type",
    "supported-boot-mode",
    "vcpu-info.default-cores",
    "vcpu-info.default-threads-per-core",
    "vcpu-info.default-vcpus",
];

/// Most names of types in one request.
const MAX_NAMES: usize = 100;

fn describe_instance_types(_region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let names = call.params.list("InstanceType");
    ids_or_pages(call, "InstanceType")?;
    if names.len() > MAX_NAMES {
        let message = format!("The maximum number of instance types is {MAX_NAMES}");
        return Err(Ec2Error::invalid(message));
    }
    let unknown =
        names.iter().filter(|name| machine_type(name).is_none()).copied().collect::<Vec<_>>();
    if !unknown.is_empty() {
        let message =
            format!("The following supplied instance types do not exist: [{}]", unknown.join(", "));
        return Err(Ec2Error::new("InvalidInstanceType", message));
    }
    let filters = call.filters(&FILTERS)?;
    call.dry_run()?;
    let shown = TYPES
        .iter()
        .filter(|machine| names.is_empty() || names.contains(&machine.name))
        .filter(|machine| filters.pass(&TagMap::new(), |field| value(machine, field)))
        .collect();
    let page = page(call, shown, |machine| machine.name.to_owned(), 5..=100)?;
    let mut xml = Xml::new();
    xml.list("instanceTypeSet", &page.items, |xml, machine| write(xml, machine));
    page.write_next(&mut xml);
    Ok(xml)
}

/// What filters compare.
fn value(machine: &MachineType, field: &str) -> Vec<String> {
    let family = machine.family;
    let text = |text: &str| vec![text.to_owned()];
    match field {
        "auto-recovery-supported" => truth(machine.disk_gb().is_none()),
        "bare-metal" => truth(false),
        "burstable-performance-supported" => truth(family.burstable),
        "current-generation" => truth(family.current),
        "dedicated-hosts-supported" => truth(true),
        "ebs-info.ebs-optimized-support" => text(optimized(machine)),
        "ebs-info.encryption-support" => text("supported"),
        "ebs-info.nvme-support" => text(nvme(machine)),
        "free-tier-eligible" => truth(machine.is_free()),
        "hibernation-supported" => truth(family.hibernation),
        "hypervisor" => text(family.hypervisor),
        "instance-storage-info.total-size-in-gb" => maybe(machine.disk_gb()),
        "instance-storage-supported" => truth(machine.disk_gb().is_some()),
        "instance-type" => text(machine.name),
        "memory-info.size-in-mib" => vec![machine.memory_mib.to_string()],
        "network-info.maximum-network-interfaces" => vec![machine.interfaces.to_string()],
        "network-info.network-performance" => text(machine.network),
        "processor-info.manufacturer" => text(family.manufacturer),
        "processor-info.supported-architecture" => text(machine.architecture),
        "processor-info.sustained-clock-speed-in-ghz" => vec![family.ghz.to_string()],
        "supported-root-device-type" => text("ebs"),
        "supported-usage-class" => vec!["on-demand".to_owned(), "spot".to_owned()],
        "supported-virtualization-type" => text("hvm"),
        "supported-boot-mode" => {
            boot_modes(machine).iter().map(|mode| (*mode).to_owned()).collect()
        }
        "vcpu-info.default-cores" => vec![cores(machine).to_string()],
        "vcpu-info.default-threads-per-core" => vec![machine.threads().to_string()],
        _ => vec![machine.vcpus.to_string()],
    }
}

fn cores(machine: &MachineType) -> u32 {
    machine.vcpus / machine.threads()
}

fn optimized(machine: &MachineType) -> &'static str {
    if machine.name == "t2.micro" { "unsupported" } else { "default" }
}

fn nvme(machine: &MachineType) -> &'static str {
    if machine.family.hypervisor == "nitro" { "required" } else { "unsupported" }
}

fn boot_modes(machine: &MachineType) -> &'static [&'static str] {
    match (machine.architecture, machine.family.hypervisor) {
        ("arm64", _) => &["uefi"],
        (_, "nitro") => &["legacy-bios", "uefi"],
        _ => &["legacy-bios"],
    }
}

fn write(xml: &mut Xml, machine: &MachineType) {
    let family = machine.family;
    xml.text("instanceType", machine.name)
        .value("currentGeneration", family.current)
        .value("freeTierEligible", machine.is_free())
        .texts("supportedUsageClasses", ["on-demand", "spot"])
        .texts("supportedRootDeviceTypes", ["ebs"])
        .texts("supportedVirtualizationTypes", ["hvm"])
        .value("bareMetal", false)
        .text("hypervisor", family.hypervisor)
        .element("processorInfo", |xml| {
            xml.texts("supportedArchitectures", [machine.architecture])
                .value("sustainedClockSpeedInGhz", family.ghz)
                .text("manufacturer", family.manufacturer);
        });
    write_processors(xml, machine);
    xml.element("memoryInfo", |xml| {
        xml.value("sizeInMiB", machine.memory_mib);
    });
    write_disks(xml, machine);
    xml.element("ebsInfo", |xml| {
        xml.text("ebsOptimizedSupport", optimized(machine))
            .text("encryptionSupport", "supported")
            .text("nvmeSupport", nvme(machine));
    });
    write_network(xml, machine);
    write_gpu(xml, machine);
    xml.element("placementGroupInfo", |xml| {
        let all = ["cluster", "partition", "spread"];
        // Machines that can exceed their share of a processor are not put close together.
        xml.texts("supportedStrategies", all.iter().skip(usize::from(family.burstable)));
    });
    xml.value("hibernationSupported", family.hibernation)
        .value("burstablePerformanceSupported", family.burstable)
        .value("dedicatedHostsSupported", true)
        .value("autoRecoverySupported", machine.disk_gb().is_none())
        .texts("supportedBootModes", boot_modes(machine));
}

fn write_gpu(xml: &mut Xml, machine: &MachineType) {
    let Some(gpu) = machine.family.gpu else { return };
    xml.element("gpuInfo", |xml| {
        xml.list("gpus", [gpu], |xml, gpu| {
            xml.text("name", gpu.name).text("manufacturer", "NVIDIA").value("count", 1).element(
                "memoryInfo",
                |xml| {
                    xml.value("sizeInMiB", gpu.memory_mib);
                },
            );
        })
        .value("totalGpuMemoryInMiB", gpu.memory_mib);
    });
}

fn write_processors(xml: &mut Xml, machine: &MachineType) {
    xml.element("vCpuInfo", |xml| {
        xml.value("defaultVCpus", machine.vcpus)
            .value("defaultCores", cores(machine))
            .value("defaultThreadsPerCore", machine.threads())
            .texts("validCores", (1..=cores(machine)).map(|count| count.to_string()))
            .texts("validThreadsPerCore", (1..=machine.threads()).map(|count| count.to_string()));
    });
}

fn write_disks(xml: &mut Xml, machine: &MachineType) {
    xml.value("instanceStorageSupported", machine.disk_gb().is_some());
    if let Some(size) = machine.disk_gb() {
        xml.element("instanceStorageInfo", |xml| {
            xml.value("totalSizeInGB", size)
                .list("disks", [size], |xml, size| {
                    xml.value("sizeInGB", size).value("count", 1).text("type", "ssd");
                })
                .text("nvmeSupport", "required")
                .text("encryptionSupport", "required");
        });
    }
}

fn write_network(xml: &mut Xml, machine: &MachineType) {
    let is_nitro = machine.family.hypervisor == "nitro";
    xml.element("networkInfo", |xml| {
        xml.text("networkPerformance", machine.network)
            .value("maximumNetworkInterfaces", machine.interfaces)
            .value("maximumNetworkCards", 1)
            .value("defaultNetworkCardIndex", 0)
            .list("networkCards", [machine], |xml, machine| {
                xml.value("networkCardIndex", 0)
                    .text("networkPerformance", machine.network)
                    .value("maximumNetworkInterfaces", machine.interfaces);
            })
            .value("ipv4AddressesPerInterface", if machine.interfaces > 2 { 10 } else { 4 })
            .value("ipv6AddressesPerInterface", if machine.interfaces > 2 { 10 } else { 4 })
            .value("ipv6Supported", true)
            .text("enaSupport", if is_nitro { "required" } else { "unsupported" })
            .value("efaSupported", false);
    });
}

fn describe_instance_type_offerings(region: &mut Region, call: &Call<'_>) -> Result<Xml> {
    let kind = call.params.text("LocationType").unwrap_or("region");
    let filters = call.filters(&["instance-type", "location"])?;
    // Each place with the zone that has the machines; a region has what one of its zones has.
    let zones = zones::of(&region.name);
    let places = match kind {
        "region" => {
            zones.first().map(|zone| (region.name.clone(), zone.clone())).into_iter().collect()
        }
        "availability-zone" => zones.into_iter().map(|zone| (zone.clone(), zone)).collect(),
        "availability-zone-id" => {
            zones.into_iter().map(|zone| (zones::id(&region.name, &zone), zone)).collect()
        }
        "outpost" => Vec::new(),
        other => return Err(Ec2Error::invalid_value("LocationType", other)),
    };
    call.dry_run()?;
    let mut offers = Vec::new();
    for (location, zone) in &places {
        for machine in TYPES.iter().filter(|machine| machine.is_offered(zone)) {
            let passes = filters.pass(&TagMap::new(), |field| {
                let text = if field == "location" { location } else { machine.name };
                vec![text.to_owned()]
            });
            if passes {
                offers.push((machine.name, location));
            }
        }
    }
    let page = page(call, offers, |(name, location)| format!("{name} {location}"), 5..=1000)?;
    let mut xml = Xml::new();
    xml.list("instanceTypeOfferingSet", &page.items, |xml, (name, location)| {
        xml.text("instanceType", name).text("locationType", kind).text("location", location);
    });
    page.write_next(&mut xml);
    Ok(xml)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::call::testing::TestCall;
    use crate::ec2::select::testing::{ask, code, region, text};

    fn run(test: &TestCall) -> Result<String> {
        test.run(&mut Region::new("us-east-1", "111122223333")).map(|xml| xml.to_string())
    }

    fn types() -> TestCall {
        TestCall::new("DescribeInstanceTypes")
    }

    fn names(xml: &str) -> usize {
        xml.matches("<instanceType>").count()
    }

    #[test]
    fn types_by_name() {
        let xml = run(&types().with("InstanceType.1", "t4g.micro")).unwrap();
        assert_eq!(names(&xml), 1);
        for part in [
            "<supportedArchitectures><item>arm64</item></supportedArchitectures>",
            "<defaultVCpus>2</defaultVCpus><defaultCores>2</defaultCores>",
            "<memoryInfo><sizeInMiB>1024</sizeInMiB></memoryInfo>",
            "<burstablePerformanceSupported>true</burstablePerformanceSupported>",
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
        let error = run(&types().with("InstanceType.1", "t9.huge")).unwrap_err();
        assert_eq!(error.code, "InvalidInstanceType");
        let both = types().with("InstanceType.1", "t3.micro").with("MaxResults", "5");
        assert_eq!(run(&both).unwrap_err().code, "InvalidParameterCombination");
    }

    #[test]
    fn filters_of_types() {
        for (field, pattern, some, other) in [
            ("processor-info.supported-architecture", "arm64", "m7g.large", "m6i.large"),
            ("current-generation", "true", "m6i.large", "m4.large"),
            ("instance-type", "c6i.*", "c6i.large", "c5.large"),
            ("vcpu-info.default-vcpus", "8", "m6i.2xlarge", "m6i.xlarge"),
            ("memory-info.size-in-mib", "512", "t3.nano", "t3.micro"),
            ("hypervisor", "xen", "t2.micro", "t3.micro"),
            ("burstable-performance-supported", "true", "t3.micro", "m5.large"),
            ("instance-storage-supported", "true", "m6id.large", "m6i.large"),
            ("processor-info.manufacturer", "AMD", "t3a.micro", "t3.micro"),
            ("hibernation-supported", "false", "m7g.large", "m5.large"),
            ("free-tier-eligible", "true", "t3.micro", "t3.large"),
        ] {
            let test = types().with("Filter.1.Name", field).with("Filter.1.Value.1", pattern);
            let xml = run(&test).unwrap();
            assert!(xml.contains(&format!("<instanceType>{some}</")), "{field}");
            assert!(!xml.contains(&format!("<instanceType>{other}</")), "{field}");
        }
        let unknown = types().with("Filter.1.Name", "colour").with("Filter.1.Value.1", "red");
        assert_eq!(run(&unknown).unwrap_err().code, "InvalidParameterValue");
    }

    #[test]
    fn all_types_on_pages() {
        let mut seen = 0;
        let mut token = None::<String>;
        loop {
            let mut test = types().with("MaxResults", "20");
            if let Some(token) = &token {
                test = test.with("NextToken", token);
            }
            let xml = run(&test).unwrap();
            seen += names(&xml);
            token = xml
                .split_once("<nextToken>")
                .and_then(|(_, rest)| rest.split_once('<'))
                .map(|(token, _)| token.to_owned());
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, TYPES.len());
    }

    #[test]
    fn offerings() {
        let offered = |kind: &str| {
            let test = TestCall::new("DescribeInstanceTypeOfferings")
                .with("LocationType", kind)
                .with("Filter.1.Name", "instance-type")
                .with("Filter.1.Value.1", "c7g.large");
            run(&test).unwrap()
        };
        let zones = offered("availability-zone");
        assert!(zones.contains("<location>us-east-1b</location>"), "{zones}");
        assert!(!zones.contains("<location>us-east-1c</location>"), "{zones}");
        assert!(offered("availability-zone-id").contains("<location>use1-az1</location>"));
        assert!(offered("region").contains("<location>us-east-1</location>"));
        assert_eq!(names(&offered("outpost")), 0);
        let wrong = TestCall::new("DescribeInstanceTypeOfferings").with("LocationType", "planet");
        assert_eq!(run(&wrong).unwrap_err().code, "InvalidParameterValue");
        let at = TestCall::new("DescribeInstanceTypeOfferings")
            .with("LocationType", "availability-zone")
            .with("Filter.1.Name", "location")
            .with("Filter.1.Value.1", "us-east-1c");
        assert_eq!(names(&run(&at).unwrap()), TYPES.len() - 1);
    }

    #[test]
    fn instances_are_launched_where_there_are_machines() {
        let mut region = region();
        let image =
            crate::ec2::ssm::resolve(&region, "/aws/service/debian/release/12/latest/arm64");
        let image = image.unwrap().id.clone();
        let base = [
            ("ImageId", image.as_str()),
            ("InstanceType", "c7g.large"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
        ];
        let zone = |zone| [&base[..], &[("Placement.AvailabilityZone", zone)]].concat();
        let there = zone("us-east-1c");
        let refused = ask(&mut region, "RunInstances", 0, &there).unwrap_err();
        assert_eq!(refused.code, "Unsupported");
        assert!(refused.message.contains("us-east-1a, us-east-1b"), "{}", refused.message);
        ask(&mut region, "RunInstances", 0, &zone("us-east-1b")).unwrap();
        let subnet = region.subnets.values().find(|subnet| subnet.zone == "us-east-1c").unwrap();
        let subnet = subnet.id.clone();
        let there = [&base[..], &[("SubnetId", subnet.as_str())]].concat();
        assert_eq!(code(ask(&mut region, "RunInstances", 0, &there)), "Unsupported");
        for _ in 0..6 {
            let xml = ask(&mut region, "RunInstances", 0, &base).unwrap();
            assert_ne!(text(&xml, "availabilityZone"), "us-east-1c");
        }
    }
}
