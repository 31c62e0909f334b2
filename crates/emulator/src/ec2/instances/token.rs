//! Client tokens: a request that comes again has no second effect.

use crate::auth::sha256_hex;
use crate::ec2::call::Call;
use crate::ec2::error::{Ec2Error, Result};
use crate::ec2::state::Region;

const MAX_LENGTH: usize = 64;

/// What a token was used for.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// Of the parameters.
    digest: String,
    pub(crate) reservation: String,
}

/// The token of a request, and the reservation if it was used for the same request before.
pub(super) fn look_up<'a>(
    region: &Region,
    call: &Call<'a>,
) -> Result<(Option<&'a str>, Option<String>)> {
    let Some(token) = call.params.text("ClientToken") else { return Ok((None, None)) };
    if token.len() > MAX_LENGTH || !token.is_ascii() {
        let message = "The client token must be at most 64 ASCII characters.";
        return Err(Ec2Error::invalid(message));
    }
    match region.run_tokens.get(token) {
        Some(used) if used.digest == digest(call) => {
            Ok((Some(token), Some(used.reservation.clone())))
        }
        Some(_) => Err(Ec2Error::new(
            "IdempotentParameterMismatch",
            "The request uses the same client token as a previous, but non-identical request. Do \
             not reuse a client token with different requests, unless the requests are identical.",
        )),
        None => Ok((Some(token), None)),
    }
}

/// Remembers what a token was used for.
pub(super) fn remember(region: &mut Region, call: &Call<'_>, token: &str, reservation: &str) {
    let token_of = Token { digest: digest(call), reservation: reservation.to_owned() };
    region.run_tokens.insert(token.to_owned(), token_of);
}

fn digest(call: &Call<'_>) -> String {
    sha256_hex(call.all.fingerprint(&["ClientToken", "DryRun", "Version"]).as_bytes())
}
