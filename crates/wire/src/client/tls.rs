use std::error::Error as StdError;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::error::{SendError, SendErrorKind};

/// Which certificates are trusted: those of the machine.
#[derive(Debug, Clone, Default)]
pub struct TlsConfig {}

impl TlsConfig {
    /// Reads the machine's certificates.
    pub(super) fn client(&self) -> Result<ClientConfig, SendError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(SendError::new(SendErrorKind::Tls).with_message(
                "this machine has no certificates to trust: install its package ca-certificates, or \
                 name a file of certificates in SSL_CERT_FILE",
            ));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SendError::new(SendErrorKind::Tls).with_source(error))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Whether an error says that a connection is not secure.
pub(super) fn is_error(error: &(dyn StdError + 'static)) -> bool {
    error.is::<rustls::Error>()
}
