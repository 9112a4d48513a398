//! Three want one name, each at another replica, at the same moment.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lastword_client::protocol::Code;
use lastword_client::{Client, Options};

use crate::chance::Chance;
use crate::checker::Credentials;
use crate::group::{Group, REPLICAS};
use crate::shared::{Pace, Shared};

/// Owners of accounts that no person of the population has.
const OWNERS: u16 = 10_000;

/// Races until people are told to go, whatever else happens.
pub async fn run(group: Arc<Group>, shared: Arc<Shared>, mut chance: Chance, every: Duration) {
    loop {
        let wait = Duration::from_millis(chance.between(1, 2 * every.as_millis() as u64));
        tokio::time::sleep(wait).await;
        match shared.pace() {
            Pace::End => return,
            Pace::Rest => {}
            Pace::Write => race(&group, &shared, &mut chance).await,
        }
    }
}

/// One race.
pub async fn race(group: &Group, shared: &Arc<Shared>, chance: &mut Chance) {
    let round = shared.races.fetch_add(1, Ordering::SeqCst);
    // What is said below of a race without faults holds for replicas that are connected, and stay so.
    let calm = shared.faults_now.load(Ordering::SeqCst) == 0 && group.is_in_sync().await;
    let begun = shared.faults_begun.load(Ordering::SeqCst);
    let name = format!("n{round}");
    let runner = |place: usize| {
        let (name, address) = (name.clone(), group.addresses[place].clone());
        let password = format!("secret of {round} {place}");
        let wait = Duration::from_micros(chance.below(3000));
        async move {
            let options = Options { request_timeout: Duration::from_secs(15), ..Options::default() };
            let (client, _events) = Client::connect_with([address], options).ok()?;
            // Connected, so that all begin at once.
            let _ = tokio::time::timeout(Duration::from_secs(1), client.ping()).await;
            tokio::time::sleep(wait).await;
            let began = Instant::now();
            let result = client.create(&name, &password).await;
            Some((client, password, began.elapsed(), result))
        }
    };
    let [one, two, three] = [0, 1, 2].map(runner).map(tokio::spawn);
    let ends = [one.await, two.await, three.await];
    let still_calm =
        calm && shared.faults_now.load(Ordering::SeqCst) == 0 && shared.faults_begun.load(Ordering::SeqCst) == begun;
    let mut won = Vec::new();
    for (place, end) in ends.into_iter().enumerate() {
        let Ok(Some((client, password, waited, result))) = end else { continue };
        shared.tally().add("create (a race)", waited, &result);
        match result {
            Ok(created) => {
                let owner = OWNERS + round * REPLICAS as u16 + place as u16;
                let credentials = Credentials { id: created.account, name: name.clone(), password, owner };
                let account = shared.checker().on_account(&credentials, created.stored);
                won.push((client, account));
            }
            Err(error) if error.code() == Some(Code::NameTaken) => {
                if !still_calm {
                    shared.checker().on_refused_name(&name, &password);
                }
                client.close().await;
            }
            Err(_) => {
                shared.checker().on_doubtful_name(&name);
                client.close().await;
            }
        }
    }
    if still_calm {
        shared.tally().count("races for a name without a fault");
        if won.len() > 1 {
            let count = won.len();
            shared.checker().violated(format!("{name} was given to {count} people at replicas that were connected"));
        }
    }
    for (client, account) in won {
        if chance.percent(50) && !shared.spare_clients.load(Ordering::SeqCst) {
            shared.checker().on_doubtful(account);
            let began = Instant::now();
            let result = client.delete().await;
            shared.tally().add("delete", began.elapsed(), &result);
            if let Ok(stored) = result {
                shared.checker().on_deleted(account, stored.stored, stored.of);
            }
        }
        client.close().await;
    }
}
