//! A request to EC2 on its way to the state and back.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use serde_json::Value;

use super::call::Call;
use super::error::{Ec2Error, Result};
use super::params::Params;
use super::{handler, json_handler};
use crate::auth::{self, Caller, Checks, Signed};
use crate::http::Response;
use crate::server::exchange::{About, Broken, Exchange};
use crate::server::{body, target};

/// User data and everything around it.
const MAX_BODY: u64 = 1 << 20;

/// The services at this address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    Ec2,
    /// With JSON: Systems Manager or Service Quotas.
    Json(&'static str),
}

impl Api {
    fn of(target: Option<&str>) -> Self {
        match target {
            Some(target) if target.starts_with("ServiceQuotas") => Self::Json("servicequotas"),
            Some(_) => Self::Json("ssm"),
            None => Self::Ec2,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Json(name) => name,
        }
    }
}

/// Answers a request, or breaks the connection.
pub(crate) async fn answer(
    exchange: &mut Exchange<'_>,
    head: &http::request::Parts,
    incoming: Incoming,
) -> Result<Response, Broken> {
    let read = body::read(incoming, MAX_BODY, None).await;
    let too_large = read == Err(body::ReadError::TooLarge);
    let whole = read.unwrap_or_default();
    exchange.record.bytes_in = whole.len() as u64;
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let api = Api::of(target);
    let query = target::query(head.uri.query().unwrap_or("")).unwrap_or_default();
    let mut parameters = Vec::new();
    if api == Api::Ec2 {
        let form = std::str::from_utf8(&whole).unwrap_or_default();
        parameters = target::query(form).unwrap_or_default();
        parameters.extend(query.iter().cloned());
    }
    let action = parameters.iter().find(|(name, _)| name == "Action").map(|(_, value)| value);
    let operation = match target {
        Some(target) => target.rsplit('.').next().unwrap_or(target).to_owned(),
        None => action.map_or_else(|| "Unknown".to_owned(), Clone::clone),
    };
    exchange.begin(operation, About { query: &parameters, ..About::default() })?;
    if exchange.stop_after().is_some() {
        return Err(exchange.broken());
    }
    let verified = if too_large {
        Err(Ec2Error::with_status(413, "RequestEntityTooLarge", "The request is too large."))
    } else {
        verify(exchange, head, &query, &whole, api)
    };
    let caller = match verified {
        Ok(caller) => caller,
        Err(error) => return Ok(refusal(exchange, api, &error)),
    };
    exchange.record.signed_by = Some(caller.identity.access_key.clone());
    if let Some(response) = exchange.before().await? {
        return Ok(response);
    }
    let asked = Asked { target, whole: &whole, parameters };
    let response = match run(exchange, &caller, &asked) {
        Ok(document) => respond(api, StatusCode::OK, document),
        Err(error) => refusal(exchange, api, &error),
    };
    exchange.after(response)
}

fn verify(
    exchange: &Exchange<'_>,
    head: &http::request::Parts,
    query: &[(String, String)],
    whole: &[u8],
    api: Api,
) -> Result<Caller> {
    let signed =
        Signed { method: &head.method, path: head.uri.path(), query, headers: &head.headers };
    let checks = Checks {
        keys: &exchange.core.keys,
        now: exchange.now,
        service: api.name(),
        region: None,
        body: Some(whole),
    };
    let missing = "The request must contain valid AWS access credentials";
    auth::verify(signed, checks)?
        .caller
        .ok_or_else(|| Ec2Error::with_status(403, "MissingAuthenticationToken", missing))
}

/// What a request says.
struct Asked<'a> {
    target: Option<&'a str>,
    whole: &'a [u8],
    parameters: Vec<(String, String)>,
}

/// Carries a request out and tells the document of its answer.
fn run(exchange: &Exchange<'_>, caller: &Caller, asked: &Asked<'_>) -> Result<String> {
    let core = exchange.core;
    let mut state = core.ec2.lock();
    let state = &mut *state;
    state.switch_off(&core.ec2.processes.take_off(), core.clock.now());
    if state.is_throttled(&exchange.record.operation) {
        return Err(Ec2Error::with_status(503, "RequestLimitExceeded", "Request limit exceeded."));
    }
    let params = Params::new(asked.parameters.iter().cloned());
    let (settings, region) = state.region(&caller.identity.account, &caller.region)?;
    let now = core.clock.now();
    region.settle(now, settings);
    let call = Call {
        all: &params,
        params: params.root(),
        now,
        settings,
        account: &caller.identity.account,
        request_id: &exchange.record.id,
    };
    let document = match asked.target {
        Some(target) => {
            let unknown = || Ec2Error::new("UnknownOperationException", target);
            let handler = json_handler(target).ok_or_else(unknown)?;
            let body = serde_json::from_slice::<Value>(asked.whole).unwrap_or_default();
            handler(region, &call, &body).map(|answer| answer.to_string())
        }
        None => {
            let action = call.params.need("Action")?;
            let message = format!("The action {action} is not valid for this web service.");
            let unknown = || Ec2Error::new("InvalidAction", message);
            let handler = handler(action).ok_or_else(unknown)?;
            handler(region, &call).map(|xml| xml.document(action, call.request_id))
        }
    };
    // Without a delay what was asked for is done at once.
    region.settle(now, settings);
    core.ec2.processes.follow(region);
    document
}

fn respond(api: Api, status: StatusCode, document: String) -> Response {
    let kind = match api {
        Api::Ec2 => "text/xml;charset=UTF-8",
        Api::Json(_) => "application/x-amz-json-1.1",
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Response { status, headers, body: Bytes::from(document) }
}

fn refusal(exchange: &Exchange<'_>, api: Api, error: &Ec2Error) -> Response {
    let document = match api {
        Api::Ec2 => error.document(&exchange.record.id),
        Api::Json(_) => error.json().to_string(),
    };
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    respond(api, status, document)
}

/// The answer of a fault, as the service asked would word it.
pub(crate) fn fault_document(exchange: &Exchange<'_>, code: &str, message: &str) -> Bytes {
    let json = exchange.record.header("x-amz-target").is_some();
    let error = Ec2Error::with_status(400, code.to_owned(), message);
    let id = &exchange.record.id;
    if json { error.json().to_string().into() } else { error.document(id).into() }
}
