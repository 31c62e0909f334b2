use std::net::IpAddr;

use bytes::Bytes;
use http::Uri;
use http::header::HeaderValue;
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use polycloud_core::{Error, Result};
use polycloud_wire::encode;

/// Partitions of Amazon by the beginnings of their regions' names, and the domain of each.
const PARTITIONS: [(&str, &str); 5] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("", "amazonaws.com"),
];

/// Where a service is, whatever the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) secure: bool,
    /// A name or an address; one of IPv6 in brackets.
    host: String,
    port: Option<u16>,
    /// Empty, or begins with a slash and ends with none.
    path: String,
}

impl Base {
    /// Amazon's endpoint of a service, which is named as in its host, in a region.
    pub(crate) fn of_service(service: &str, region: &str) -> Result<Self> {
        check_region(region)?;
        let found = PARTITIONS.iter().find(|(begin, _)| region.starts_with(begin));
        let domain = found.map_or("amazonaws.com", |(_, domain)| domain);
        Ok(Self {
            secure: true,
            host: format!("{service}.{region}.{domain}"),
            port: None,
            path: String::new(),
        })
    }

    /// Reads the URL of an endpoint.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let broken = |why: &str| {
            Error::config(format!("an endpoint is a URL such as https://s3.example.com: {why}"))
        };
        let (secure, rest) = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            _ => return Err(broken("it begins with https:// or http://")),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split_port(authority).ok_or_else(|| broken("its port is no number"))?;
        if !is_host(host) {
            return Err(broken("its host is a name or an address, without user and password"));
        }
        let path = path.trim_end_matches('/');
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        if !path.bytes().all(plain) || path.split('/').any(|part| part == "." || part == "..") {
            return Err(broken(
                "its path has letters, digits and -._~/ only, and there is no query",
            ));
        }
        let default = if secure { 443 } else { 80 };
        Ok(Self {
            secure,
            host: host.to_ascii_lowercase(),
            port: port.filter(|port| *port != default),
            path: path.to_owned(),
        })
    }

    /// Whether the endpoint is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.address() {
            Some(address) => address.is_loopback(),
            None => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }

    /// Whether the endpoint is one of Amazon's.
    pub(crate) fn is_amazon(&self) -> bool {
        PARTITIONS.iter().any(|(_, domain)| {
            self.host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
        })
    }

    fn address(&self) -> Option<IpAddr> {
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(&self.host).parse().ok()
    }

    /// Whether a bucket of this name can be a part of the host.
    fn can_be_in_host(&self, bucket: &str) -> bool {
        let label = |part: &str| {
            !part.is_empty() && !part.starts_with('-') && !part.ends_with('-') && part.len() <= 63
        };
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        // A certificate for *.s3.amazonaws.com does not cover a name with dots.
        self.address().is_none()
            && bucket.len() <= 63
            && bucket.bytes().all(legal)
            && bucket.split('.').all(label)
            && !(self.secure && bucket.contains('.'))
    }

    /// Whether the bucket goes into the path, unless somebody demands one or the other.
    pub(crate) fn prefers_path(&self, bucket: &str) -> bool {
        self.host == "localhost" || !self.can_be_in_host(bucket)
    }

    /// The URL, without a slash at its end.
    pub(crate) fn url(&self) -> String {
        let Self { secure, host: _, port: _, path } = self;
        let scheme = if *secure { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.authority(None))
    }

    fn authority(&self, bucket: Option<&str>) -> String {
        let Self { host, port, .. } = self;
        let bucket = bucket.map(|bucket| format!("{bucket}.")).unwrap_or_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{bucket}{host}{port}")
    }

    /// Where the requests to a bucket go.
    pub(crate) fn bucket(&self, bucket: &str, path_style: bool) -> Result<Endpoint> {
        check_bucket(bucket)?;
        if !path_style && !self.can_be_in_host(bucket) {
            return Err(Error::config(format!(
                "the bucket {bucket:?} cannot be a part of the host {}: set path_style=true",
                self.host
            )));
        }
        let (authority, path) = if path_style {
            let mut path = format!("{}/", self.path);
            encode::component(bucket, &mut path);
            (self.authority(None), path)
        } else {
            (self.authority(Some(bucket)), self.path.clone())
        };
        let unusable = |_| Error::config("the endpoint has no usable host");
        let host = HeaderValue::from_str(&authority)
            .map_err(|_| Error::config("the endpoint has no usable host"))?;
        Ok(Endpoint {
            scheme: if self.secure { Scheme::HTTPS } else { Scheme::HTTP },
            authority: Authority::try_from(authority).map_err(unusable)?,
            host,
            path,
        })
    }
}

/// Where the requests to a bucket go.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    scheme: Scheme,
    authority: Authority,
    host: HeaderValue,
    /// What is before the key: empty, or begins with a slash and ends with none.
    path: String,
}

impl Endpoint {
    /// The URI of an object, whose key is encoded already, or of the bucket.
    pub(crate) fn uri(&self, encoded_key: Option<&str>, query: &str) -> Result<Uri> {
        let key = encoded_key.unwrap_or_default();
        let mut text = String::with_capacity(self.path.len() + key.len() + query.len() + 2);
        text.push_str(&self.path);
        if encoded_key.is_some() || text.is_empty() {
            text.push('/');
        }
        text.push_str(key);
        if !query.is_empty() {
            text.push('?');
            text.push_str(query);
        }
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let path = PathAndQuery::from_maybe_shared(Bytes::from(text));
        parts.path_and_query = Some(path.map_err(|_| unusable())?);
        Uri::from_parts(parts).map_err(|_| unusable())
    }

    /// The value of the header `host`.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }
}

fn unusable() -> Error {
    Error::invalid("the key and the parameters make no URI: they are too long")
}

/// Splits at the colon before a port; the address may be one of IPv6.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let behind_bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let colon = authority.get(behind_bracket..)?.find(':');
    let Some(colon) = colon.map(|at| at + behind_bracket) else { return Some((authority, None)) };
    let (host, port) = authority.split_at(colon);
    let port = port.get(1..)?;
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = digits.then(|| port.parse().ok()).flatten()?;
    Some((host, Some(port)))
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']');
        return address.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= 253 && host.split('.').all(label)
}

/// Checks that a region is nothing but a name.
pub(crate) fn check_region(region: &str) -> Result<()> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if (1..=63).contains(&region.len())
        && region.bytes().all(legal)
        && !region.starts_with('-')
        && !region.ends_with('-')
    {
        return Ok(());
    }
    Err(Error::config(format!("a region is a name such as us-east-1, {region:?} is not")))
}

/// Checks that a bucket is nothing but a name. Old buckets have capitals and underscores.
fn check_bucket(bucket: &str) -> Result<()> {
    if bucket.starts_with("arn:") {
        return Err(Error::config(
            "an access point is named by its alias, which ends in -s3alias, and not by its ARN",
        ));
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    let mut bytes = bucket.bytes();
    if (3..=255).contains(&bucket.len())
        && bucket.bytes().all(legal)
        && edge(bytes.next())
        && edge(bytes.next_back())
        && !bucket.contains("..")
    {
        return Ok(());
    }
    Err(Error::config(format!(
        "a bucket has 3 to 63 lower-case letters, digits, dots and dashes, {bucket:?} has not"
    )))
}
