use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::HeaderValue;
use polycloud_core::{Error, ErrorKind, Result};
use polycloud_wire::redact::Secret;
use polycloud_wire::time::CivilTime;
use sha2::Sha256;

use super::{ALGORITHM, Hex};
use crate::credentials::Credentials;

/// A time such as `20130524T000000Z`.
pub(super) struct Stamp([u8; 16]);

impl Stamp {
    pub(super) fn new(time: SystemTime) -> Self {
        let CivilTime { year, month, day, hour, minute, second } = time.into();
        let mut text = *b"00000000T000000Z";
        let [y1, y2, y3, y4, mo1, mo2, d1, d2, _, h1, h2, mi1, mi2, s1, s2, _] = &mut text;
        let century = u8::try_from(year / 100).unwrap_or_default();
        let of_century = u8::try_from(year % 100).unwrap_or_default();
        for (tens, ones, number) in [
            (y1, y2, century),
            (y3, y4, of_century),
            (mo1, mo2, month),
            (d1, d2, day),
            (h1, h2, hour),
            (mi1, mi2, minute),
            (s1, s2, second),
        ] {
            (*tens, *ones) = (b'0' + number / 10, b'0' + number % 10);
        }
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn day(&self) -> &str {
        self.as_str().get(..8).unwrap_or_default()
    }

    pub(super) fn header(&self) -> Result<HeaderValue> {
        HeaderValue::from_bytes(&self.0)
            .map_err(|error| Error::new(ErrorKind::Internal).with_source(error))
    }
}

/// The signing key of the last credentials that were used, for a day.
#[derive(Default)]
pub(super) struct KeyCache(Mutex<Option<Arc<SigningKey>>>);

impl KeyCache {
    pub(super) fn get(
        &self,
        credentials: &Credentials,
        stamp: &Stamp,
        region: &str,
        service: &str,
    ) -> Arc<SigningKey> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(key) if key.is_for(credentials, stamp) => Arc::clone(key),
            _ => {
                let key = Arc::new(SigningKey::derive(credentials, stamp, region, service));
                *kept = Some(Arc::clone(&key));
                key
            }
        }
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCache")
    }
}

/// A key that signs for one day, region and service.
pub(super) struct SigningKey {
    access_key_id: String,
    secret_access_key: Secret,
    /// Such as `20130524/us-east-1/s3/aws4_request`.
    scope: String,
    mac: Hmac<Sha256>,
}

impl SigningKey {
    fn derive(credentials: &Credentials, stamp: &Stamp, region: &str, service: &str) -> Self {
        let Credentials { access_key_id, secret_access_key, .. } = credentials;
        let seed = Secret::new(format!("AWS4{}", secret_access_key.expose()));
        let date = mac(seed.expose().as_bytes(), stamp.day().as_bytes());
        let region_key = mac(&date, region.as_bytes());
        let service_key = mac(&region_key, service.as_bytes());
        let key = mac(&service_key, b"aws4_request");
        Self {
            access_key_id: access_key_id.clone(),
            secret_access_key: secret_access_key.clone(),
            scope: format!("{}/{region}/{service}/aws4_request", stamp.day()),
            mac: keyed(&key),
        }
    }

    fn is_for(&self, credentials: &Credentials, stamp: &Stamp) -> bool {
        self.scope.starts_with(stamp.day())
            && self.access_key_id == credentials.access_key_id
            && self.secret_access_key.expose() == credentials.secret_access_key.expose()
    }

    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    /// Signs the hash of a canonical request.
    pub(super) fn sign(&self, stamp: &Stamp, canonical: [u8; 32]) -> Hex {
        let mut mac = self.mac.clone();
        mac.update(ALGORITHM.as_bytes());
        mac.update(b"\n");
        mac.update(&stamp.0);
        mac.update(b"\n");
        mac.update(self.scope.as_bytes());
        mac.update(b"\n");
        mac.update(Hex::of(&canonical).as_str().as_bytes());
        Hex::of(&mac.finalize().into_bytes())
    }

    pub(super) fn sign_text(&self, text: &[u8]) -> Hex {
        let mut mac = self.mac.clone();
        mac.update(text);
        Hex::of(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("scope", &self.scope).finish_non_exhaustive()
    }
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // A key of any length is accepted.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}
