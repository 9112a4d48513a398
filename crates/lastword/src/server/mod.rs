//! `lastword server`: one replica.
//!
//! * `logging`: log lines; `tls`: how clients may come; `limits`: what they may take; `passwords`: how theirs are kept.

mod limits;
mod logging;
mod passwords;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use lastword_server::{Address, ClusterKey, Group, Options, warn_if_others_read};
use tokio::signal::unix::{SignalKind, signal};

use limits::LimitArguments;
use passwords::PasswordArguments;
use tls::Tls;

pub(crate) use logging::start_log;

/// Arguments of `lastword server`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The address to listen on, as written in --group.
    #[arg(value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// The port to listen on.
    #[arg(value_name = "PORT", default_value_t = 65433)]
    port: u16,
    /// All servers of the group, including this one: the same list in the same order on every replica.
    /// Default: a group of one.
    #[arg(long, value_name = "HOST:PORT,…", value_delimiter = ',')]
    group: Vec<Address>,
    /// The data directory [default: data/HOST_PORT].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The cluster key, a file made by `lastword key`. Needed if the group is on several machines. Without it, a server
    /// uses your own key on this machine, which is made at first use (~/.local/state/lastword/local.key).
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Stop accepting new messages and accounts when less than this much disk space is free (MiB). Logins, passwords and
    /// deletions work until less than an eighth of it is free.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    min_free: u64,
    /// Rebuild views that are this many facts behind while the server runs. For tests.
    #[arg(long, value_name = "N", hide = true)]
    views_behind_max: Option<u64>,
    /// Dial a replica at this address instead of the one in --group. For tests.
    #[arg(long, value_name = "NAME=HOST:PORT", hide = true, value_parser = way_round)]
    via: Vec<(String, Address)>,
    /// Set the server's clock this many milliseconds ahead. For tests.
    #[arg(long, value_name = "N", hide = true, default_value_t = 0, allow_negative_numbers = true)]
    clock_offset_ms: i64,
    #[command(flatten)]
    tls: Tls,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    passwords: PasswordArguments,
}

/// Runs a server until it is told to stop.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    start_log()?;
    let listen = Address::new(&arguments.host, arguments.port).map_err(|wrong| {
        anyhow!("HOST: {wrong}; give HOST and PORT as two words, as in `lastword server 127.0.0.1 65433`")
    })?;
    let data = arguments.data.clone().unwrap_or_else(|| default_data(&listen));
    let mut options = Options::new(listen, data);
    options.via.clone_from(&arguments.via);
    options.clock_offset_ms = arguments.clock_offset_ms;
    options.group.clone_from(&arguments.group);
    options.plain_text = arguments.tls.plain_text(&options.listen)?;
    options.origins = arguments.tls.origins();
    options.certificates = arguments.tls.certificates()?;
    options.limits = arguments.limits.read();
    arguments.passwords.set(&mut options);
    options.free_bytes_min = arguments.min_free.saturating_mul(1024 * 1024);
    options.views_behind_max = arguments.views_behind_max.unwrap_or(options.views_behind_max);
    options.key = arguments.key.as_deref().map(ClusterKey::read).transpose()?;
    let group = Group::new(&options)?;
    // The same for all that follows, whatever happens to the file.
    options.key = Some(group.key.clone());
    allow_many_files();
    // Entered once, outside of the runtime, whose one thread is this one: it costs nothing while the server runs.
    let _named = tracing::error_span!("server", replica = %group.own_name()).entered();
    if let Some(key) = &arguments.key {
        warn_if_others_read(key, "the cluster key");
    }
    arguments.tls.warn_if_others_read_key();
    options.certificates.iter().for_each(|certificates| certificates.warn_of_dates());
    if arguments.key.is_some() && arguments.group.is_empty() && !options.listen.is_loopback() {
        tracing::warn!(
            "this server is a group of one: there is a --key, and no --group. If it is to be one of several, stop it, and start it with --group and the list of all"
        );
    }
    // One thread for the network and the core, beside those of the disks: enough, and the least to hand things
    // over to.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the machine refused what it takes to wait for the network")?;
    let served = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::spawn(tls::reread_at_hangup(options.certificates.clone()));
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
    PathBuf::from("data").join(data_name(listen))
}

/// What a server's data directory is called if nothing is said.
pub(crate) fn data_name(listen: &Address) -> String {
    format!("{}_{}", listen.host.replace(':', "-"), listen.port)
}

/// Every connection is an open file, and the usual limit is 1,024: as many as the system lets us. What the server
/// does with fewer than it needs is its own matter.
pub(crate) fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("can't have more open files than usual: {error}");
    }
}
