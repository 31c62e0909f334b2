//! The kinds of machines that there are.

use polycloud_core::compute::{Arch, Hardware, InstanceType, TypePage, TypeQuery};
use polycloud_core::page::PageToken;
use polycloud_core::{Error, ErrorKind, Result};

use super::ids::ZONES;

/// Names, processors and MiB of memory, smallest first. They do not depend on the host: its processors
/// are shared, so that a program that asks for four runs on a laptop that has two.
const TYPES: [(&str, u32, u64); 7] = [
    ("local.nano", 1, 512),
    ("local.micro", 1, 1_024),
    ("local.small", 1, 2_048),
    ("local.medium", 2, 4_096),
    ("local.large", 4, 8_192),
    ("local.xlarge", 8, 16_384),
    ("local.2xlarge", 16, 32_768),
];

/// The architecture of the host.
pub(super) const ARCH: Arch =
    if cfg!(target_arch = "aarch64") { Arch::Arm64 } else { Arch::X86_64 };

fn all() -> impl Iterator<Item = InstanceType> {
    TYPES.iter().map(|&(name, vcpus, memory)| InstanceType::new(name, vcpus, memory, ARCH))
}

/// The type of this name.
pub(super) fn named(name: &str) -> Result<InstanceType> {
    all().find(|kind| kind.name == name).ok_or_else(|| {
        Error::new(ErrorKind::NotFound).with_message(format!(
            "there is no instance type {name:?}; the smallest is {:?}",
            TYPES.first().map_or("", |kind| kind.0)
        ))
    })
}

/// The type that a spec means.
pub(super) fn resolve(hardware: &Hardware) -> Result<InstanceType> {
    match hardware {
        Hardware::Type(name) => named(name),
        Hardware::Needs(needs) => all().find(|kind| kind.meets(needs)).ok_or_else(|| {
            Error::new(ErrorKind::NotFound)
                .with_message(format!("no instance type of this host ({ARCH}) has {needs:?}"))
        }),
        _ => {
            Err(Error::new(ErrorKind::Unsupported)
                .with_message("this way of choosing the hardware"))
        }
    }
}

/// One page of the types that a query asks for. The token is the name of the last type before it.
pub(super) fn page(query: &TypeQuery, token: Option<&PageToken>, most: u32) -> Result<TypePage> {
    let after = match token {
        None => 0,
        Some(token) => {
            let position = TYPES.iter().position(|kind| kind.0 == token.as_str());
            position.ok_or_else(|| Error::invalid("not a page token of this listing"))? + 1
        }
    };
    let zone_is_known = query.zone.as_deref().is_none_or(|zone| ZONES.contains(&zone));
    let size = query.page_size.unwrap_or(most).clamp(1, most.max(1));
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut rest =
        all().skip(after).filter(|kind| zone_is_known && kind.meets(&query.needs)).peekable();
    let types: Vec<_> = rest.by_ref().take(size).collect();
    let next =
        rest.peek().and_then(|_| types.last()).map(|last| PageToken::new(last.name.as_str()));
    Ok(TypePage::new(types, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use polycloud_core::compute::Needs;

    #[test]
    fn the_smallest_that_suffices_is_chosen() {
        let name = |hardware| resolve(&hardware).map(|kind| kind.name);
        assert_eq!(name(Hardware::default()).unwrap(), "local.nano");
        assert_eq!(name(Hardware::at_least(1, 513)).unwrap(), "local.micro");
        assert_eq!(name(Hardware::at_least(2, 0)).unwrap(), "local.medium");
        assert_eq!(name(Hardware::of_type("local.large")).unwrap(), "local.large");
        for missing in [Hardware::of_type("t3.micro"), Hardware::at_least(1_000, 0)] {
            assert_eq!(name(missing).unwrap_err().kind(), ErrorKind::NotFound);
        }
        let other = if ARCH == Arch::Arm64 { Arch::X86_64 } else { Arch::Arm64 };
        assert!(name(Hardware::Needs(Needs::default().with_arch(other))).is_err());
    }

    #[test]
    fn pages_join_to_the_whole() {
        for size in 1..=8 {
            let query = TypeQuery::default().with_page_size(size);
            let (mut names, mut token) = (Vec::new(), None);
            loop {
                let page = page(&query, token.as_ref(), 1000).unwrap();
                names.extend(page.types.into_iter().map(|kind| kind.name));
                token = page.next;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(names, TYPES.map(|kind| kind.0));
        }
        assert!(page(&TypeQuery::default(), Some(&PageToken::new("x")), 10).is_err());
        let elsewhere = TypeQuery::default().with_zone("mars-a");
        assert_eq!(page(&elsewhere, None, 10).unwrap(), TypePage::default());
    }
}
