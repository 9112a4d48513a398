//! How clients may come to a server.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use lastword_server::{Address, Certificates, warn_if_others_read};
use tokio::signal::unix::{SignalKind, signal};

/// How clients may come.
#[derive(Args)]
#[command(next_help_heading = "Client connections")]
pub(super) struct Tls {
    /// The certificate for TLS clients, which use the same port: a PEM file, followed by the certificates that lead to
    /// its root. Read again at SIGHUP.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Refuse clients in plain text, even on loopback.
    #[arg(long, requires = "tls_cert", conflicts_with = "insecure")]
    tls_only: bool,
    /// Accept clients in plain text (their passwords, too) although HOST is not on loopback. Only for a network that you
    /// trust, or behind a proxy that does TLS.
    #[arg(long)]
    insecure: bool,
    /// Allow pages from this origin to open a WebSocket, for example `https://chat.example.org`. Pages from this server and
    /// from the group are always allowed. Can be given several times.
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
}

impl Tls {
    /// Whether clients may come in plain text: by default only where nobody else can listen in.
    pub(super) fn plain_text(&self, listen: &Address) -> anyhow::Result<bool> {
        let is_local = listen.is_loopback();
        if !is_local && !self.insecure && self.tls_cert.is_none() {
            bail!(
                "{listen} is not on loopback, and without TLS everybody on the way could read the passwords: give a certificate with --tls-cert FILE --tls-key FILE, or --insecure to take clients in plain text all the same"
            );
        }
        Ok(self.insecure || is_local && !self.tls_only)
    }

    pub(super) fn origins(&self) -> Vec<String> {
        self.origin.clone()
    }

    /// Warns in the log if every user of the machine can read the certificate's key.
    pub(super) fn warn_if_others_read_key(&self) {
        if let Some(key) = &self.tls_key {
            warn_if_others_read(key, "the key of the TLS certificate");
        }
    }

    pub(super) fn certificates(&self) -> anyhow::Result<Option<Arc<Certificates>>> {
        let files = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        let read = files.map(|(certificate, key)| Certificates::read(certificate, key)).transpose()?;
        Ok(read.map(Arc::new))
    }
}

/// Reads the certificates again whenever somebody says so: they are renewed every few months.
pub(super) async fn reread_at_hangup(certificates: Option<Arc<Certificates>>) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    while hangup.recv().await.is_some() {
        match certificates.as_ref().map(|certificates| certificates.reread()) {
            Some(Ok(())) => {
                tracing::info!("SIGHUP: the certificate was read again; new connections get it");
                certificates.iter().for_each(|certificates| certificates.warn_of_dates());
            }
            Some(Err(error)) => tracing::error!("SIGHUP: the certificate stays the one it was: {error}"),
            None => tracing::info!("SIGHUP: there is no certificate to read again"),
        }
    }
    Ok(())
}
