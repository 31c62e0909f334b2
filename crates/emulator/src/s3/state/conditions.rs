//! Conditions of requests, in the order of RFC 9110 section 13.2.2.

use super::error::{Result, S3Error};

/// A list of ETags or `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ETags {
    Any,
    /// Without quotes.
    Listed(Vec<String>),
}

impl ETags {
    pub(crate) fn parse(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::Any;
        }
        Self::Listed(text.split(',').map(|etag| unquote(etag).to_owned()).collect())
    }

    pub(crate) fn contain(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(listed) => listed.iter().any(|listed| listed == etag),
        }
    }
}

/// An ETag without quotes and without the mark of a weak one.
pub(crate) fn unquote(etag: &str) -> &str {
    let etag = etag.trim();
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"')).unwrap_or(etag)
}

/// Conditions on what is read. Times in seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<ETags>,
    pub(crate) if_none_match: Option<ETags>,
    pub(crate) if_modified_since: Option<u64>,
    pub(crate) if_unmodified_since: Option<u64>,
}

/// What conditions say about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Go,
    NotModified(&'static str),
    Failed(&'static str),
}

impl ReadConditions {
    pub(crate) fn verdict(&self, etag: &str, modified: u64) -> Verdict {
        match (&self.if_match, self.if_unmodified_since) {
            (Some(wanted), _) if !wanted.contain(etag) => return Verdict::Failed("If-Match"),
            (None, Some(time)) if modified > time => return Verdict::Failed("If-Unmodified-Since"),
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(known), _) if known.contain(etag) => Verdict::NotModified("If-None-Match"),
            (None, Some(time)) if modified <= time => Verdict::NotModified("If-Modified-Since"),
            _ => Verdict::Go,
        }
    }
}

/// Conditions on what is overwritten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WriteConditions {
    /// An ETag without quotes.
    pub(crate) if_match: Option<String>,
    pub(crate) if_absent: bool,
}

impl WriteConditions {
    /// Checks them against the ETag of the current object.
    pub(crate) fn check(&self, key: &str, current: Option<&str>) -> Result<()> {
        if self.if_absent && current.is_some() {
            return Err(S3Error::precondition_failed("If-None-Match"));
        }
        match (&self.if_match, current) {
            (Some(_), None) => Err(S3Error::no_such_key(key)),
            (Some(wanted), Some(current)) if wanted != current => {
                Err(S3Error::precondition_failed("If-Match"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_compared_without_quotes() {
        let etags = ETags::parse("\"a\", W/\"b\",c");
        assert!(etags.contain("a") && etags.contain("b") && etags.contain("c"));
        assert!(!etags.contain("d"));
        assert!(ETags::parse("*").contain("d"));
    }

    #[test]
    fn etags_go_before_times() {
        let etags = |text| Some(ETags::parse(text));
        let conditions = |m, nm, since, until| ReadConditions {
            if_match: m,
            if_none_match: nm,
            if_modified_since: since,
            if_unmodified_since: until,
        };
        let verdict = |conditions: ReadConditions| conditions.verdict("a", 100);
        assert_eq!(verdict(conditions(etags("a"), None, None, Some(1))), Verdict::Go);
        assert_eq!(
            verdict(conditions(etags("b"), None, None, Some(200))),
            Verdict::Failed("If-Match")
        );
        let failed = Verdict::Failed("If-Unmodified-Since");
        assert_eq!(verdict(conditions(None, None, None, Some(99))), failed);
        assert_eq!(verdict(conditions(None, None, None, Some(100))), Verdict::Go);
        assert_eq!(verdict(conditions(None, etags("b"), Some(200), None)), Verdict::Go);
        let same = Verdict::NotModified("If-None-Match");
        assert_eq!(verdict(conditions(None, etags("a"), Some(1), None)), same);
        let same = Verdict::NotModified("If-Modified-Since");
        assert_eq!(verdict(conditions(None, None, Some(100), None)), same);
        assert_eq!(verdict(conditions(None, None, Some(99), None)), Verdict::Go);
        let both = conditions(etags("b"), etags("a"), None, None);
        assert_eq!(verdict(both), Verdict::Failed("If-Match"));
    }

    #[test]
    fn writes_need_what_they_name() {
        let check = |if_match: Option<&str>, if_absent, current| {
            let if_match = if_match.map(str::to_owned);
            WriteConditions { if_match, if_absent }.check("k", current).map_err(|error| error.code)
        };
        assert_eq!(check(None, false, Some("a")), Ok(()));
        assert_eq!(check(None, true, None), Ok(()));
        assert_eq!(check(None, true, Some("a")), Err("PreconditionFailed"));
        assert_eq!(check(Some("a"), false, Some("a")), Ok(()));
        assert_eq!(check(Some("b"), false, Some("a")), Err("PreconditionFailed"));
        assert_eq!(check(Some("a"), false, None), Err("NoSuchKey"));
    }
}
