//! TLS to the database, as its address asks for it.

use super::target::Security;
use crate::links::tls;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What opens encrypted connections. Trusts the system's authorities and `more`, where a certificate
/// counts.
///
/// # Errors
/// When TLS can't be set up on this machine.
pub(super) fn connector(
    security: Security,
    more: &[CertificateDer<'static>],
) -> Result<MakeRustlsConnect, Error> {
    let builder = ClientConfig::builder_with_provider(tls::provider());
    let builder = builder.with_safe_default_protocol_versions()?;
    let config = match security {
        Security::VerifyFull => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(tls::authorities(more));
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Security::Disable | Security::Prefer | Security::Require => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(tls::provider())))
            .with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

/// Takes any certificate, as PostgreSQL's `prefer` and `require` are defined. The handshake still has
/// to be signed by its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
