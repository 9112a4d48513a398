//! `lastword status`: one table of the whole group, as each replica sees it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use lastword_client::protocol::answer::{Hello, ReplicaState};
use lastword_client::protocol::{Code, Refusal};
use lastword_client::{Tls, ask_hello};

use crate::chat::{addresses, announce};
use crate::tls::TlsArguments;

/// A replica that takes longer for any step of it does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// With --watch, so often.
const AGAIN: Duration = Duration::from_secs(2);
/// The most replicas that a group has.
const REPLICAS: usize = 26;

/// Arguments of `lastword status`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The replicas: `HOST PORT HOST PORT …` or `HOST:PORT,HOST:PORT,…`. One is enough: it knows the others.
    /// Default: the three replicas that `lastword local` starts.
    #[arg(value_name = "HOST PORT")]
    replicas: Vec<String>,
    /// Show the table again every 2 s, until Ctrl-C.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    tls: TlsArguments,
}

/// Shows the group. The exit code says whether all replicas answer, and see all others in sync.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let given = match addresses::parse(&arguments.replicas) {
        Ok(replicas) => replicas,
        Err(wrong) => crate::chat::bad_arguments("status", wrong),
    };
    let tls = arguments.tls.read()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    loop {
        let group = runtime.block_on(Group::ask(&given, tls.as_ref()));
        if arguments.watch && std::io::stdout().is_terminal() {
            // Clears the screen, and goes to its beginning.
            announce("\x1b[2J\x1b[H");
        }
        let is_read = announce(&group.table());
        if !arguments.watch || !is_read {
            return Ok(if group.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        std::thread::sleep(AGAIN);
    }
}

/// What came of asking each replica, by its name; those that did not answer, and that nobody else names, by
/// their address.
struct Group(BTreeMap<String, Row>);

struct Row {
    address: String,
    said: Result<Hello, Refusal>,
}

impl Group {
    /// Asks the replicas that are given, and then those that they name.
    async fn ask(given: &[String], tls: Option<&Tls>) -> Self {
        let mut rows = BTreeMap::new();
        let mut nameless = Vec::new();
        for (address, said) in ask_all(given, tls).await {
            match said {
                Ok(hello) => drop(rows.insert(name_of(&rows, &hello), Row { address, said: Ok(hello) })),
                Err(error) => nameless.push((address, error)),
            }
        }
        let named: BTreeMap<String, String> = rows
            .values()
            .filter_map(|row| row.said.as_ref().ok())
            .flat_map(|hello| &hello.replicas)
            .map(|replica| (replica.name.clone(), replica.address.clone()))
            .take(REPLICAS)
            .collect();
        let mut others: Vec<(String, String)> =
            named.into_iter().filter(|(name, _)| !rows.contains_key(name)).collect();
        for (address, error) in nameless {
            let place = others.iter().position(|(_, other)| *other == address);
            let name = place.map_or_else(|| address.clone(), |place| others.remove(place).0);
            rows.insert(name, Row { address, said: Err(error) });
        }
        let addresses: Vec<String> = others.iter().map(|(_, address)| address.clone()).collect();
        for ((name, address), (_, said)) in others.into_iter().zip(ask_all(&addresses, tls).await) {
            rows.insert(name, Row { address, said });
        }
        Self(rows)
    }

    /// Whether all replicas answer, and see all others in sync.
    fn is_whole(&self) -> bool {
        self.0.values().all(|row| row.said.as_ref().is_ok_and(is_well))
    }

    fn table(&self) -> String {
        let mut lines = vec![["replica", "address", "stale", "sees", "program"].map(String::from)];
        for (name, row) in &self.0 {
            let name = if *name == row.address { "?" } else { name };
            let [stale, sees, program] = match &row.said {
                Ok(hello) => [if hello.stale { "yes" } else { "no" }.to_owned(), sees(hello), hello.server.clone()],
                Err(error) => ["-".to_owned(), format!("no answer: {}", error.text), String::new()],
            };
            // Whoever answers at an address could say anything.
            let cells = [name.to_owned(), row.address.clone(), stale, sees, program];
            lines.push(cells.map(|cell| cell.replace(char::is_control, "?")));
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 5] = std::array::from_fn(width);
        let mut table = String::new();
        for line in &lines {
            let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            // Writing into a string does not fail.
            let _ = writeln!(table, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        for (name, row) in &self.0 {
            let replicas = row.said.iter().flat_map(|hello| &hello.replicas).take(REPLICAS);
            for (replica, problem) in replicas.filter_map(|replica| Some((replica, replica.problem.as_ref()?))) {
                let line = format!("{name} can't meet {} ({}): {problem}", replica.name, replica.address);
                let _ = writeln!(table, "{}", line.replace(char::is_control, "?"));
            }
        }
        table + &self.stale_ones() + &self.full_disks() + &self.verdict()
    }

    /// A line for each replica that may lack what others have.
    fn stale_ones(&self) -> String {
        let stale = self.0.iter().filter(|(_, row)| row.said.as_ref().is_ok_and(|hello| hello.stale));
        let line = |(name, _): (&String, _)| {
            let name = name.replace(char::is_control, "?");
            format!(
                "{name} is stale: it may lack accounts and messages that other servers have, and may refuse a login that is \
                 right. It catches up by itself as soon as it meets one of them.\n"
            )
        };
        stale.map(line).collect()
    }

    /// A line for each replica whose disk is full.
    fn full_disks(&self) -> String {
        let full = self.0.iter().filter(|(_, row)| row.said.as_ref().is_ok_and(|hello| hello.disk_full));
        let line = |(name, _): (&String, _)| {
            let name = name.replace(char::is_control, "?");
            format!("The disk of {name} is full: {name} accepts no new messages or accounts. Free some space on it.\n")
        };
        full.map(line).collect()
    }

    fn has_problem(&self) -> bool {
        let hellos = self.0.values().filter_map(|row| row.said.as_ref().ok());
        hellos.flat_map(|hello| &hello.replicas).any(|replica| replica.problem.is_some())
    }

    fn nobody_answers(&self) -> String {
        let untrusted =
            |row: &Row| row.said.as_ref().is_err_and(|error| error.text.contains("certificate isn't trusted"));
        if self.0.values().any(untrusted) {
            return "The servers answered, but their certificate isn't trusted. Give --ca with the file of your authority, or \
                    of the server's own certificate."
                .to_owned();
        }
        let running = self.running_unasked();
        if running.is_empty() {
            return "No server answers. Are the servers running, and are these their addresses?".to_owned();
        }
        running.join(" ")
    }

    /// A sentence for each replica that runs, and could not be asked all the same: to start it again is no use.
    fn running_unasked(&self) -> Vec<String> {
        let unasked = self.0.iter().filter_map(|(name, row)| {
            let why = row.said.as_ref().err()?.text.as_str();
            let what = if why.contains("its certificate ") {
                "its certificate is not accepted (why stands above): replace it, and send the server SIGHUP"
            } else if why.contains("within TLS only") {
                "it takes TLS only, and was asked in plain text: give --tls or --ca"
            } else if why.contains("doesn't use TLS") {
                "it takes plain text only, and was asked with TLS: start it with --tls-cert and --tls-key, or leave out --tls and --ca"
            } else if self.is_in_sync_for_others(name) {
                "it can't be asked from here, although others have it in sync: check its address and the firewall"
            } else {
                return None;
            };
            Some(format!("{} runs, but {what}.", name.replace(char::is_control, "?")))
        });
        unasked.collect()
    }

    fn is_in_sync_for_others(&self, name: &str) -> bool {
        let hellos = self.0.values().filter_map(|row| row.said.as_ref().ok());
        hellos
            .flat_map(|hello| &hello.replicas)
            .any(|replica| replica.name == name && replica.state == ReplicaState::InSync)
    }

    /// Some answer, and some don't.
    fn some_answer(&self, answering: usize) -> String {
        let (all, running) = (self.0.len(), self.running_unasked());
        let mut said = vec![format!("{answering} of {all} servers answer.")];
        let down = all - answering - running.len();
        said.extend(running);
        if down > 0 {
            let which = if said.len() > 1 { "those that are down" } else { "the others" };
            said.push(format!("Start {which} again; they catch up by themselves."));
        }
        said.join(" ")
    }

    fn verdict(&self) -> String {
        let all = self.0.len();
        let answering = self.0.values().filter(|row| row.said.is_ok()).count();
        match answering {
            0 => self.nobody_answers(),
            _ if self.has_problem() => "Some replicas can't meet. Fix the problems listed above.".to_owned(),
            _ if self.is_whole() => format!("All {all} answer and are in sync."),
            _ if answering == all && self.0.values().all(|row| row.said.as_ref().is_ok_and(is_in_sync)) => {
                format!("All {all} answer and are in sync, but there are problems. See above.")
            }
            _ if answering == all => "All answer, but not all are in sync yet. See above.".to_owned(),
            _ => self.some_answer(answering),
        }
    }
}

/// The name of a replica in the table. Two with different lists of the group may each call themselves `a`.
fn name_of(rows: &BTreeMap<String, Row>, hello: &Hello) -> String {
    let addresses = |hello: &Hello| hello.replicas.iter().map(|replica| replica.address.clone()).collect::<Vec<_>>();
    let is_another = |name: &String| {
        let said = rows.get(name).and_then(|row| row.said.as_ref().ok());
        said.is_some_and(|other| addresses(other) != addresses(hello))
    };
    let mut names = std::iter::once(hello.replica.clone()).chain((2..).map(|n| format!("{} ({n})", hello.replica)));
    names.find(|name| !is_another(name)).unwrap_or_default()
}

fn is_well(hello: &Hello) -> bool {
    is_in_sync(hello) && !hello.disk_full
}

fn is_in_sync(hello: &Hello) -> bool {
    let well = |state| matches!(state, ReplicaState::Own | ReplicaState::InSync);
    !hello.stale && hello.replicas.iter().all(|replica| well(replica.state))
}

/// How a replica sees the others.
fn sees(hello: &Hello) -> String {
    let others = hello.replicas.iter().filter(|replica| replica.state != ReplicaState::Own).take(REPLICAS);
    let words = others.map(|replica| {
        let state = match replica.state {
            _ if replica.problem.is_some() => "not met (see below)",
            ReplicaState::Own | ReplicaState::InSync => "in sync",
            ReplicaState::CatchingUp => "catching up",
            ReplicaState::Down => "down",
            ReplicaState::Unknown => "in an unknown state",
        };
        format!("{} {state}", replica.name)
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "no other replicas (a group of one)".to_owned() } else { words.join(", ") }
}

/// Asks all at once: one that does not answer holds nobody up.
async fn ask_all(addresses: &[String], tls: Option<&Tls>) -> Vec<(String, Result<Hello, Refusal>)> {
    let asking: Vec<_> = addresses
        .iter()
        .map(|address| {
            let (asked, tls) = (address.clone(), tls.cloned());
            (address, tokio::spawn(async move { ask_hello(&asked, tls.as_ref(), PATIENCE).await }))
        })
        .collect();
    let mut said = Vec::new();
    for (address, asking) in asking {
        let failed = |_| Err(Refusal::new(Code::Internal, "it could not be asked"));
        said.push((address.clone(), asking.await.unwrap_or_else(failed)));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Start it again" is said of those only that are down.
    #[test]
    fn one_that_runs_and_can_not_be_asked_is_not_to_be_started_again() {
        use ReplicaState::{Down, InSync, Own};
        let a = || hello("a", false, &[("a", Own), ("b", InSync), ("c", Down)]);
        let silent = |why: &str| Row { address: "x:1".into(), said: Err(Refusal::new(Code::Unavailable, why)) };
        let verdict = |b: &str| group(vec![("a", a()), ("b", silent(b)), ("c", silent("refused"))]).verdict();
        for (why, what) in [
            ("its certificate expired on 2026-01-01", "send the server SIGHUP"),
            ("This server speaks with clients within TLS only: connect with TLS (`--tls`).", "give --tls or --ca"),
            ("this server doesn't use TLS; try without --tls and --ca", "--tls-cert"),
            ("it can't be reached in time", "the firewall"),
        ] {
            let said = verdict(why);
            assert!(said.starts_with("1 of 3 servers answer. b runs, but ") && said.contains(what), "{said}");
            assert!(said.ends_with(" Start those that are down again; they catch up by themselves."), "{said}");
        }
        let b_only = hello("a", false, &[("a", Own), ("b", InSync)]);
        let said = group(vec![("a", b_only), ("b", silent("refused"))]).verdict();
        assert!(said.contains("b runs, but") && !said.contains("Start"), "{said}");
        let expired = group(vec![("x:1", silent("its certificate has expired"))]).verdict();
        assert!(expired.starts_with("x:1 runs, but its certificate"), "{expired}");
    }

    fn hello(name: &str, stale: bool, states: &[(&str, ReplicaState)]) -> Row {
        let replica = |&(name, state): &(&str, ReplicaState)| lastword_client::protocol::answer::Replica {
            name: name.to_owned(),
            address: format!("{name}:1"),
            state,
            problem: None,
        };
        let hello = Hello {
            server: "lastword/1".into(),
            version: 1,
            replica: name.into(),
            stale,
            disk_full: false,
            replicas: states.iter().map(replica).collect(),
        };
        Row { address: format!("{name}:1"), said: Ok(hello) }
    }

    fn group(rows: Vec<(&str, Row)>) -> Group {
        Group(rows.into_iter().map(|(name, row)| (name.to_owned(), row)).collect())
    }

    #[test]
    fn only_a_group_in_which_everybody_sees_everybody_is_whole() {
        use ReplicaState::{CatchingUp, InSync, Own};
        let a = || hello("a", false, &[("a", Own), ("b", InSync)]);
        assert!(group(vec![("a", a()), ("b", hello("b", false, &[("a", InSync), ("b", Own)]))]).is_whole());
        assert!(!group(vec![("a", a()), ("b", hello("b", true, &[("a", InSync), ("b", Own)]))]).is_whole());
        let stale = group(vec![("a", hello("a", true, &[("a", Own), ("b", ReplicaState::Down)])), ("b", a())]);
        assert!(stale.table().contains("\na is stale: ") && !stale.table().contains("b is stale"), "{}", stale.table());
        let catching_up = group(vec![("a", a()), ("b", hello("b", false, &[("a", CatchingUp), ("b", Own)]))]);
        assert!(!catching_up.is_whole());
        assert!(
            catching_up.table().contains("b        b:1      no     a catching up  lastword/1\nAll answer, but not")
        );
        let mut apart = hello("a", false, &[("a", Own), ("b", ReplicaState::Down)]);
        apart.said.as_mut().expect("it answered").replicas[1].problem = Some("it has another cluster key".into());
        let table = group(vec![("a", apart)]).table();
        assert!(table.contains("b not met") && table.contains("a can't meet b (b:1): it has another cluster key\n"));
        assert!(!table.contains("down") && table.ends_with("Fix the problems listed above."), "{table}");
        let mut full = a();
        full.said.as_mut().expect("it answered").disk_full = true;
        let full = group(vec![("a", full), ("b", hello("b", false, &[("a", InSync), ("b", Own)]))]);
        assert!(!full.is_whole());
        assert!(full.table().contains("\nThe disk of a is full: "), "{}", full.table());
        assert!(full.table().ends_with("there are problems. See above."), "{}", full.table());
        let silent = Row { address: "b:1".into(), said: Err(Refusal::new(Code::Unavailable, "refused")) };
        let silent = group(vec![("a", a()), ("b", silent)]);
        assert!(!silent.is_whole());
        let mut strange = hello("a", false, &[("a", Own)]);
        strange.said.as_mut().expect("it answered").server = "\x1b[31mred".into();
        assert!(group(vec![("a", strange)]).table().contains("?[31mred"));
        assert!(
            silent.table().contains("b        b:1      -      no answer: refused\n1 of 2 servers answer. b runs"),
            "{}",
            silent.table()
        );
    }
}
