use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::options::Options;
use crate::{Error, Result, schemes};

/// A URL that names a store or a compute backend, taken apart.
///
/// The form is `scheme:path` or `scheme://host/path`, with options behind a `?`. Host, path and the
/// values of options are percent-decoded, and nothing else is done to them: `..` and `//` in a path
/// and `+` in an option mean themselves.
///
/// ```
/// use polycloud::Address;
///
/// let address: Address = "file:///data/my%20bucket?durability=fast".parse()?;
/// assert_eq!(address.scheme(), "file");
/// assert_eq!(address.path(), "/data/my bucket");
/// # Ok::<(), polycloud::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Address {
    scheme: String,
    host: String,
    path: String,
    options: Options,
}

impl Address {
    /// What is before the first colon, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What is between `//` and the next `/`; empty if there is nothing.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What is behind the host and before the options.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The options, to be read into a configuration.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Takes out the option that works for every store, so that backends do not see it. Where the host
    /// alone names a bucket, the path is a directory in it, and so another way to write the option.
    pub(crate) fn take_prefix(&mut self) -> Result<Option<String>> {
        let option = self.options.take_text("prefix")?;
        if !schemes::has_directory_as_path(&self.scheme) {
            return Ok(option);
        }
        let path = std::mem::take(&mut self.path);
        let directory = path.strip_prefix('/').unwrap_or(&path);
        match (directory.is_empty(), option) {
            (true, option) => Ok(option),
            (false, None) if directory.ends_with('/') => Ok(Some(directory.to_owned())),
            (false, None) => Ok(Some(format!("{directory}/"))),
            (false, Some(_)) => Err(Error::config(format!(
                "the path of a URL of {} is its prefix: leave out one of the two",
                self.scheme
            ))),
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Takes a URL apart.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config), naming the fix. The message does not repeat the URL, which may
    /// hold secrets.
    fn from_str(url: &str) -> Result<Self> {
        let (scheme, rest) = split_scheme(url)?;
        if rest.contains('#') {
            return Err(Error::config(format!(
                "a {scheme} URL has no fragment; write a # in it as %23"
            )));
        }
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (host, path) = match location.strip_prefix("//") {
            Some(location) => location.split_at(location.find('/').unwrap_or(location.len())),
            None => ("", location),
        };
        if host.contains('@') {
            return Err(Error::config(format!(
                "a {scheme} URL takes no user or password; credentials come from the environment \
                 or from the configuration of the backend"
            )));
        }
        let mut options = Options::new(scheme.clone());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Error::config(format!("option `{pair}` of {scheme} has no value: write name=value"))
            })?;
            let name = decode(&scheme, name)?;
            let value = decode(&scheme, value)?;
            options = options.with(name, value)?;
        }
        Ok(Self { host: decode(&scheme, host)?, path: decode(&scheme, path)?, scheme, options })
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, path, options } = self;
        f.debug_struct("Address")
            .field("scheme", scheme)
            .field("host", host)
            .field("path", path)
            .field("options", options)
            .finish()
    }
}

fn split_scheme(url: &str) -> Result<(String, &str)> {
    let legal = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    match url.split_once(':') {
        Some((scheme, rest)) if legal(scheme) => Ok((scheme.to_ascii_lowercase(), rest)),
        _ => Err(Error::config(
            "a store or compute URL begins with a scheme, as in file:///data/bucket or memory:",
        )),
    }
}

fn decode(scheme: &str, text: &str) -> Result<String> {
    let bytes = text.as_bytes();
    let broken = bytes.iter().enumerate().any(|(i, byte)| {
        let digits = bytes.get(i + 1..i + 3);
        *byte == b'%' && !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return Err(Error::config(format!(
            "a % in a {scheme} URL begins an escape of two hexadecimal digits; write a % itself as %25"
        )));
    }
    let decoded = percent_decode_str(text).decode_utf8();
    match decoded {
        Ok(text) if !text.contains('\0') => Ok(text.into_owned()),
        _ => Err(Error::config(format!("a {scheme} URL is UTF-8 without zero bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn parse(url: &str) -> Address {
        url.parse().unwrap()
    }

    #[test]
    fn urls_are_taken_apart() {
        let rows = [
            ("memory:", "memory", "", ""),
            ("memory://bucket", "memory", "bucket", ""),
            ("FILE:///a/b", "file", "", "/a/b"),
            ("file:///a//../b/", "file", "", "/a//../b/"),
            ("file:///%C3%A4%20b", "file", "", "/ä b"),
            ("file://host/a", "file", "host", "/a"),
            ("local:", "local", "", ""),
            ("x:?a=b", "x", "", ""),
        ];
        for (url, scheme, host, path) in rows {
            let address = parse(url);
            assert_eq!((address.scheme(), address.host(), address.path()), (scheme, host, path));
        }
        assert_eq!(parse("x:?a=1%262&b=c+d").options(), parse("x:?b=c+d&a=1%262").options());
        assert_ne!(parse("x:?a=c+d").options(), parse("x:?a=c%20d").options());
    }

    #[test]
    fn broken_urls_name_the_fix_and_repeat_no_secret() {
        let rows = [
            ("/data/bucket", "begins with a scheme"),
            ("", "begins with a scheme"),
            ("1x:a", "begins with a scheme"),
            ("file:///a#b", "%23"),
            ("file:///a%2", "%25"),
            ("file:///a%zz", "%25"),
            ("file:///%ff", "UTF-8"),
            ("file:///a%00b", "zero bytes"),
            ("s3://me:hunter2@bucket/", "no user or password"),
            ("file:///a?fast", "name=value"),
            ("file:///a?x=1&x=2", "twice"),
        ];
        for (url, fix) in rows {
            let error = url.parse::<Address>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(fix), "{url}: {error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn debug_shows_names_of_options_only() {
        let text = format!("{:?}", parse("x:?token=hunter2"));
        assert!(text.contains("token") && !text.contains("hunter2"), "{text}");
    }
}
