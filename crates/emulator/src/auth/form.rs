//! Uploads from forms of a browser: the form and its policy.

mod multipart;
mod policy;

use bytes::Bytes;
use http::{HeaderMap, Method, header};

use self::policy::Policy;
use super::scope::{ALGORITHM, Claim, Scope};
use super::{AuthError, Checks, Result, check_key, check_scope, crypto, hmac, same, signing_key};
use crate::credentials;
use crate::date;
use crate::http::{Identity, Request};

/// Fields and file of a form whose policy allows them.
#[derive(Debug)]
pub(crate) struct Upload {
    /// In order; the name of the file is added as `filename`.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) file: Bytes,
    /// Who signed the policy; None: there is none.
    pub(crate) identity: Option<Identity>,
}

/// Whether a request uploads a form.
pub(crate) fn is_upload(request: &Request, headers: &HeaderMap) -> bool {
    request.method == Method::POST
        && request.bucket.is_some()
        && request.key.is_none()
        && request.query.is_empty()
        && boundary(headers).is_some()
}

fn boundary(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let (kind, parameters) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"'))
    })?;
    (!boundary.is_empty()).then_some(boundary)
}

/// Takes a form apart and checks it against its policy; None: the request is no form.
pub(crate) fn verify(request: &Request, checks: Checks<'_>) -> Result<Option<Upload>> {
    if !is_upload(request, &request.headers) {
        return Ok(None);
    }
    let Some(boundary) = boundary(&request.headers) else { return Ok(None) };
    let (fields, file) = multipart::parse(&request.body, boundary)?;
    let form = Form { fields: &fields, bucket: request.bucket.as_deref().unwrap_or_default() };
    let identity = match form.field("policy") {
        Some(policy) => {
            let identity = form.check_signature(policy, checks)?;
            Policy::parse(policy)?.check(&form, file.len() as u64, checks.now)?;
            Some(identity)
        }
        None if form.field("x-amz-signature").is_some() => {
            return Err(AuthError::new(
                "InvalidArgument",
                "Bucket POST must contain a field named \
                 'policy'. If it is specified, please check the order of the fields.",
            ));
        }
        None => None,
    };
    Ok(Some(Upload { fields, file, identity }))
}

/// What a policy is about.
#[derive(Debug, Clone, Copy)]
struct Form<'a> {
    fields: &'a [(String, String)],
    bucket: &'a str,
}

impl<'a> Form<'a> {
    fn field(&self, name: &str) -> Option<&'a str> {
        let found = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn check_signature(&self, policy: &str, checks: Checks<'_>) -> Result<Identity> {
        if self.field("awsaccesskeyid").is_some() {
            return Err(AuthError::unsupported());
        }
        let need = |name: &'static str| {
            self.field(name).ok_or_else(|| {
                let message = format!(
                    "Bucket POST must contain a field named '{name}'. If it is specified, please \
                     check the order of the fields."
                );
                AuthError::new("InvalidArgument", message).with("ArgumentName", name)
            })
        };
        if need("x-amz-algorithm")? != ALGORITHM {
            return Err(AuthError::unsupported());
        }
        let credential = need("x-amz-credential")?;
        let scope =
            Scope::parse(credential).ok_or_else(|| Claim::malformed(true, "its form is wrong"))?;
        let time_text = need("x-amz-date")?;
        let time = date::parse_basic(time_text).ok_or_else(AuthError::no_date)?;
        let claim = Claim {
            signature: need("x-amz-signature")?.to_owned(),
            signed_headers: String::new(),
            time_text: time_text.to_owned(),
            time,
            token: self.field("x-amz-security-token").map(str::to_owned),
            // The policy says itself how long it is good for.
            expires: None,
            scope,
        };
        check_scope(&claim.scope, checks, true)?;
        let key = check_key(checks, &claim)?;
        let signing_key = signing_key(&key, &claim.scope, &claim.scope.text());
        let expected = crypto::hex(&hmac(&signing_key, policy.as_bytes()));
        if !same(&expected, &claim.signature) {
            return Err(AuthError::mismatch()
                .with("AWSAccessKeyId", claim.scope.access_key.clone())
                .with("StringToSign", policy)
                .with("SignatureProvided", claim.signature));
        }
        Ok(credentials::identity(&claim.scope.access_key, &key))
    }
}
