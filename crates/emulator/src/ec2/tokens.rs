//! `ClientToken` of actions that create something other than instances.

use std::collections::BTreeMap;

use super::call::Call;
use super::error::{Ec2Error, Result};

/// What requests with a token have created.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientTokens(BTreeMap<String, Created>);

#[derive(Debug, Clone)]
struct Created {
    /// The parameters of the request.
    request: String,
    id: String,
}

impl ClientTokens {
    /// What an earlier request with the same token has created.
    pub(crate) fn created(&self, call: &Call<'_>) -> Result<Option<&str>> {
        let Some(created) = key(call).and_then(|key| self.0.get(&key)) else { return Ok(None) };
        if created.request != request(call) {
            let message = "The client token you have provided is associated with a request with \
                           different parameters.";
            return Err(Ec2Error::new("IdempotentParameterMismatch", message));
        }
        Ok(Some(&created.id))
    }

    /// Remembers what a request has created.
    pub(crate) fn remember(&mut self, call: &Call<'_>, id: &str) {
        if let Some(key) = key(call) {
            self.0.insert(key, Created { request: request(call), id: id.to_owned() });
        }
    }
}

fn key(call: &Call<'_>) -> Option<String> {
    let token = call.params.text("ClientToken")?;
    Some(format!("{} {token}", call.params.text("Action")?))
}

fn request(call: &Call<'_>) -> String {
    call.all.fingerprint(&["ClientToken", "Version"])
}
