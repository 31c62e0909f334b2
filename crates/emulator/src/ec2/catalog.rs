//! Types of machines and public images.

/// A type of machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MachineType {
    pub(crate) name: &'static str,
    pub(crate) vcpus: u32,
    pub(crate) memory_mib: u32,
    /// `x86_64` or `arm64`.
    pub(crate) architecture: &'static str,
}

/// The types there are.
const TYPES: &[MachineType] = &[
    MachineType { name: "t3.micro", vcpus: 2, memory_mib: 1024, architecture: "x86_64" },
    MachineType { name: "t4g.micro", vcpus: 2, memory_mib: 1024, architecture: "arm64" },
    MachineType { name: "m5.large", vcpus: 2, memory_mib: 8192, architecture: "x86_64" },
];

/// A type by its name.
pub(crate) fn machine_type(name: &str) -> Option<&'static MachineType> {
    TYPES.iter().find(|known| known.name == name)
}
