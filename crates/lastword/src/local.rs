//! `lastword local`: three replicas on this machine, as three processes of their own, so that a person
//! can kill two of them and see what happens.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::chat::announce;

const REPLICAS: u16 = 3;
const NAMES: [&str; REPLICAS as usize] = ["a", "b", "c"];
/// A server must answer after so long.
const START: Duration = Duration::from_secs(30);
/// A server that was told to stop may take so long.
const STOP: Duration = Duration::from_secs(10);

/// Arguments of `lastword local`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The first of the three ports.
    #[arg(long, value_name = "PORT", default_value_t = 65433, value_parser = clap::value_parser!(u16).range(1..=65533))]
    port: u16,
    /// The address to listen on, of this machine's loopback.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// Where the data is kept.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
}

/// One of the three.
struct Server {
    name: &'static str,
    child: Child,
    again: String,
    ended: bool,
}

/// Runs the three until Ctrl-C.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let program = std::env::current_exe().context("can't tell where this program is")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut servers = Vec::new();
        let started = start_all(arguments, &program, &mut servers);
        if let Err(error) = started {
            stop_all(&mut servers);
            return Err(error);
        }
        say_what_to_do(arguments, &servers);
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                () = tokio::time::sleep(Duration::from_millis(200)) => tell_of_ended(&mut servers),
            }
        }
        announce("Stopping all three.");
        Ok(if stop_all(&mut servers) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn start_all(arguments: &Arguments, program: &std::path::Path, servers: &mut Vec<Server>) -> anyhow::Result<()> {
    let address = |n: u16| format!("{}:{}", arguments.host, arguments.port + n);
    let group = (0..REPLICAS).map(address).collect::<Vec<_>>().join(",");
    for (n, name) in (0..REPLICAS).zip(NAMES) {
        let port = (arguments.port + n).to_string();
        let data = arguments.data.join(format!("{}_{port}", arguments.host));
        let mut command = Command::new(program);
        command.args(["server", &arguments.host, &port, "--group", &group, "--data"]).arg(&data);
        if std::env::var_os("LASTWORD_LOG").is_none() {
            command.env("LASTWORD_LOG", "error");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("can't start {}", program.display()))?;
        if let Some(log) = child.stderr.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(log).lines().map_while(Result::ok) {
                    announce(&format!("[{name}] {line}"));
                }
            });
        }
        let again =
            format!("{} server {} {port} --group {group} --data {}", program.display(), arguments.host, data.display());
        servers.push(Server { name, child, again, ended: false });
    }
    for (n, server) in (0..REPLICAS).zip(servers.iter_mut()) {
        wait_until_up(server, &address(n))?;
        announce(&format!("{} is up: pid {}, {}", server.name, server.child.id(), address(n)));
    }
    Ok(())
}

/// Waits until a server answers, or has ended.
fn wait_until_up(server: &mut Server, address: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    while began.elapsed() < START {
        if let Some(status) = server.child.try_wait()? {
            server.ended = true;
            // What it said goes out first.
            std::thread::sleep(Duration::from_millis(100));
            bail!("{} did not start ({status}); why stands above", server.name);
        }
        if is_healthy(address).unwrap_or(false) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("{} does not answer on {address} after {} s", server.name, START.as_secs())
}

fn is_healthy(address: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

fn say_what_to_do(arguments: &Arguments, servers: &[Server]) {
    let port = |n: u16| arguments.port + n;
    let is_default = arguments.port == 65433 && arguments.host == "127.0.0.1";
    let replicas = if is_default {
        String::new()
    } else {
        (0..REPLICAS).map(|n| format!(" {} {}", arguments.host, port(n))).collect()
    };
    let program = std::env::args().next().unwrap_or_else(|| "lastword".to_owned());
    let pids = servers.iter().take(2).map(|server| server.child.id().to_string()).collect::<Vec<_>>().join(" ");
    announce(&format!(
        "\nChat, in as many other terminals as you like:\n  {program} chat{replicas}\nKill two, and go on chatting:\n  kill -9 {pids}\nThe data is in {}. Ctrl-C stops all three.\n",
        arguments.data.display()
    ));
}

fn tell_of_ended(servers: &mut [Server]) {
    for server in servers.iter_mut().filter(|server| !server.ended) {
        if let Ok(Some(status)) = server.child.try_wait() {
            server.ended = true;
            announce(&format!(
                "{} (pid {}) has ended: {status}. Start it again, in another terminal, with:\n  {}",
                server.name,
                server.child.id(),
                server.again
            ));
        }
    }
}

/// Stops those that run, and says whether each ended well.
fn stop_all(servers: &mut [Server]) -> bool {
    for server in servers.iter().filter(|server| !server.ended) {
        // Ctrl-C has reached them too; a second word does no harm.
        if let Some(pid) = i32::try_from(server.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
    let began = Instant::now();
    let mut well = true;
    for server in servers.iter_mut().filter(|server| !server.ended) {
        well &= match wait(&mut server.child, STOP.saturating_sub(began.elapsed())) {
            Some(status) => status.success(),
            None => {
                announce(&format!("{} does not stop: killing it", server.name));
                let _ = server.child.kill();
                let _ = server.child.wait();
                false
            }
        };
        server.ended = true;
    }
    well
}

fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if began.elapsed() < patience => std::thread::sleep(Duration::from_millis(20)),
            _ => return None,
        }
    }
}
