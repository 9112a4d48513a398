//! TLS for clients (the `rustls` crate): certificates that can be read anew while the server runs, and handshakes
//! that hold nobody up.

mod turns;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::turns::Turns;
use crate::error::ServerError;
use crate::limits::Address;
use crate::validity::Validity;

/// A server's certificate and its key, in files.
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    read: RwLock<Read>,
}

/// What stood in the files when they were read.
#[derive(Clone)]
struct Read {
    config: Arc<ServerConfig>,
    /// Of the whole chain, if it can be told.
    validity: Option<Validity>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Certificates({})", self.certificate.display())
    }
}

impl Certificates {
    /// Reads them: PEM files, the server's own certificate first, then those that lead to a root.
    ///
    /// # Errors
    /// A file can't be read, is not PEM, or the two don't belong together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, ServerError> {
        let read = RwLock::new(read(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), read })
    }

    /// Reads them again. New connections get what was read; those that are open go on with what they had.
    ///
    /// # Errors
    /// As [`Certificates::read`]; then the server goes on with those that it has.
    pub fn reread(&self) -> Result<(), ServerError> {
        let read = read(&self.certificate, &self.key)?;
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Warns in the log if clients refuse the certificate because of its dates, or will within 14 days.
    pub fn warn_of_dates(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        if let Some(warning) = self.current().validity.and_then(|validity| validity.warning(now)) {
            let path = self.certificate.display();
            tracing::warn!("the TLS certificate {path}: {warning}. Replace it, and send this server SIGHUP");
        }
    }

    /// When the first certificate of the chain ends, in seconds since 1970, if that can be told.
    pub(crate) fn end(&self) -> Option<i64> {
        self.current().validity.map(|validity| validity.until)
    }

    fn current(&self) -> Read {
        self.read.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.current().config.into()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Read, ServerError> {
    let wrong = |path: &Path, what: String| ServerError::Tls { path: path.to_owned(), what };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(certificate, pem_error(error)))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "there is no certificate in it".to_owned()));
    }
    let validity = Validity::of_all(chain.iter().map(AsRef::as_ref));
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, pem_error(error)))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| wrong(key, format!("with the certificate {}: {error}", certificate.display())))?;
    Ok(Read { config: Arc::new(config), validity })
}

fn pem_error(error: rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "nothing of what it should hold is in it".to_owned(),
        // The others quote what stands in the file, which may be a key.
        _ => "it is not PEM".to_owned(),
    }
}

/// Shakes hands on a thread of its own: one handshake takes as long as hundreds of messages, and all other
/// connections share a thread with the core. Each address has its turn there.
pub(crate) struct Handshakes {
    certificates: Arc<Certificates>,
    /// Taken out only to be shut down: within a runtime, another one can't just be dropped.
    runtime: Option<tokio::runtime::Runtime>,
    turns: Turns,
    patience: Duration,
}

impl Handshakes {
    /// Starts the thread. A handshake may take as long as `patience`.
    ///
    /// # Errors
    /// The machine has no threads left.
    pub(crate) fn start(certificates: Arc<Certificates>, patience: Duration) -> Result<Self, ServerError> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        // Whoever has just come is seen after each step: only then can they have their turn.
        let builder = builder.worker_threads(1).thread_name("tls").global_queue_interval(1);
        let runtime = builder.build();
        let runtime = runtime.map_err(|source| ServerError::Machine { what: "a thread", source })?;
        Ok(Self { certificates, runtime: Some(runtime), turns: Turns::new(), patience })
    }

    /// Shakes hands with a client. `None` if it failed, which is nothing to tell anybody but those who look for it.
    pub(crate) async fn shake(&self, stream: TcpStream, from: Address) -> Option<TlsStream<TcpStream>> {
        // Its task ends with the set: also when nobody waits for it any more.
        let mut task = JoinSet::new();
        let handshake = self.turns.step_by_step(self.certificates.acceptor().accept(stream), from);
        task.spawn_on(handshake, self.runtime.as_ref()?.handle());
        match tokio::time::timeout(self.patience, task.join_next()).await {
            Ok(Some(Ok(Ok(stream)))) => Some(stream),
            Ok(Some(Ok(Err(error)))) => {
                tracing::debug!("a TLS handshake failed: {error}");
                None
            }
            _ => None,
        }
    }
}

impl Drop for Handshakes {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
