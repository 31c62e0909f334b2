//! Identifiers of local instances, and the addresses that go with them.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use polycloud_core::clock::Random;
use polycloud_core::compute::InstanceId;
use polycloud_core::{Error, Result};

/// The provider's name in ids, errors and URLs.
pub(super) const PROVIDER: &str = "local";

/// The only region.
pub(super) const REGION: &str = "local";

/// The zones of the region. They tell instances apart, nothing else.
pub(super) const ZONES: [&str; 2] = ["local-a", "local-b"];

/// Digits of an id: 80 random bits, so that nobody guesses one and none comes twice.
const DIGITS: usize = 20;

/// Draws the native part of a new id.
pub(super) fn draw(random: &dyn Random) -> String {
    format!("i-{:016x}{:04x}", random.next_u64(), random.next_u64() & 0xffff)
}

/// Whether a text can be the native part of an id. Such a text is a plain file name.
pub(super) fn is_native(text: &str) -> bool {
    let digits = text.strip_prefix("i-").unwrap_or_default();
    digits.len() == DIGITS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

pub(super) fn instance_id(native: &str) -> Result<InstanceId> {
    InstanceId::new(PROVIDER, REGION, native)
}

/// The native part of an id, or `None` if no instance can have it.
///
/// # Errors
/// `InvalidArgument` if it belongs to another provider or region.
pub(super) fn native(id: &InstanceId) -> Result<Option<&str>> {
    if id.provider() != PROVIDER || id.scope() != REGION {
        return Err(Error::invalid(format!(
            "the id of a local instance begins with {PROVIDER}:{REGION}/"
        )));
    }
    Ok(Some(id.native()).filter(|native| is_native(native)))
}

/// Draws an address of the loopback network that is not in use; `None` if it finds none.
///
/// They lie in 127.64.0.0/10, away from 127.0.0.1 and what systems put beside it. Drawing at random
/// keeps the instances of different roots apart, which do not know of each other.
pub(super) fn draw_address(random: &dyn Random, used: &HashSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    (0..1_000).find_map(|_| {
        let [.., x, y, z] = random.next_u64().to_be_bytes();
        let address = Ipv4Addr::new(127, 64 | (x & 0x3f), y, z);
        (!matches!(z, 0 | 255) && !used.contains(&address)).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use polycloud_core::clock::SeededRandom;

    #[test]
    fn ids_are_plain_file_names() {
        let random = SeededRandom::new(1);
        for _ in 0..1000 {
            let id = draw(&random);
            assert!(is_native(&id), "{id}");
            assert_eq!(native(&instance_id(&id).unwrap()).unwrap(), Some(id.as_str()));
        }
        for bad in ["", "i-", "../../etc", "i-../../../../../../x", "i-0123456789ABCDEF0123", "x"] {
            assert!(!is_native(bad), "{bad}");
        }
    }

    #[test]
    fn ids_of_others_are_refused() {
        for id in ["aws:local/i-0", "local:elsewhere/i-0"] {
            assert!(native(&id.parse().unwrap()).is_err(), "{id}");
        }
        assert_eq!(native(&"local:local/i-0".parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn addresses_are_loopback_and_unique() {
        let random = SeededRandom::new(1);
        let mut used = HashSet::new();
        for _ in 0..5000 {
            let address = draw_address(&random, &used).unwrap();
            assert!(address.is_loopback() && address.octets()[1] >= 64, "{address}");
            assert!(used.insert(address));
        }
    }
}
