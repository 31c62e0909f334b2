//! Why a request is refused.

use std::borrow::Cow;

use crate::auth::AuthError;
use crate::faults::escape;

pub(crate) type Result<T, E = Ec2Error> = std::result::Result<T, E>;

/// An error as EC2 tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ec2Error {
    pub(crate) status: u16,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
}

impl Ec2Error {
    /// An error of the caller: status 400.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self::with_status(400, code, message)
    }

    pub(crate) fn with_status(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    /// `MissingParameter`.
    pub(crate) fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}");
        Self::new("MissingParameter", message)
    }

    /// `InvalidParameterValue`: what is wrong in words.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    /// `InvalidParameterValue`: this value of this parameter.
    pub(crate) fn invalid_value(parameter: &str, value: &str) -> Self {
        Self::invalid(format!("Value ({value}) for parameter {parameter} is invalid."))
    }

    /// `InvalidParameterCombination`.
    pub(crate) fn combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    /// `code` is like `InvalidVolume.NotFound`, `what` like `volume`.
    pub(crate) fn not_found(code: &'static str, what: &str, id: &str) -> Self {
        Self::new(code, format!("The {what} '{id}' does not exist"))
    }

    /// As EC2 writes it.
    pub(crate) fn document(&self, request: &str) -> String {
        document(&self.code, &self.message, request)
    }

    /// As the services with JSON write it.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({ "__type": self.code, "message": self.message })
    }
}

/// An error document of EC2.
pub(crate) fn document(code: &str, message: &str, request: &str) -> String {
    let (code, message) = (escape(code), escape(message));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code>\
         <Message>{message}</Message></Error></Errors><RequestID>{request}</RequestID></Response>"
    )
}

impl From<AuthError> for Ec2Error {
    fn from(error: AuthError) -> Self {
        let not_validated = "AWS was not able to validate the provided access credentials";
        match error.code {
            "ExpiredToken" => Self::with_status(400, "RequestExpired", "Request has expired."),
            "RequestTimeTooSkewed" => {
                Self::with_status(400, "RequestExpired", "Request has expired.")
            }
            "SignatureDoesNotMatch" => {
                Self::with_status(403, "SignatureDoesNotMatch", error.message)
            }
            "MissingSecurityHeader" | "AccessDenied" => {
                Self::with_status(403, "AuthFailure", error.message)
            }
            _ => Self::with_status(401, "AuthFailure", not_validated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_escaped() {
        let error = Ec2Error::invalid("a < b & c");
        let document = error.document("req");
        assert!(document.contains("<Code>InvalidParameterValue</Code>"), "{document}");
        assert!(document.contains("<Message>a &lt; b &amp; c</Message>"), "{document}");
        assert!(document.ends_with("<RequestID>req</RequestID></Response>"), "{document}");
    }
}
