//! TLS to the replicas (the `rustls` crate).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use lastword_protocol::date::day_of;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::Error;

/// Whose word is taken for who a replica is.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Trusts the authorities that this machine trusts.
    ///
    /// # Errors
    /// [`Error::Tls`]: it trusts none that can be read.
    pub fn of_system() -> Result<Self, Error> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            return Err(Error::Tls(
                "This machine trusts no certificate authority: install its package (`ca-certificates`), or name the file of the one to trust.".into(),
            ));
        }
        Self::trusting(roots)
    }

    /// Trusts the authorities in this PEM file, and no others; a server's own certificate, too, where it was signed by
    /// itself.
    ///
    /// # Errors
    /// [`Error::Tls`]: the file can't be read, or holds none.
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        let wrong = |what: String| Error::Tls(format!("{} can't be used: {what}.", path.display()));
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("there is no certificate in it".into()));
        }
        Self::trusting(roots)
    }

    fn trusting(roots: RootCertStore) -> Result<Self, Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Tls(error.to_string()))?;
        Ok(Self(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
    }

    /// Shakes hands over a connection to `HOST:PORT`.
    pub(crate) async fn shake(&self, stream: TcpStream, address: &str) -> Result<TlsStream<TcpStream>, String> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("`{host}`: {error}"))?;
        let shaken = TlsConnector::from(self.0.clone()).connect(name, stream).await;
        shaken.map_err(|error| why_not(&error))
    }
}

/// Why there is no TLS, for a person.
fn why_not(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => "this server doesn't use TLS; try without --tls and --ca".to_owned(),
        Some(rustls::Error::InvalidCertificate(wrong)) => wrong_certificate(wrong),
        _ => format!("TLS failed: {error}"),
    }
}

/// Why a certificate is refused. All begin with "its certificate".
fn wrong_certificate(wrong: &CertificateError) -> String {
    let day = |time: &UnixTime| day_of(i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 2));
    match wrong {
        CertificateError::ExpiredContext { not_after, .. } => format!("its certificate expired on {}", day(not_after)),
        CertificateError::Expired => "its certificate has expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("its certificate is not valid before {} (are the clocks right?)", day(not_before))
        }
        // The verifier has no other name for it, and its crate is none of ours.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate was made as an authority: make it with CA:FALSE".to_owned()
        }
        _ => format!("its certificate isn't trusted: {}", rustls::Error::InvalidCertificate(wrong.clone())),
    }
}
