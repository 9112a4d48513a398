//! Three replicas on this machine, as three processes of their own.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use lastword_server::Address;
use rustix::process::{Pid, Signal, kill_process};

use crate::chat::progress;
use crate::server::data_name;

/// How many.
pub(crate) const REPLICAS: usize = 3;
const NAMES: [&str; REPLICAS] = ["a", "b", "c"];
/// A server must answer after so long.
const START: Duration = Duration::from_secs(30);
/// A server that was told to stop may take so long.
const STOP: Duration = Duration::from_secs(10);

/// The three. Dropped, they are told to stop.
pub(crate) struct Group {
    servers: Vec<Server>,
}

/// One of the three.
pub(crate) struct Server {
    /// As clients see it.
    pub(crate) name: &'static str,
    /// `HOST:PORT`.
    pub(crate) address: String,
    /// The command that starts it again.
    pub(crate) again: String,
    child: Child,
    ended: Option<ExitStatus>,
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a word, as `kill -9` does.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().with_context(|| format!("can't kill {} (pid {})", self.name, self.pid()))?;
        self.ended = Some(self.child.wait()?);
        Ok(())
    }

    fn start(name: &'static str, address: &str, group: &str, data: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("can't tell where this program is")?;
        let (host, port) = address.rsplit_once(':').context("an address without a port")?;
        let listen: Address = address.parse().map_err(anyhow::Error::msg)?;
        let data = data.join(data_name(&listen));
        let mut command = Command::new(&program);
        command.args(["server", host, port, "--group", group, "--data"]).arg(&data).args(more);
        if std::env::var_os("LASTWORD_LOG").is_none() {
            command.env("LASTWORD_LOG", "error");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("can't start {}", program.display()))?;
        if let Some(log) = child.stderr.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(log).lines().map_while(Result::ok) {
                    progress(&format!("[{name}] {line}"));
                }
            });
        }
        let mut again =
            format!("{} server {host} {port} --group {group} --data {}", shell_word(&program), shell_word(&data));
        more.iter().for_each(|word| again.extend([" ", &shell_word(Path::new(word))]));
        Ok(Self { name, address: address.to_owned(), again, child, ended: None })
    }

    /// Waits until it answers, or has ended.
    fn wait_until_up(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < START {
            if let Some(status) = self.child.try_wait()? {
                self.ended = Some(status);
                // What it said goes out first.
                std::thread::sleep(Duration::from_millis(100));
                bail!("{} did not start ({status}); see above for why", self.name);
            }
            if is_healthy(&self.address).unwrap_or(false) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("{} does not answer on {} after {} s", self.name, self.address, START.as_secs())
    }
}

impl Group {
    /// Starts them at these addresses, each in a folder of its own below `data` and with more arguments, and
    /// waits until all answer.
    ///
    /// # Errors
    /// A port is taken, or one can't be started, ends, or does not answer in 30 s. None is left then.
    pub(crate) fn start(addresses: &[String], data: &Path, more: &[&str]) -> anyhow::Result<Self> {
        // Somebody else's servers would answer in their place.
        addresses.iter().try_for_each(|address| assert_free(address))?;
        let list = addresses.join(",");
        let mut group = Self { servers: Vec::new() };
        for (name, address) in NAMES.iter().zip(addresses) {
            group.servers.push(Server::start(name, address, &list, data, more)?);
        }
        for server in &mut group.servers {
            server.wait_until_up()?;
        }
        if let Some((server, status)) = group.newly_ended().first() {
            bail!("{} did not start ({status}); see above for why", server.name);
        }
        Ok(group)
    }

    /// Whether none runs any more, as far as [`Group::newly_ended`] has found.
    pub(crate) fn has_ended(&self) -> bool {
        self.servers.iter().all(|server| server.ended.is_some())
    }

    pub(crate) fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The one that clients call by this name.
    pub(crate) fn server(&mut self, name: &str) -> Option<&mut Server> {
        self.servers.iter_mut().find(|server| server.name == name)
    }

    /// Those that have ended since this was asked for last.
    pub(crate) fn newly_ended(&mut self) -> Vec<(&Server, ExitStatus)> {
        let mut ended = Vec::new();
        for server in self.servers.iter_mut().filter(|server| server.ended.is_none()) {
            if let Ok(Some(status)) = server.child.try_wait() {
                server.ended = Some(status);
                ended.push((&*server, status));
            }
        }
        ended
    }

    /// Stops those that run, and says whether each ended well.
    pub(crate) fn stop(&mut self) -> bool {
        for server in self.servers.iter().filter(|server| server.ended.is_none()) {
            // Ctrl-C has reached them too; a second word does no harm.
            if let Some(pid) = i32::try_from(server.pid()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        let began = Instant::now();
        let mut well = true;
        for server in self.servers.iter_mut().filter(|server| server.ended.is_none()) {
            let status = wait(&mut server.child, STOP.saturating_sub(began.elapsed()));
            well &= status.is_some_and(|status| status.success());
            if status.is_none() {
                progress(&format!("{} does not stop: killing it", server.name));
                let _ = server.child.kill();
            }
            server.ended = status.or_else(|| server.child.wait().ok());
        }
        well
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A path as one word of a shell's command line.
pub(crate) fn shell_word(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+:,@%=".contains(letter);
    if !path.is_empty() && path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

fn assert_free(address: &str) -> anyhow::Result<()> {
    match TcpListener::bind(address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
            "the port {address} is taken by another program, perhaps another `lastword local` or server: stop it, or choose other ports with --port"
        ),
        // All else the server itself says best.
        _ => Ok(()),
    }
}

fn is_healthy(address: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
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
