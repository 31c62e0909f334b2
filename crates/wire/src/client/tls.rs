use std::error::Error as StdError;
use std::sync::Arc;

use polycloud_core::Error;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_native_certs};

use super::error::{SendError, SendErrorKind};

const NOTHING_TO_TRUST: &str = "this machine has no certificates to trust: install its package \
                                ca-certificates, or name a file of certificates in SSL_CERT_FILE";

/// Which certificates are trusted: those of the machine, and further ones.
///
/// The machine's are those of its certificate store or, where `SSL_CERT_FILE` or `SSL_CERT_DIR` is set,
/// those found there. Nothing switches the check of certificates off.
#[derive(Debug, Clone, Default)]
pub struct TlsConfig {
    roots: Vec<CertificateDer<'static>>,
}

impl TlsConfig {
    /// Trusts the certificates in this PEM text as well.
    ///
    /// # Errors
    /// [`Config`](polycloud_core::ErrorKind::Config) if there is none in it, or one that cannot be used.
    pub fn trust_pem(mut self, pem: &[u8]) -> Result<Self, Error> {
        let known = self.roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| {
                Error::config("malformed PEM among the certificates to trust").with_source(error)
            })?;
            RootCertStore::empty().add(certificate.clone()).map_err(|error| {
                Error::config("a certificate to trust that cannot be used").with_source(error)
            })?;
            self.roots.push(certificate);
        }
        if self.roots.len() == known {
            return Err(Error::config("no certificate in the PEM text that is to be trusted"));
        }
        Ok(self)
    }

    /// Reads the machine's certificates.
    pub(super) fn client(&self) -> Result<ClientConfig, SendError> {
        self.client_with(load_native_certs)
    }

    fn client_with(
        &self,
        machine: impl FnOnce() -> CertificateResult,
    ) -> Result<ClientConfig, SendError> {
        let machine = machine();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(machine.certs);
        roots.add_parsable_certificates(self.roots.iter().cloned());
        if roots.is_empty() {
            let error = SendError::new(SendErrorKind::Tls).with_message(NOTHING_TO_TRUST);
            return Err(match machine.errors.into_iter().next() {
                Some(cause) => error.with_source(cause),
                None => error,
            });
        }
        // Named here, so that it does not matter what the process has installed as its default.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| SendError::new(SendErrorKind::Tls).with_source(error))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Whether an error says that a connection is not secure.
pub(super) fn is_error(error: &(dyn StdError + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    // An I/O error does not name the error in it as its source, but that error's source.
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    inner.is_some_and(|inner| is_error(inner))
}

#[cfg(test)]
mod tests;
