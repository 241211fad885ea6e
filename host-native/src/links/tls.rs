//! TLS below links and HTTP. It carries them past proxies and browsers; who a peer is shows in its link's
//! own handshake in either case.

use crate::{
    exit::{Code, Failure},
    links::bare,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName,
        pem::{self, PemObject},
    },
};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client};

/// What this program computes TLS with.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificates in a file of PEM.
///
/// # Errors
/// When it can't be read or holds none.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| unreadable(path, "certificates", &error))?;
    if certificates.is_empty() {
        return Err(unreadable(path, "certificates", &pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

/// The certificates in all of several files.
///
/// # Errors
/// When one can't be read or holds none.
pub(crate) fn all_certificates(files: &[PathBuf]) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let mut all = Vec::new();
    for file in files {
        all.extend(certificates(file)?);
    }
    Ok(all)
}

fn unreadable(path: &Path, what: &str, error: &pem::Error) -> Failure {
    let is_denied = matches!(error, pem::Error::Io(error)
        if error.kind() == io::ErrorKind::PermissionDenied);
    let code = if is_denied {
        Code::NoPermission
    } else {
        Code::Config
    };
    Failure::new(
        code,
        format!(
            "no {what} can be read from {}: {error}; name a PEM file that this user may read",
            path.display()
        ),
    )
}

/// The authorities that are trusted: the system's, and those of `more`.
pub(crate) fn authorities(more: &[CertificateDer<'static>]) -> Vec<CertificateDer<'static>> {
    // What of the system's can't be read is missed when a certificate is not trusted.
    let mut all = rustls_native_certs::load_native_certs().certs;
    all.extend_from_slice(more);
    all
}

/// How TLS addresses are dialled.
#[derive(Clone)]
pub(crate) struct Dialling {
    more: Arc<Vec<CertificateDer<'static>>>,
    /// Made at the first dial: most nodes never dial such an address.
    config: Arc<OnceLock<Option<Arc<ClientConfig>>>>,
}

impl fmt::Debug for Dialling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialling({} authorities of its own)", self.more.len())
    }
}

impl Dialling {
    /// Trusts the system's authorities and those in `files`.
    ///
    /// # Errors
    /// When a file can't be read.
    pub(crate) fn new(files: &[PathBuf]) -> Result<Self, Failure> {
        Ok(Self {
            more: Arc::new(all_certificates(files)?),
            config: Arc::default(),
        })
    }

    /// The authorities that are trusted besides the system's.
    pub(crate) fn more(&self) -> &[CertificateDer<'static>] {
        &self.more
    }

    /// Whom it trusts; `None` where TLS can't be set up.
    pub(crate) fn config(&self) -> Option<Arc<ClientConfig>> {
        let make = || {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(authorities(&self.more));
            let builder = ClientConfig::builder_with_provider(provider());
            let builder = builder.with_safe_default_protocol_versions().ok()?;
            let config = builder.with_root_certificates(roots).with_no_client_auth();
            Some(Arc::new(config))
        };
        self.config.get_or_init(make).clone()
    }

    /// Begins TLS on a connection to `host`, an IPv6 address in brackets.
    ///
    /// # Errors
    /// When the other side has no certificate for the host from a trusted authority.
    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let name = ServerName::try_from(bare(host).to_owned()).map_err(io::Error::other)?;
        let config = self
            .config()
            .ok_or_else(|| io::Error::other("TLS can't be set up"))?;
        TlsConnector::from(config).connect(name, stream).await
    }
}

/// How TLS is accepted: with the certificate chain and the key in two files of PEM.
///
/// # Errors
/// When they can't be read or don't belong together.
pub(crate) fn acceptor(files: &[PathBuf]) -> Result<Option<Arc<ServerConfig>>, Failure> {
    let [chain, key] = files else {
        return Ok(None);
    };
    let certificates = certificates(chain)?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| unreadable(key, "private key", &error))?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(certificates, secret)
        })
        .map_err(|error| {
            Failure::new(
                Code::Config,
                format!(
                    "--listen-tls: {} and {} can't be used together: {error}; name the \
                     certificate chain first, then its key",
                    chain.display(),
                    key.display()
                ),
            )
        })?;
    Ok(Some(Arc::new(config)))
}
