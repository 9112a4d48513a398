//! `lastword server`: one replica.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::limits::LimitArguments;
use crate::passwords::PasswordArguments;
use anyhow::{Context, bail};
use clap::Args;
use lastword_server::{Address, Certificates, ClusterKey, Group, Options};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Arguments of `lastword server`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to listen, as it stands in --group.
    #[arg(value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// The port.
    #[arg(value_name = "PORT", default_value_t = 65433)]
    port: u16,
    /// The whole group, this server among them: the same list, in the same order, on every replica.
    /// Without it: a group of one.
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',')]
    group: Vec<Address>,
    /// Where the data is kept [default: data/HOST_PORT].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The cluster key, a file made by `lastword key`. Needed where the group is on several machines.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Below so many free mebibytes on the disk nothing new is taken in.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    min_free: u64,
    /// Views that are so many facts behind are made while the server runs.
    #[arg(long, value_name = "N", hide = true)]
    views_behind_max: Option<u64>,
    /// Dial a replica there instead of at its address in --group: for tests that put something in between.
    #[arg(long, value_name = "NAME=HOST:PORT", hide = true, value_parser = way_round)]
    via: Vec<(String, Address)>,
    /// The wall clock is so many milliseconds ahead of the machine's: for tests.
    #[arg(long, value_name = "N", hide = true, default_value_t = 0, allow_negative_numbers = true)]
    clock_offset_ms: i64,
    #[command(flatten)]
    tls: Tls,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    passwords: PasswordArguments,
}

/// How clients may come.
#[derive(Args)]
#[command(next_help_heading = "How clients may come")]
struct Tls {
    /// A certificate for clients that come with TLS, on the same port: a PEM file, with those that lead to its
    /// root. Read again at SIGHUP.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Take no client in plain text, not on loopback either.
    #[arg(long, requires = "tls_cert", conflicts_with = "insecure")]
    tls_only: bool,
    /// Take clients in plain text, passwords and all, where HOST is not on loopback. Inside a network that you trust,
    /// or behind something that does TLS.
    #[arg(long)]
    insecure: bool,
    /// From where pages may come that open a WebSocket, as browsers say it: https://chat.example.org. Own host and the
    /// group are let in anyway. Can be given several times.
    #[arg(long, value_name = "URL")]
    origin: Vec<String>,
}

impl Tls {
    /// Whether clients may come in plain text: by default only where nobody else can listen in.
    fn plain_text(&self, listen: &Address) -> anyhow::Result<bool> {
        let is_local = listen.is_loopback();
        if !is_local && !self.insecure && self.tls_cert.is_none() {
            bail!(
                "{listen} is not on loopback, and without TLS everybody on the way could read the passwords: give a certificate with --tls-cert FILE --tls-key FILE, or --insecure to take clients in plain text all the same"
            );
        }
        Ok(self.insecure || is_local && !self.tls_only)
    }

    fn certificates(&self) -> anyhow::Result<Option<Arc<Certificates>>> {
        let files = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        let read = files.map(|(certificate, key)| Certificates::read(certificate, key)).transpose()?;
        Ok(read.map(Arc::new))
    }
}

/// Reads the certificates again whenever somebody says so: they are renewed every few months.
async fn reread_at_hangup(certificates: Option<Arc<Certificates>>) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    while hangup.recv().await.is_some() {
        match certificates.as_ref().map(|certificates| certificates.reread()) {
            Some(Ok(())) => tracing::info!("SIGHUP: the certificate was read again; new connections get it"),
            Some(Err(error)) => tracing::error!("SIGHUP: the certificate stays the one it was: {error}"),
            None => tracing::info!("SIGHUP: there is no certificate to read again"),
        }
    }
    Ok(())
}

/// Runs a server until it is told to stop.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    start_log();
    let listen = Address { host: arguments.host.clone(), port: arguments.port };
    let data = arguments.data.clone().unwrap_or_else(|| default_data(&listen));
    let mut options = Options::new(listen, data);
    options.via.clone_from(&arguments.via);
    options.clock_offset_ms = arguments.clock_offset_ms;
    if options.listen.host.contains(':') && options.listen.host.parse::<std::net::Ipv6Addr>().is_err() {
        bail!(
            "`{}` is not a host: give HOST and PORT as two words, as in `lastword server 127.0.0.1 65433`",
            options.listen.host
        );
    }
    options.group.clone_from(&arguments.group);
    options.plain_text = arguments.tls.plain_text(&options.listen)?;
    options.origins.clone_from(&arguments.tls.origin);
    options.certificates = arguments.tls.certificates()?;
    options.limits = arguments.limits.read();
    arguments.passwords.set(&mut options);
    options.free_bytes_min = arguments.min_free.saturating_mul(1024 * 1024);
    options.views_behind_max = arguments.views_behind_max.unwrap_or(options.views_behind_max);
    options.key = arguments.key.as_deref().map(ClusterKey::read).transpose()?;
    allow_many_files(arguments.limits.connections());
    // Entered once, outside of the runtime, whose one thread is this one: it costs nothing while the server runs.
    let _named = tracing::error_span!("server", replica = %Group::new(&options)?.own_name()).entered();
    // One thread for the network and the core, beside those of the disks: enough, and the least to hand things
    // over to.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the machine refused what it takes to wait for the network")?;
    let served = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::spawn(reread_at_hangup(options.certificates.clone()));
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            tracing::info!("stopping");
        };
        lastword_server::run(options, shutdown, |_| {}).await.map_err(anyhow::Error::from)
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    served.map(|()| ExitCode::SUCCESS)
}

/// `NAME=HOST:PORT`
fn way_round(text: &str) -> Result<(String, Address), String> {
    let (name, address) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=HOST:PORT"))?;
    Ok((name.to_owned(), address.parse()?))
}

/// Where a server's data is kept if nothing is said: several in one folder keep out of each other's way.
pub(crate) fn default_data(listen: &Address) -> PathBuf {
    PathBuf::from("data").join(format!("{}_{}", listen.host.replace(':', "-"), listen.port))
}

/// Log lines on standard error: `LASTWORD_LOG=debug` says more, `LASTWORD_LOG=warn` less.
pub(crate) fn start_log() {
    let filter = EnvFilter::try_from_env("LASTWORD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}

/// Files that a server has open beside its connections to clients.
const OTHER_FILES: u64 = 500;

/// Every connection is an open file, and the usual limit is 1,024: as many as the system lets us.
pub(crate) fn allow_many_files(connections: u32) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("can't have more open files than usual: {error}");
    }
    if let Some(most) = limit.maximum.filter(|most| *most < u64::from(connections) + OTHER_FILES) {
        tracing::warn!(
            "this process may have {most} open files, which is too few for {connections} connections: raise the limit (`ulimit -Hn`, LimitNOFILE= of systemd), or lower --connections"
        );
    }
}
