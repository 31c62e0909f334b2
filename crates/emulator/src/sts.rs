//! The security token service: who one is, and credentials for a time.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use serde_json::Value;

use crate::auth::{self, AuthError, Caller, Checks, Signed};
use crate::credentials::Session;
use crate::date;
use crate::faults::escape;
use crate::http::Response;
use crate::server::exchange::{About, Broken, Exchange};
use crate::server::{body, target};

const MAX_BODY: u64 = 1 << 20;

/// The account that roles without one in their name belong to.
const NO_ACCOUNT: &str = "111122223333";

type Result<T, E = StsError> = std::result::Result<T, E>;

/// Why the service refuses a request.
#[derive(Debug)]
struct StsError {
    status: u16,
    code: &'static str,
    message: String,
}

impl StsError {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }
}

impl From<AuthError> for StsError {
    fn from(error: AuthError) -> Self {
        let code = match error.code {
            "InvalidAccessKeyId" => {
                let message = "The security token included in the request is invalid.";
                return Self::new(403, "InvalidClientTokenId", message);
            }
            "InvalidToken" => "InvalidClientTokenId",
            "RequestTimeTooSkewed" => {
                let message = "Signature expired or not yet current: the time of the request is too \
                               far from the time of the service.";
                return Self::new(403, "SignatureDoesNotMatch", message);
            }
            "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError" => {
                return Self::new(403, "SignatureDoesNotMatch", error.message);
            }
            "MissingSecurityHeader" | "AccessDenied" => "IncompleteSignature",
            code => code,
        };
        Self::new(403, code, error.message)
    }
}

/// A request with what it says and who says it.
struct Call<'a> {
    exchange: &'a Exchange<'a>,
    parameters: Vec<(String, String)>,
    caller: Option<Caller>,
}

/// Answers a request, or breaks the connection.
pub(crate) async fn answer(
    exchange: &mut Exchange<'_>,
    head: &http::request::Parts,
    incoming: Incoming,
) -> Result<Response, Broken> {
    let whole = body::read(incoming, MAX_BODY, None).await.unwrap_or_default();
    exchange.record.bytes_in = whole.len() as u64;
    let query = target::query(head.uri.query().unwrap_or("")).unwrap_or_default();
    let form = std::str::from_utf8(&whole).unwrap_or_default();
    let mut parameters = target::query(form).unwrap_or_default();
    parameters.extend(query.iter().cloned());
    let action = parameters.iter().find(|(name, _)| name == "Action");
    let action = action.map_or_else(|| "Unknown".to_owned(), |(_, value)| value.clone());
    exchange.begin(action.clone(), About::default())?;
    if exchange.stop_after().is_some() {
        return Err(exchange.broken());
    }
    let caller = match verify(exchange, head, &query, &whole, &action) {
        Ok(caller) => caller,
        Err(error) => return Ok(refusal(exchange, &error)),
    };
    exchange.record.signed_by = caller.as_ref().map(|caller| caller.identity.access_key.clone());
    if let Some(response) = exchange.before().await? {
        return Ok(response);
    }
    let call = Call { exchange, parameters, caller };
    let response = match call.run(&action) {
        Ok(result) => success(exchange, &action, &result),
        Err(error) => refusal(exchange, &error),
    };
    exchange.after(response)
}

/// Verifies the signature; the exchange of a web identity needs none.
fn verify(
    exchange: &Exchange<'_>,
    head: &http::request::Parts,
    query: &[(String, String)],
    whole: &[u8],
    action: &str,
) -> Result<Option<Caller>> {
    let signed =
        Signed { method: &head.method, path: head.uri.path(), query, headers: &head.headers };
    let checks = Checks {
        keys: &exchange.core.keys,
        now: exchange.now,
        service: "sts",
        region: None,
        body: Some(whole),
    };
    let caller = auth::verify(signed, checks)?.caller;
    if caller.is_none() && action != "AssumeRoleWithWebIdentity" {
        let message = "Request is missing Authentication Token";
        return Err(StsError::new(403, "MissingAuthenticationToken", message));
    }
    Ok(caller)
}

impl Call<'_> {
    fn run(&self, action: &str) -> Result<String> {
        match action {
            "GetCallerIdentity" => self.caller_identity(),
            "AssumeRole" => self.assume_role(""),
            "AssumeRoleWithWebIdentity" => self.assume_role(&self.web_identity()?),
            "GetSessionToken" => self.session_token(),
            other => {
                let message = format!("Could not find operation {other} for version 2011-06-15");
                Err(StsError::new(400, "InvalidAction", message))
            }
        }
    }

    fn parameter(&self, wanted: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn need(&self, name: &str) -> Result<&str> {
        self.parameter(name).ok_or_else(|| {
            let name = name.to_owned();
            StsError::invalid(format!("1 validation error detected: '{name}' must not be null"))
        })
    }

    fn lifetime(&self, default: u64, most: u64) -> Result<Duration> {
        let seconds = match self.parameter("DurationSeconds") {
            Some(text) => text.parse::<u64>().ok().filter(|seconds| (900..=most).contains(seconds)),
            None => Some(default),
        };
        let message = format!("'durationSeconds' must be between 900 and {most}");
        seconds.map(Duration::from_secs).ok_or_else(|| StsError::invalid(message))
    }

    fn caller(&self) -> Result<&Caller> {
        let message = "Request is missing Authentication Token";
        let error = || StsError::new(403, "MissingAuthenticationToken", message);
        self.caller.as_ref().ok_or_else(error)
    }

    fn caller_identity(&self) -> Result<String> {
        let key = &self.caller()?.key;
        Ok(elements(&[("Arn", &key.arn), ("UserId", &key.user_id), ("Account", &key.account)]))
    }

    fn assume_role(&self, further: &str) -> Result<String> {
        let arn = self.need("RoleArn")?;
        let session = self.need("RoleSessionName")?;
        let good = (2..=64).contains(&session.len())
            && session
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte));
        if !good {
            return Err(StsError::invalid("'roleSessionName' failed to satisfy constraint"));
        }
        let (account, role) =
            parse_role(arn).ok_or_else(|| StsError::invalid(format!("{arn} is invalid")))?;
        let lifetime = self.lifetime(3600, 43_200)?;
        let session_arn = format!("arn:aws:sts::{account}:assumed-role/{role}/{session}");
        let user = |key: &str| format!("AROA{}:{session}", key.get(4..).unwrap_or_default());
        let exchange = self.exchange;
        let keys = &exchange.core.keys;
        let issued = keys.issue(account, session_arn.clone(), user, exchange.now, lifetime);
        let id = user(&issued.credentials.access_key);
        let user = elements(&[("AssumedRoleId", &id), ("Arn", &session_arn)]);
        let credentials = credentials(&issued);
        Ok(format!("<AssumedRoleUser>{user}</AssumedRoleUser>{credentials}{further}"))
    }

    /// What the answer tells of a web identity.
    fn web_identity(&self) -> Result<String> {
        let token = self.need("WebIdentityToken")?;
        let claims = claims(token);
        let claim = |name: &str| claims.as_ref().and_then(|claims| claims.get(name)?.as_str());
        let expires = claims.as_ref().and_then(|claims| claims.get("exp")?.as_u64());
        if expires.is_some_and(|expires| date::seconds(self.exchange.now) >= expires) {
            let message =
                "Token expired: current date/time must be before the expiration date/time";
            return Err(StsError::new(400, "ExpiredTokenException", message));
        }
        Ok(elements(&[
            ("SubjectFromWebIdentityToken", claim("sub").unwrap_or("test-subject")),
            ("Audience", claim("aud").unwrap_or("sts.amazonaws.com")),
            ("Provider", claim("iss").unwrap_or("https://issuer.test")),
        ]))
    }

    fn session_token(&self) -> Result<String> {
        let caller = self.caller()?;
        if caller.key.token.is_some() {
            let message = "Cannot call GetSessionToken with session credentials";
            return Err(StsError::new(403, "AccessDenied", message));
        }
        let lifetime = self.lifetime(43_200, 129_600)?;
        let (arn, user) = (caller.key.arn.clone(), caller.key.user_id.clone());
        let keys = &self.exchange.core.keys;
        let account = &caller.identity.account;
        let issued = keys.issue(account, arn, |_| user, self.exchange.now, lifetime);
        Ok(credentials(&issued))
    }
}

/// Account and name of `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
fn parse_role(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (prefix, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
    let digits = account.bytes().all(|byte| byte.is_ascii_digit());
    let good = prefix == "arn" && service == "iam" && digits && !name.is_empty();
    let account = if account.is_empty() { NO_ACCOUNT } else { account };
    good.then_some((account, name))
}

/// The claims of a JSON web token; None: it is none.
fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&claims).ok()
}

fn credentials(session: &Session) -> String {
    let credentials = &session.credentials;
    let inner = elements(&[
        ("AccessKeyId", &credentials.access_key),
        ("SecretAccessKey", &credentials.secret_key),
        ("SessionToken", credentials.session_token.as_deref().unwrap_or_default()),
        ("Expiration", &date::extended(session.expires)),
    ]);
    format!("<Credentials>{inner}</Credentials>")
}

fn elements(all: &[(&str, &str)]) -> String {
    let element = |(name, value): &(&str, &str)| format!("<{name}>{}</{name}>", escape(value));
    all.iter().map(element).collect()
}

fn respond(status: StatusCode, body: Bytes) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    Response { status, headers, body }
}

fn success(exchange: &Exchange<'_>, action: &str, result: &str) -> Response {
    let id = &exchange.record.id;
    let document = format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>\
         {result}</{action}Result><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>\
         </{action}Response>"
    );
    respond(StatusCode::OK, document.into())
}

fn refusal(exchange: &Exchange<'_>, error: &StsError) -> Response {
    let sender = error.status < 500;
    let body = error_document(error.code, &error.message, sender, &exchange.record.id);
    respond(StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST), body)
}

/// The error document of the service.
pub(crate) fn error_document(code: &str, message: &str, sender: bool, id: &str) -> Bytes {
    let kind = if sender { "Sender" } else { "Receiver" };
    let error = elements(&[("Type", kind), ("Code", code), ("Message", message)]);
    let document = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>{error}</Error>\
         <RequestId>{id}</RequestId></ErrorResponse>"
    );
    document.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles() {
        let arn = "arn:aws:iam::123456789012:role/path/name";
        assert_eq!(parse_role(arn), Some(("123456789012", "name")));
        for bad in
            ["", "name", "arn:aws:iam::x:role/n", "arn:aws:iam::1:user/n", "arn:aws:iam::1:role/"]
        {
            assert_eq!(parse_role(bad), None, "{bad}");
        }
    }

    #[test]
    fn claims_of_tokens() {
        let body = URL_SAFE_NO_PAD.encode("{\"sub\":\"me\"}");
        assert_eq!(claims(&format!("e30.{body}.sig")).unwrap()["sub"], "me");
        for opaque in ["", "opaque", "a.b.c", "a.b"] {
            assert_eq!(claims(opaque), None, "{opaque}");
        }
    }
}
