//! The policy of a form: what may be uploaded with it, and until when.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{AuthError, Form, Result};
use crate::date;

/// Fields that need no condition.
const FREE: [&str; 5] = ["policy", "x-amz-signature", "file", "filename", "awsaccesskeyid"];

#[derive(Debug)]
pub(super) struct Policy {
    expiration: SystemTime,
    conditions: Vec<Condition>,
}

#[derive(Debug)]
enum Condition {
    Equal { field: String, value: String },
    StartsWith { field: String, value: String },
    Length { least: u64, most: u64 },
}

fn invalid(what: &str) -> AuthError {
    let message = format!("Invalid Policy: {what}.");
    AuthError::new("InvalidPolicyDocument", message)
}

fn denied(what: &str) -> AuthError {
    AuthError::new("AccessDenied", format!("Invalid according to Policy: {what}"))
}

impl Policy {
    pub(super) fn parse(encoded: &str) -> Result<Self> {
        let text = STANDARD.decode(encoded.trim()).map_err(|_| invalid("Invalid Base64"))?;
        let document = serde_json::from_slice::<Value>(&text);
        let document = document.map_err(|_| invalid("Invalid JSON"))?;
        let expiration = document.get("expiration").and_then(Value::as_str);
        let expiration = expiration.and_then(date::parse_extended);
        let conditions = document.get("conditions").and_then(Value::as_array);
        let conditions = conditions.ok_or_else(|| invalid("Policy missing conditions"))?;
        let mut parsed = Vec::new();
        for condition in conditions {
            Condition::parse(condition, &mut parsed).ok_or_else(|| invalid("Invalid condition"))?;
        }
        Ok(Self {
            expiration: expiration.ok_or_else(|| invalid("Invalid expiration"))?,
            conditions: parsed,
        })
    }

    /// Checks what is uploaded and when.
    pub(super) fn check(&self, form: &Form<'_>, length: u64, now: SystemTime) -> Result<()> {
        if now >= self.expiration {
            return Err(denied("Policy expired."));
        }
        for condition in &self.conditions {
            condition.check(form, length)?;
        }
        let extra = form.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).find(|name| {
            !FREE.contains(&name.as_str())
                && !name.starts_with("x-ignore-")
                && !self.conditions.iter().any(|condition| condition.is_about(name))
        });
        extra.map_or(Ok(()), |name| Err(denied(&format!("Extra input fields: {name}"))))
    }
}

impl Condition {
    /// Parses `{"field": "value", ..}` or `["operator", ..]`; None: it is neither.
    fn parse(condition: &Value, parsed: &mut Vec<Self>) -> Option<()> {
        match condition {
            Value::Object(fields) => {
                for (field, value) in fields {
                    let (field, value) = (field.to_ascii_lowercase(), value.as_str()?.to_owned());
                    parsed.push(Self::Equal { field, value });
                }
            }
            Value::Array(items) => parsed.push(Self::parse_operator(items)?),
            _ => return None,
        }
        Some(())
    }

    fn parse_operator(items: &[Value]) -> Option<Self> {
        let [operator, first, second] = items else { return None };
        let operator = operator.as_str()?.to_ascii_lowercase();
        if operator == "content-length-range" {
            return Some(Self::Length { least: number(first)?, most: number(second)? });
        }
        let field = first.as_str()?.strip_prefix('$')?.to_ascii_lowercase();
        let value = second.as_str()?.to_owned();
        match operator.as_str() {
            "eq" => Some(Self::Equal { field, value }),
            "starts-with" => Some(Self::StartsWith { field, value }),
            _ => None,
        }
    }

    fn is_about(&self, name: &str) -> bool {
        match self {
            Self::Equal { field, .. } | Self::StartsWith { field, .. } => field == name,
            Self::Length { .. } => false,
        }
    }

    fn check(&self, form: &Form<'_>, length: u64) -> Result<()> {
        let given = |field: &str| match field {
            "bucket" => form.bucket,
            field => form.field(field).unwrap_or_default(),
        };
        let failed = |operator: &str, field: &str, value: &str| {
            let condition = format!("[\"{operator}\", \"${field}\", \"{value}\"]");
            Err(denied(&format!("Policy Condition failed: {condition}")))
        };
        match self {
            Self::Equal { field, value } if given(field) != value => failed("eq", field, value),
            Self::StartsWith { field, value } if !given(field).starts_with(value.as_str()) => {
                failed("starts-with", field, value)
            }
            Self::Length { least, .. } if length < *least => {
                let message = "Your proposed upload is smaller than the minimum allowed size";
                Err(AuthError::new("EntityTooSmall", message)
                    .with("ProposedSize", length.to_string())
                    .with("MinSizeAllowed", least.to_string()))
            }
            Self::Length { most, .. } if length > *most => {
                let message = "Your proposed upload exceeds the maximum allowed size";
                Err(AuthError::new("EntityTooLarge", message)
                    .with("ProposedSize", length.to_string())
                    .with("MaxSizeAllowed", most.to_string()))
            }
            _ => Ok(()),
        }
    }
}

/// Numbers come as numbers and as text.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
