//! The types of machines there are.

/// A type of machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MachineType {
    pub(crate) name: &'static str,
    pub(crate) vcpus: u32,
    pub(crate) memory_mib: u32,
    /// `x86_64` or `arm64`.
    pub(crate) architecture: &'static str,
    /// How fast its network is, in words.
    pub(crate) network: &'static str,
    /// Interfaces that it can have.
    pub(crate) interfaces: u32,
    pub(crate) family: &'static Family,
}

/// What all sizes of a family have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Family {
    pub(crate) manufacturer: &'static str,
    pub(crate) ghz: f64,
    /// `nitro` or `xen`.
    pub(crate) hypervisor: &'static str,
    pub(crate) burstable: bool,
    pub(crate) current: bool,
    pub(crate) hibernation: bool,
    /// GB of disks within the machine for each virtual processor.
    pub(crate) disk_per_vcpu: Option<f64>,
    pub(crate) gpu: Option<Gpu>,
}

/// A graphics processor; there is one in each machine of a family that has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gpu {
    pub(crate) name: &'static str,
    pub(crate) memory_mib: u32,
}

const INTEL: Family = Family {
    manufacturer: "Intel",
    ghz: 3.1,
    hypervisor: "nitro",
    burstable: false,
    current: true,
    hibernation: true,
    disk_per_vcpu: None,
    gpu: None,
};
const AMD: Family = Family { manufacturer: "AMD", ghz: 2.5, ..INTEL };
const GRAVITON: Family = Family { manufacturer: "AWS", ghz: 2.5, hibernation: false, ..INTEL };

static T2: Family = Family { ghz: 2.5, hypervisor: "xen", burstable: true, ..INTEL };
static T3: Family = Family { burstable: true, ..INTEL };
static T3A: Family = Family { burstable: true, ..AMD };
static T4G: Family = Family { burstable: true, hibernation: true, ..GRAVITON };
static M4: Family = Family { ghz: 2.4, hypervisor: "xen", current: false, ..INTEL };
static FIVE: Family = INTEL;
static SIX: Family = Family { ghz: 3.5, ..INTEL };
static SEVEN: Family = Family { ghz: 3.2, ..INTEL };
static SEVEN_A: Family = Family { ghz: 3.7, ..AMD };
static G2: Family = GRAVITON;
static G3: Family = Family { ghz: 2.6, ..GRAVITON };
static M6ID: Family = Family { ghz: 3.5, disk_per_vcpu: Some(59.25), ..INTEL };
static I4G: Family = Family { disk_per_vcpu: Some(234.375), ..GRAVITON };
static G4DN: Family = Family {
    ghz: 2.5,
    hibernation: false,
    disk_per_vcpu: Some(31.25),
    gpu: Some(Gpu { name: "T4", memory_mib: 16_384 }),
    ..INTEL
};
static G5: Family = Family {
    ghz: 3.3,
    hibernation: false,
    disk_per_vcpu: Some(62.5),
    gpu: Some(Gpu { name: "A10G", memory_mib: 24_576 }),
    ..AMD
};

const UP_TO_5: &str = "Up to 5 Gigabit";
const UP_TO_10: &str = "Up to 10 Gigabit";
const UP_TO_12: &str = "Up to 12.5 Gigabit";
const UP_TO_15: &str = "Up to 15 Gigabit";
const UP_TO_25: &str = "Up to 25 Gigabit";

const fn x86(
    name: &'static str,
    vcpus: u32,
    memory_mib: u32,
    network: &'static str,
    interfaces: u32,
    family: &'static Family,
) -> MachineType {
    MachineType { name, vcpus, memory_mib, architecture: "x86_64", network, interfaces, family }
}

const fn arm(
    name: &'static str,
    vcpus: u32,
    memory_mib: u32,
    network: &'static str,
    interfaces: u32,
    family: &'static Family,
) -> MachineType {
    MachineType { name, vcpus, memory_mib, architecture: "arm64", network, interfaces, family }
}

/// The types there are, in the order of their names.
pub(crate) static TYPES: [MachineType; 48] = [
    x86("c5.large", 2, 4096, UP_TO_10, 3, &FIVE),
    x86("c5.xlarge", 4, 8192, UP_TO_10, 4, &FIVE),
    x86("c6i.2xlarge", 8, 16_384, UP_TO_12, 4, &SIX),
    x86("c6i.4xlarge", 16, 32_768, UP_TO_12, 8, &SIX),
    x86("c6i.large", 2, 4096, UP_TO_12, 3, &SIX),
    x86("c6i.xlarge", 4, 8192, UP_TO_12, 4, &SIX),
    arm("c7g.2xlarge", 8, 16_384, UP_TO_15, 4, &G3),
    arm("c7g.4xlarge", 16, 32_768, UP_TO_15, 8, &G3),
    arm("c7g.large", 2, 4096, UP_TO_12, 3, &G3),
    arm("c7g.medium", 1, 2048, UP_TO_12, 2, &G3),
    arm("c7g.xlarge", 4, 8192, UP_TO_12, 4, &G3),
    x86("g4dn.xlarge", 4, 16_384, UP_TO_25, 3, &G4DN),
    x86("g5.xlarge", 4, 16_384, UP_TO_10, 4, &G5),
    arm("im4gn.large", 2, 8192, UP_TO_25, 3, &I4G),
    x86("m4.large", 2, 8192, "Moderate", 2, &M4),
    x86("m5.large", 2, 8192, UP_TO_10, 3, &FIVE),
    x86("m5.xlarge", 4, 16_384, UP_TO_10, 4, &FIVE),
    arm("m6g.large", 2, 8192, UP_TO_10, 3, &G2),
    x86("m6i.2xlarge", 8, 32_768, UP_TO_12, 4, &SIX),
    x86("m6i.4xlarge", 16, 65_536, UP_TO_12, 8, &SIX),
    x86("m6i.large", 2, 8192, UP_TO_12, 3, &SIX),
    x86("m6i.xlarge", 4, 16_384, UP_TO_12, 4, &SIX),
    x86("m6id.large", 2, 8192, UP_TO_12, 3, &M6ID),
    x86("m7a.large", 2, 8192, UP_TO_12, 3, &SEVEN_A),
    arm("m7g.2xlarge", 8, 32_768, UP_TO_15, 4, &G3),
    arm("m7g.large", 2, 8192, UP_TO_12, 3, &G3),
    arm("m7g.medium", 1, 4096, UP_TO_12, 2, &G3),
    arm("m7g.xlarge", 4, 16_384, UP_TO_12, 4, &G3),
    x86("m7i.large", 2, 8192, UP_TO_12, 3, &SEVEN),
    x86("r5.large", 2, 16_384, UP_TO_10, 3, &FIVE),
    x86("r6i.2xlarge", 8, 65_536, UP_TO_12, 4, &SIX),
    x86("r6i.large", 2, 16_384, UP_TO_12, 3, &SIX),
    x86("r6i.xlarge", 4, 32_768, UP_TO_12, 4, &SIX),
    arm("r7g.large", 2, 16_384, UP_TO_12, 3, &G3),
    x86("t2.micro", 1, 1024, "Low to Moderate", 2, &T2),
    x86("t3.large", 2, 8192, UP_TO_5, 3, &T3),
    x86("t3.medium", 2, 4096, UP_TO_5, 3, &T3),
    x86("t3.micro", 2, 1024, UP_TO_5, 2, &T3),
    x86("t3.nano", 2, 512, UP_TO_5, 2, &T3),
    x86("t3.small", 2, 2048, UP_TO_5, 3, &T3),
    x86("t3.xlarge", 4, 16_384, UP_TO_5, 4, &T3),
    x86("t3a.micro", 2, 1024, UP_TO_5, 2, &T3A),
    arm("t4g.large", 2, 8192, UP_TO_5, 3, &T4G),
    arm("t4g.medium", 2, 4096, UP_TO_5, 3, &T4G),
    arm("t4g.micro", 2, 1024, UP_TO_5, 2, &T4G),
    arm("t4g.nano", 2, 512, UP_TO_5, 2, &T4G),
    arm("t4g.small", 2, 2048, UP_TO_5, 3, &T4G),
    arm("t4g.xlarge", 4, 16_384, UP_TO_5, 4, &T4G),
];

/// A type by its name.
pub(crate) fn machine_type(name: &str) -> Option<&'static MachineType> {
    TYPES.iter().find(|known| known.name == name)
}

impl MachineType {
    /// Whether a zone has machines of this type. All have all, but for one: `c7g.large` is not to be had in
    /// the zone `c` of any region.
    pub(crate) fn is_offered(&self, zone: &str) -> bool {
        !(self.name == "c7g.large" && zone.ends_with('c'))
    }

    /// Threads of each core.
    pub(crate) fn threads(&self) -> u32 {
        // On machines of newer families of AMD a virtual processor is a core.
        let single = self.architecture == "arm64" || self.name.starts_with("m7a.");
        if single || self.vcpus == 1 { 1 } else { 2 }
    }

    /// Whether the free tier pays for it.
    pub(crate) fn is_free(&self) -> bool {
        matches!(self.name, "t2.micro" | "t3.micro" | "t3.small" | "t4g.micro" | "t4g.small")
    }

    /// GB of the disks within the machine.
    pub(crate) fn disk_gb(&self) -> Option<f64> {
        self.family.disk_per_vcpu.map(|share| (share * f64::from(self.vcpus)).floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_are_sorted_and_of_both_architectures() {
        assert!(TYPES.is_sorted_by_key(|machine| machine.name));
        for architecture in ["x86_64", "arm64"] {
            let count = TYPES.iter().filter(|known| known.architecture == architecture).count();
            assert!(count >= 15, "{architecture}: {count}");
        }
        assert_eq!(machine_type("m6id.large").and_then(MachineType::disk_gb), Some(118.0));
        assert_eq!(machine_type("t9.huge"), None);
    }

    #[test]
    fn one_zone_lacks_a_type() {
        let machine = machine_type("c7g.large").unwrap();
        assert!(machine.is_offered("us-east-1a") && !machine.is_offered("us-east-1c"));
        let lacking = TYPES.iter().filter(|known| !known.is_offered("us-east-1c")).count();
        assert_eq!(lacking, 1);
    }
}
