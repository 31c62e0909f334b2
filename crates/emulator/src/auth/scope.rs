//! What a request claims: who signed it, for what and when.

use std::time::SystemTime;

use http::HeaderMap;

use super::error::{AuthError, Result};
use crate::date;

pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The longest life of a presigned URL: seven days.
const MAX_EXPIRES: u64 = 604_800;

/// Who signed, and for which day, region and service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) day: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Scope {
    /// Parses `KEY/DAY/REGION/SERVICE/aws4_request`; None: it has another shape.
    pub(crate) fn parse(credential: &str) -> Option<Self> {
        let mut parts = credential.rsplitn(5, '/');
        let terminal = parts.next()?;
        let (service, region, day) = (parts.next()?, parts.next()?, parts.next()?);
        let access_key = parts.next().filter(|key| !key.is_empty())?;
        (terminal == "aws4_request").then(|| Self {
            access_key: access_key.to_owned(),
            day: day.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// As in the string to sign.
    pub(crate) fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }
}

/// A signature and what it is said to be of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) scope: Scope,
    pub(crate) signed_headers: String,
    pub(crate) signature: String,
    /// As it was given, and what it means.
    pub(crate) time_text: String,
    pub(crate) time: SystemTime,
    pub(crate) token: Option<String>,
    /// Seconds for which a presigned URL is good; None: signed in headers.
    pub(crate) expires: Option<u64>,
}

impl Claim {
    /// The code of an error in what is claimed, and how its message begins.
    pub(crate) fn malformed(presigned: bool, what: &str) -> AuthError {
        if presigned {
            let message = format!("Error parsing the X-Amz-Credential parameter; {what}");
            return AuthError::new("AuthorizationQueryParametersError", message);
        }
        let message = format!("The authorization header is malformed; {what}");
        AuthError::new("AuthorizationHeaderMalformed", message)
    }

    /// From the Authorization header.
    pub(crate) fn from_headers(authorization: &str, headers: &HeaderMap) -> Result<Self> {
        let fields = authorization.strip_prefix(ALGORITHM).ok_or_else(AuthError::unsupported)?;
        let mut credential = None;
        let mut signed_headers = None;
        let mut signature = None;
        for field in fields.split(',') {
            match field.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed_headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => {}
            }
        }
        let missing = |what| Self::malformed(false, &format!("missing {what}"));
        let scope = parse_scope(credential.ok_or_else(|| missing("Credential"))?, false)?;
        let (time_text, time) = time_of(headers)?;
        let token = headers.get("x-amz-security-token").and_then(|value| value.to_str().ok());
        let claim = Self {
            signed_headers: signed_headers.ok_or_else(|| missing("SignedHeaders"))?.to_owned(),
            signature: signature.ok_or_else(|| missing("Signature"))?.to_owned(),
            scope,
            time_text,
            time,
            token: token.map(str::to_owned),
            expires: None,
        };
        claim.check_day()?;
        Ok(claim)
    }

    /// From the parameters of a presigned URL.
    pub(crate) fn from_query(query: &[(String, String)]) -> Result<Self> {
        let find = |wanted: &str| {
            let found = query.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let incomplete = || {
            let message = "Query-string authentication version 4 requires the X-Amz-Algorithm, \
                           X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and \
                           X-Amz-Expires parameters.";
            AuthError::new("AuthorizationQueryParametersError", message)
        };
        let need = |name| find(name).filter(|value| !value.is_empty()).ok_or_else(incomplete);
        let wrong = |message| AuthError::new("AuthorizationQueryParametersError", message);
        if need("X-Amz-Algorithm")? != ALGORITHM {
            return Err(wrong("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
        }
        let time_text = need("X-Amz-Date")?.to_owned();
        let time = date::parse_basic(&time_text).ok_or_else(|| {
            wrong("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        })?;
        let claim = Self {
            scope: parse_scope(need("X-Amz-Credential")?, true)?,
            signed_headers: need("X-Amz-SignedHeaders")?.to_owned(),
            signature: need("X-Amz-Signature")?.to_owned(),
            time_text,
            time,
            token: find("X-Amz-Security-Token").map(str::to_owned),
            expires: Some(expires(need("X-Amz-Expires")?)?),
        };
        claim.check_day()?;
        Ok(claim)
    }

    fn check_day(&self) -> Result<()> {
        let (claimed, sent) = (&self.scope.day, date::basic(self.time));
        if sent.starts_with(claimed.as_str()) && claimed.len() == 8 {
            return Ok(());
        }
        let what = format!(
            "Invalid credential date \"{claimed}\". This date is not the same as X-Amz-Date: \"{}\".",
            sent.get(..8).unwrap_or_default()
        );
        Err(Self::malformed(self.expires.is_some(), &what))
    }
}

fn parse_scope(credential: &str, presigned: bool) -> Result<Scope> {
    Scope::parse(credential).ok_or_else(|| {
        let what = "the Credential is mal-formed; expecting \
                    \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
        Claim::malformed(presigned, what)
    })
}

fn expires(text: &str) -> Result<u64> {
    let wrong = |message| AuthError::new("AuthorizationQueryParametersError", message);
    let seconds = text.parse::<i64>().map_err(|_| wrong("X-Amz-Expires should be a number"))?;
    let seconds =
        u64::try_from(seconds).map_err(|_| wrong("X-Amz-Expires must be non-negative"))?;
    if seconds == 0 || seconds > MAX_EXPIRES {
        let message = "X-Amz-Expires must be between 1 and 604800 seconds: at most a week";
        return Err(wrong(message));
    }
    Ok(seconds)
}

/// The time of a request: from `x-amz-date`, else from `Date`.
fn time_of(headers: &HeaderMap) -> Result<(String, SystemTime)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(text) = text("x-amz-date") {
        let time = date::parse_basic(text).ok_or_else(AuthError::no_date)?;
        return Ok((text.to_owned(), time));
    }
    let text = text("date").ok_or_else(AuthError::no_date)?;
    let parsed = date::parse_basic(text).or_else(|| httpdate::parse_http_date(text).ok());
    let time = parsed.ok_or_else(AuthError::no_date)?;
    // What is signed is the form of x-amz-date, whichever header it comes from.
    Ok((date::basic(time), time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes() {
        let scope = Scope::parse("A/K/20130524/us-east-1/s3/aws4_request").unwrap();
        assert_eq!(scope.access_key, "A/K");
        assert_eq!(scope.text(), "20130524/us-east-1/s3/aws4_request");
        for bad in ["", "A/20130524/us-east-1/s3", "/20130524/r/s3/aws4_request", "A/d/r/s3/aws4"] {
            assert_eq!(Scope::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn lives_of_presigned_urls() {
        assert_eq!(expires("1"), Ok(1));
        assert_eq!(expires("604800"), Ok(604_800));
        for bad in ["0", "604801", "-1", "x", ""] {
            assert_eq!(
                expires(bad).unwrap_err().code,
                "AuthorizationQueryParametersError",
                "{bad}"
            );
        }
    }
}
