//! A run: the group, the people, one attack after the other, and the table.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};

use crate::arguments::Arguments;
use crate::attacks::{self, Account, Attack, Form, Ground};
use crate::cage::{Attackers, Cage};
use crate::judge::Outcome;
use crate::people::{People, VISITOR};
use crate::real::group::{Group, REPLICAS, addresses, host};
use crate::real::hosts::Hosts;
use crate::real::progress::Progress;
use crate::real::stopping;
use crate::table;
use crate::watch::Watch;

/// Addresses, and accounts, of attackers.
const STRANGERS: u8 = 64;
/// What waits are compared with is looked at for this long, in the short run once, else before each attack.
const QUIET: Duration = Duration::from_secs(4);
/// The group is in sync within this time.
const IN_SYNC: Duration = Duration::from_secs(30);
/// What attackers need before they begin takes at most this long: they have half a core.
const READY: Duration = Duration::from_secs(90);
/// A short run is over after this time, whatever is left of it.
const SHORT: Duration = Duration::from_secs(75);
/// Limits that are not there on loopback, as they are elsewhere.
const AS_ELSEWHERE: [&str; 5] = [
    "--connections-per-address=1000",
    "--requests-per-second=200",
    "--account-requests-per-second=400",
    "--login-failures=5",
    "--login-delay=5",
];

/// Runs until the end, or until somebody stops it. Whether all was well.
pub async fn run(arguments: &Arguments) -> bool {
    let progress = Progress::new(false);
    if arguments.names {
        for attack in attacks::ALL {
            progress.say(&format!("{}: {}", attack.name, attack.what));
        }
        return true;
    }
    let Ok(dir) = tempfile::Builder::new().prefix("lastword-strangers-").tempdir() else {
        progress.say("no folder for data and logs can be made");
        return false;
    };
    let done = tokio::select! {
        done = all(dir.path(), arguments, &progress) => done,
        () = stopping::asked_for() => Err("stopped".to_owned()),
    };
    let well = match done {
        Ok(well) => well,
        Err(why) => {
            progress.say(&format!("FAILED: {why}"));
            false
        }
    };
    if !well || arguments.keep {
        progress.say(&format!("data and logs are in {}", dir.keep().display()));
    }
    well
}

/// How long things take.
struct Pace {
    full: bool,
    attack: Duration,
}

async fn all(dir: &Path, arguments: &Arguments, progress: &Progress) -> Result<bool, String> {
    let usual = if arguments.full { 8.0 } else { 0.6 };
    let attack = Duration::from_secs_f64(arguments.seconds.unwrap_or(usual));
    let pace = Pace { full: arguments.full, attack };
    let ground = Place::make(dir, progress)?;
    let began = Instant::now();
    let (mut lines, mut wrong, mut left) = (Vec::new(), Vec::new(), 0);
    let mut town: Option<Town> = None;
    for (attack, form) in wanted(arguments) {
        if !arguments.full && arguments.seconds.is_none() && began.elapsed() > SHORT {
            left += 1;
            continue;
        }
        // New accounts of an address wait the longer the more it has made: these attacks would only wait for each other's.
        if attack.name.starts_with("create")
            && let Some(town) = town.take()
        {
            town.end().await;
        }
        let here = match town.take() {
            Some(town) => town,
            None => Town::start(&ground, lines.len()).await?,
        };
        let outcome = here.suffer(&pace, attack, form).await?;
        let line = table::line(&outcome);
        progress.say(&line);
        lines.push(line);
        let judged = outcome.judge(pace.full);
        for what in &judged {
            progress.say(&format!("  {} from {}: {what}", attack.name, form.words()));
        }
        // After a failure the next attack meets another group: what comes of it is its own.
        if judged.is_empty() {
            town = Some(here)
        } else {
            here.end().await
        }
        wrong.extend(judged.into_iter().map(|what| format!("{} from {}: {what}", attack.name, form.words())));
    }
    if let Some(town) = town {
        town.end().await;
    }
    if arguments.full {
        progress.say(&format!("the table:\n{}\n{}", table::HEAD, lines.join("\n")));
    }
    if left > 0 {
        progress.say(&format!("this machine is slow: {left} attacks were left out"));
    }
    if wrong.is_empty() {
        progress.say(&format!("{} attacks, all was well, {} s", lines.len(), began.elapsed().as_secs()));
    } else {
        progress.say(&format!("{} attacks, these did more than they may:\n  {}", lines.len(), wrong.join("\n  ")));
    }
    Ok(wrong.is_empty())
}

/// The attacks that were asked for. The short run has one form of each.
fn wanted(arguments: &Arguments) -> Vec<(&'static Attack, Form)> {
    let only = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|word| name.contains(word.as_str()));
    let forms = |attack: &'static Attack| if arguments.full { attack.forms } else { &attack.forms[..1] };
    let named = attacks::ALL.iter().filter(|attack| only(attack.name));
    named.flat_map(|attack| forms(attack).iter().map(move |&form| (attack, form))).collect()
}

/// Where it happens: hosts, keys, addresses.
struct Place {
    dir: PathBuf,
    hosts: Option<Hosts>,
    addresses: Vec<String>,
    sources: Vec<IpAddr>,
    arguments: Vec<String>,
    cage: Cage,
    client_hello: Vec<u8>,
}

impl Place {
    fn make(dir: &Path, progress: &Progress) -> Result<Self, String> {
        let words = |error: std::io::Error| error.to_string();
        let hosts = Hosts::make().and_then(|hosts| hosts.add_strangers(STRANGERS).map(|sources| (hosts, sources)));
        let (hosts, sources, addresses) = match hosts {
            Ok((hosts, sources)) => {
                let addresses = hosts.addresses();
                (Some(hosts), sources, addresses)
            }
            Err(why) => {
                progress.say(&format!("all on loopback, where limits of addresses are given by option: {why}"));
                let host = host();
                let net = host.trim_end_matches("77");
                let sources = (100..100 + STRANGERS).filter_map(|last| format!("{net}{last}").parse().ok()).collect();
                (None, sources, addresses().map_err(words)?)
            }
        };
        let mut arguments = certificate(dir, &addresses)?;
        arguments.push(format!("--key={}", key_file(dir)?));
        arguments.push("--insecure".to_owned());
        if hosts.is_none() {
            arguments.extend(AS_ELSEWHERE.map(str::to_owned));
        }
        let cage = Cage::make();
        progress.say(&cage.describe());
        Ok(Self { dir: dir.to_owned(), hosts, addresses, sources, arguments, cage, client_hello: client_hello()? })
    }

    fn replicas(&self) -> Result<Vec<SocketAddr>, String> {
        let address = |text: &String| text.to_socket_addrs().ok()?.next();
        let all: Option<Vec<SocketAddr>> = self.addresses.iter().map(address).collect();
        all.ok_or_else(|| "the replicas have no addresses".to_owned())
    }

    /// Starts attackers.
    fn send_out(&self, dir: &Path, attack: &str, form: Form, accounts: Vec<Account>) -> Result<Attackers, String> {
        let ground = Ground {
            attack: attack.to_owned(),
            form,
            replicas: self.replicas()?,
            sources: self.sources.clone(),
            accounts,
            victim: VISITOR.to_owned(),
            client_hello: self.client_hello.clone(),
        };
        let file = dir.join("ground.json");
        let json = serde_json::to_vec(&ground).map_err(|error| error.to_string())?;
        std::fs::write(&file, json).map_err(|error| error.to_string())?;
        let namespace = self.hosts.as_ref().map(Hosts::strangers);
        self.cage.start(namespace.as_deref(), &file).map_err(|error| format!("attackers did not start: {error}"))
    }
}

/// A certificate for these hosts, and its key: arguments of a server.
fn certificate(dir: &Path, addresses: &[String]) -> Result<Vec<String>, String> {
    let hosts = addresses.iter().filter_map(|address| Some(address.rsplit_once(':')?.0.to_owned())).collect::<Vec<_>>();
    let words = |error: rcgen::Error| error.to_string();
    let key = KeyPair::generate().map_err(words)?;
    let certificate = CertificateParams::new(hosts).and_then(|params| params.self_signed(&key)).map_err(words)?;
    let write = |name: &str, pem: String| {
        let path = dir.join(name);
        std::fs::write(&path, pem).map(|()| path.display().to_string()).map_err(|error| error.to_string())
    };
    let arguments = [write("cert.pem", certificate.pem())?, write("key.pem", key.serialize_pem())?];
    Ok(vec![format!("--tls-cert={}", arguments[0]), format!("--tls-key={}", arguments[1])])
}

fn key_file(dir: &Path) -> Result<String, String> {
    let path = dir.join("lastword.key");
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_lastword")).arg("key").arg(&path).output();
    match made {
        Ok(made) if made.status.success() => Ok(path.display().to_string()),
        Ok(made) => Err(String::from_utf8_lossy(&made.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The first message of a TLS client, as bytes.
fn client_hello() -> Result<Vec<u8>, String> {
    let config = rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty());
    let name = "localhost".try_into().map_err(|_| "no name".to_owned())?;
    let client = rustls::ClientConnection::new(Arc::new(config.with_no_client_auth()), name);
    let mut bytes = Vec::new();
    client.map_err(|error| error.to_string())?.write_tls(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// A group with its people, and accounts of attackers.
struct Town<'a> {
    place: &'a Place,
    dir: PathBuf,
    group: Arc<Group>,
    people: People,
    accounts: std::cell::RefCell<Vec<Account>>,
    quiet: std::cell::RefCell<Option<crate::people::Seen>>,
}

impl Drop for Town<'_> {
    fn drop(&mut self) {
        self.group.kill_all();
    }
}

impl<'a> Town<'a> {
    async fn start(place: &'a Place, number: usize) -> Result<Self, String> {
        let dir = place.dir.join(format!("group-{number}"));
        std::fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
        let more: Vec<&str> = place.arguments.iter().map(String::as_str).collect();
        let group = Arc::new(Group::prepare(&dir, &place.addresses, |_, _| None, &more));
        if let Some(hosts) = &place.hosts {
            (0..REPLICAS).for_each(|number| group.replica(number).namespace = Some(hosts.namespace(number)));
        }
        group.start_all().map_err(|error| error.to_string())?;
        if !group.is_in_sync_within(IN_SYNC).await {
            return Err(format!("the group is not in sync: {}", group.replica(0).last_lines()));
        }
        let making = place.send_out(&dir, "accounts", Form::Many, Vec::new())?;
        let said = making.said_within(READY).await?;
        let accounts = serde_json::from_str(&said).map_err(|_| format!("attackers have no accounts: {said}"))?;
        let people = People::start(&group).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let accounts = std::cell::RefCell::new(accounts);
        Ok(Self { place, dir, group, people, accounts, quiet: std::cell::RefCell::default() })
    }

    async fn end(&self) {
        self.people.stop().await;
        self.group.kill_all();
    }

    /// One attack, and what came of it.
    async fn suffer(&self, pace: &Pace, attack: &'static Attack, form: Form) -> Result<Outcome, String> {
        // An attack from one account is another one's each time: what it used up is not missed in the next.
        self.accounts.borrow_mut().rotate_left(1);
        let accounts = self.accounts.borrow().clone();
        let mut attackers = self.place.send_out(&self.dir, attack.name, form, accounts)?;
        attackers.are_ready_within(READY).await.map_err(|why| format!("{}: {why}", attack.name))?;
        let quiet = self.quiet(pace).await;
        self.people.forget();
        let watch = Watch::start(&self.group).await;
        let (began, cpu_ms) = (Instant::now(), attackers.cpu_ms());
        attackers.begin().await.map_err(|error| format!("{} has not begun: {error}", attack.name))?;
        let hardest = async {
            tokio::time::sleep(pace.attack).await;
            // While it goes on.
            tokio::join!(self.people.visit(), self.people.write_to_victim())
        };
        let (visit, victim) = tokio::select! {
            both = hardest => both,
            () = watch.is_in_danger() => (Err("the attack took too much memory, and was ended".to_owned()), Ok(())),
        };
        let took = began.elapsed();
        let (attacked, cores) = (self.people.since(began), watch.cores(took));
        let attackers_cores = (attackers.cpu_ms() - cpu_ms) as f64 / 1000.0 / took.as_secs_f64();
        let counted = attackers.end().await;
        let answered: BTreeMap<String, u64> = serde_json::from_str(&counted).unwrap_or_default();
        let in_sync_again = self.group.is_in_sync_within(IN_SYNC).await;
        let changes = watch.end(cores).await;
        if pace.full {
            // What it left behind is cleared up.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        Ok(Outcome {
            attack,
            form,
            quiet,
            attacked,
            visit,
            victim,
            changes,
            attackers_cores,
            answered,
            took,
            in_sync_again,
        })
    }

    /// What people see when nothing is done to them: looked at before each attack, in the short run once.
    async fn quiet(&self, pace: &Pace) -> crate::people::Seen {
        if let Some(quiet) = self.quiet.borrow().as_ref().filter(|_| !pace.full) {
            return quiet.clone();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let began = Instant::now();
        tokio::time::sleep(QUIET).await;
        let quiet = self.people.since(began);
        *self.quiet.borrow_mut() = Some(quiet.clone());
        quiet
    }
}
