//! Whether, and how, a client's command uses TLS.

use std::path::PathBuf;

use clap::Args;
use lastword_client::Tls;

/// Arguments of every command that goes to replicas as a client.
#[derive(Args)]
pub(crate) struct TlsArguments {
    /// Use TLS, and trust the authorities that this machine trusts.
    #[arg(long)]
    tls: bool,
    /// Use TLS, and trust only the certificates in this PEM file: your authority's, or a server's own self-signed one.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl TlsArguments {
    /// What they come to; `None` for plain text.
    pub(crate) fn read(&self) -> Result<Option<Tls>, lastword_client::Error> {
        match &self.ca {
            Some(path) => Tls::of_file(path).map(Some),
            None if self.tls => Tls::of_system().map(Some),
            None => Ok(None),
        }
    }
}
