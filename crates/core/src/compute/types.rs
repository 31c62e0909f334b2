use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::spec::Needs;
use crate::error::{Error, Result};
use crate::page::PageToken;

/// A processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Arch {
    /// 64-bit x86 (amd64).
    #[serde(rename = "x86_64")]
    X86_64,
    /// 64-bit Arm (aarch64).
    Arm64,
}

impl Arch {
    /// The word for tables and configuration: `x86_64` or `arm64`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Arch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "x86_64" | "amd64" => Ok(Self::X86_64),
            "arm64" | "aarch64" => Ok(Self::Arm64),
            _ => Err(Error::invalid(format!("an architecture is x86_64 or arm64, not {text:?}"))),
        }
    }
}

/// A region and its zones.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// The provider's name of the region.
    pub region: String,
    /// The provider's names of the zones in it; empty where there are none.
    pub zones: Vec<String>,
}

impl Location {
    /// A region and its zones.
    pub fn new(region: impl Into<String>, zones: impl IntoIterator<Item = String>) -> Self {
        Self { region: region.into(), zones: zones.into_iter().collect() }
    }
}

/// A kind of machine that can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceType {
    /// The provider's name, such as `t3.micro`.
    pub name: String,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The processor architecture.
    pub arch: Arch,
}

impl InstanceType {
    /// A kind of machine.
    pub fn new(name: impl Into<String>, vcpus: u32, memory_mib: u64, arch: Arch) -> Self {
        Self { name: name.into(), vcpus, memory_mib, arch }
    }

    /// Whether it is at least what is needed.
    #[must_use]
    pub fn meets(&self, needs: &Needs) -> bool {
        self.vcpus >= needs.vcpus
            && self.memory_mib >= needs.memory_mib
            && needs.arch.is_none_or(|arch| arch == self.arch)
    }
}

/// Which instance types to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeQuery {
    /// Only types that are at least this.
    pub needs: Needs,
    /// Only types that this zone has.
    pub zone: Option<String>,
    /// Most entries of a page; the provider's own number if unset.
    pub page_size: Option<u32>,
}

impl TypeQuery {
    /// Sets the needs.
    #[must_use]
    pub fn with_needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// Sets the zone.
    #[must_use]
    pub fn with_zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Sets the most entries of a page; 0 counts as 1.
    #[must_use]
    pub fn with_page_size(mut self, page_size: u32) -> Self {
        self.page_size = Some(page_size);
        self
    }
}

/// A part of a listing of instance types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypePage {
    /// Types, smallest first where the provider orders them.
    pub types: Vec<InstanceType>,
    /// Where the listing goes on, or `None` at its end.
    pub next: Option<PageToken>,
}

impl TypePage {
    /// A page.
    #[must_use]
    pub fn new(types: Vec<InstanceType>, next: Option<PageToken>) -> Self {
        Self { types, next }
    }
}

/// An image that instances boot from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Image {
    /// The provider's identifier.
    pub id: String,
    /// The provider's name or description.
    pub name: String,
    /// The processor architecture.
    pub arch: Arch,
    /// The user to log in as, where it is known.
    pub login_user: Option<String>,
}

impl Image {
    /// An image whose login user is not known.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arch: Arch) -> Self {
        Self { id: id.into(), name: name.into(), arch, login_user: None }
    }

    /// Sets the user to log in as.
    #[must_use]
    pub fn with_login_user(mut self, user: impl Into<String>) -> Self {
        self.login_user = Some(user.into());
        self
    }
}
