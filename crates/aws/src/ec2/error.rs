//! What refusals of EC2, and of the services beside it, mean.

use std::borrow::Cow;

use polycloud_core::ErrorKind;
use polycloud_wire::{Answer, Refusal};
use serde::Deserialize;

use super::codes;
use super::service::Protocol;
use crate::error::{Details, assemble};

const REQUEST_ID: &str = "x-amzn-requestid";
const ERROR_TYPE: &str = "x-amzn-errortype";

/// What a refusal means.
pub(super) fn refusal(protocol: Protocol, answer: &Answer<'_>) -> Refusal {
    let details = match protocol {
        Protocol::Query => Details::read(answer.body),
        Protocol::Json => read_json(answer),
    };
    let status = answer.status.as_u16();
    let by_status = || {
        let Refusal { error, reason } = Refusal::by_status(answer.status);
        (error.kind(), reason, error.radius())
    };
    let (kind, reason, radius) = match codes::row(&details.code) {
        Some((_, kind, reason, radius)) => (kind, reason, radius),
        None => by_status(),
    };
    let advice = advice(kind, answer.operation, &details);
    let error = assemble(kind, Some(status), &details, &advice).with_radius(radius);
    Refusal::new(error, reason)
}

/// A refusal of the AWS JSON protocol.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

fn read_json<'a>(answer: &Answer<'a>) -> Details<'a> {
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let document = serde_json::from_slice(answer.body)
        .unwrap_or(Document { kind: String::new(), message: String::new() });
    let told = if document.kind.is_empty() {
        header(ERROR_TYPE).unwrap_or_default().to_owned()
    } else {
        document.kind
    };
    // The name may stand between a namespace and the address of its documentation.
    let name = told.split(':').next().unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default();
    Details {
        code: Cow::Owned(name.to_owned()),
        message: Cow::Owned(document.message),
        request_id: header(REQUEST_ID).unwrap_or_default().into(),
        ..Details::default()
    }
}

/// What helps against an error; empty where the provider's words say it all.
fn advice(kind: ErrorKind, operation: &str, details: &Details<'_>) -> Cow<'static, str> {
    match (&*details.code, kind) {
        ("OptInRequired", _) => "the account is not subscribed to this, or the region is not \
             switched on for it"
            .into(),
        ("PendingVerification" | "Blocked", _) => {
            "Amazon does not let the account launch instances: ask its support".into()
        }
        ("RequestExpired", _) => "the credentials expired, or the clock of this machine is wrong: \
             sign in again, or set the clock"
            .into(),
        ("AuthFailure" | "InvalidClientTokenId" | "UnrecognizedClientException", _) => {
            "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or the profile, the clock of this \
             machine, and whether the region is switched on for the account"
                .into()
        }
        ("VPCIdNotSpecified" | "DefaultVpcDoesNotExist" | "MissingInput", _) => {
            no_default_network()
        }
        ("OperationNotPermitted", _) => "it is protected: switch the protection off before".into(),
        (_, ErrorKind::PermissionDenied) => {
            format!("the credentials need the permission {}", permission(operation)).into()
        }
        (_, ErrorKind::QuotaExceeded) => {
            "ask for more at Service Quotas, or use another region".into()
        }
        _ => "".into(),
    }
}

/// What helps an account that has no default network.
pub(super) fn no_default_network() -> Cow<'static, str> {
    "the account has no default VPC here: create one (aws ec2 create-default-vpc), or set the option \
     subnet"
        .into()
}

/// The IAM actions that a request needs, as in `docs/providers/aws.md`.
fn permission(operation: &str) -> String {
    // What is made is tagged by the same request.
    match operation {
        "RunInstances" => {
            return "ec2:RunInstances, ec2:CreateTags, and with an identity iam:PassRole".into();
        }
        "CreateImage"
        | "CreateKeyPair"
        | "CreateSecurityGroup"
        | "CreateSnapshot"
        | "CreateVolume"
        | "ImportKeyPair" => return format!("ec2:{operation} and ec2:CreateTags"),
        _ => {}
    }
    let service = match operation {
        "GetParameter" | "GetParameters" => "ssm",
        "ListServiceQuotas" => "servicequotas",
        _ => "ec2",
    };
    format!("{service}:{operation}")
}
