//! The clients' outboxes, and what may wait in all of them together.
//!
//! What waits for one client is bounded by its outbox. What waits for all connections of an account, and for all clients,
//! is bounded here: beyond that, those for whom most waits are disconnected as `slow`. They lose nothing; each gets what it
//! missed at its next `listen`.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use lastword_core::io::{Answer, ConnectionId, Event};
use lastword_facts::ids::AccountId;

use super::outbox::{Outbox, Share, SharedEvent, ToClient, size_of};
use crate::limits::Address;

/// Bytes that may wait for all connections of one account, and for all clients. (What several wait for counts for each.)
const ACCOUNT_BYTES: usize = 32 * 1024 * 1024;
const ALL_BYTES: usize = 96 * 1024 * 1024;

/// All clients that are connected.
pub(super) struct Clients {
    clients: HashMap<ConnectionId, Client>,
    all: Arc<Share>,
    /// Of the accounts that are logged in.
    accounts: HashMap<AccountId, Weak<Share>>,
    /// Those that were told something since they were woken.
    told: Vec<Arc<Outbox>>,
    /// What was told last: several are told one and the same, one after the other.
    last_event: Option<Arc<SharedEvent>>,
    account_bytes: usize,
    all_bytes: usize,
}

struct Client {
    address: Option<Address>,
    outbox: Arc<Outbox>,
    account: Option<(AccountId, Arc<Share>)>,
}

impl Clients {
    pub(super) fn new() -> Self {
        Self {
            clients: HashMap::new(),
            all: Arc::default(),
            accounts: HashMap::new(),
            told: Vec::new(),
            last_event: None,
            account_bytes: ACCOUNT_BYTES,
            all_bytes: ALL_BYTES,
        }
    }

    pub(super) fn open(&mut self, id: ConnectionId, address: Option<Address>, outbox: Arc<Outbox>) {
        outbox.count_in(self.all.clone());
        self.clients.insert(id, Client { address, outbox, account: None });
    }

    /// What was not written yet goes with it.
    pub(super) fn close(&mut self, id: ConnectionId) {
        if let Some(client) = self.clients.remove(&id) {
            client.outbox.overflow();
        }
    }

    /// Where a client comes from.
    pub(super) fn address(&self, id: ConnectionId) -> Option<Address> {
        self.clients.get(&id)?.address
    }

    pub(super) fn tell_event(&mut self, id: ConnectionId, event: Arc<Event>, drain: bool) {
        let shared = match self.last_event.take().filter(|last| last.is(&event)) {
            Some(last) => last,
            None => Arc::new(SharedEvent::new(event)),
        };
        self.last_event = Some(shared.clone());
        self.tell(id, ToClient::Event(shared, drain));
    }

    pub(super) fn tell(&mut self, id: ConnectionId, item: ToClient) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if let ToClient::Answer(_, Ok(Answer::LoggedIn { account, .. } | Answer::Created { account, .. })) = &item {
            let account = *account;
            if client.account.as_ref().is_none_or(|(known, _)| *known != account) {
                let share = share_of(&mut self.accounts, account);
                client.outbox.count_for_account(share.clone());
                client.account = Some((account, share));
            }
        }
        let size = size_of(&item);
        if client.outbox.put(item, size) {
            self.told.push(client.outbox.clone());
        }
        if let Some((account, share)) = &client.account
            && share.bytes() > self.account_bytes
        {
            let (account, share) = (*account, share.clone());
            self.relieve(&share, self.account_bytes, |client| {
                client.account.as_ref().is_some_and(|(of, _)| *of == account)
            });
        }
        if self.all.bytes() > self.all_bytes {
            self.relieve(&self.all.clone(), self.all_bytes, |_| true);
        }
    }

    /// Disconnects those for whom most waits, until a share is an eighth below its limit: this looks at all clients, and
    /// is not to be done for each thing that is told.
    fn relieve(&mut self, share: &Share, limit: usize, counts: impl Fn(&Client) -> bool) {
        let mut held: Vec<(usize, &Arc<Outbox>)> = self
            .clients
            .values()
            .filter(|client| counts(client))
            .map(|client| (client.outbox.held().1, &client.outbox))
            .collect();
        held.sort_unstable_by_key(|&(bytes, _)| std::cmp::Reverse(bytes));
        for (_, outbox) in held {
            if share.bytes() <= limit / 8 * 7 {
                return;
            }
            outbox.overflow();
            self.told.push(outbox.clone());
        }
    }

    /// Wakes those who were told something: each gets all of it in one go.
    pub(super) fn wake(&mut self) {
        for outbox in self.told.drain(..) {
            outbox.wake();
        }
        self.last_event = None;
    }

    /// The most that waits for one client: things, and bytes. About 10 ns a client.
    pub(super) fn most_held(&self) -> (usize, usize) {
        let held = self.clients.values().map(|client| client.outbox.held());
        held.fold((0, 0), |most, held| (most.0.max(held.0), most.1.max(held.1)))
    }
}

fn share_of(accounts: &mut HashMap<AccountId, Weak<Share>>, account: AccountId) -> Arc<Share> {
    if let Some(share) = accounts.get(&account).and_then(Weak::upgrade) {
        return share;
    }
    // Those who have gone are forgotten before room is made for more.
    if accounts.len() == accounts.capacity() {
        accounts.retain(|_, share| share.strong_count() > 0);
    }
    let share = Arc::<Share>::default();
    accounts.insert(account, Arc::downgrade(&share));
    share
}

#[cfg(test)]
mod tests {
    use lastword_core::io::{Health, Refusal, Tag};

    use super::*;
    use crate::engine::outbox::for_client;

    fn answer_of(bytes: usize) -> ToClient {
        let names = vec![String::new(); bytes / 40];
        ToClient::Answer(Tag(1), Ok(Answer::Names { names, more: false }))
    }

    fn log_in(clients: &mut Clients, id: u64, account: u128) {
        let account = AccountId(account);
        let answer = Answer::LoggedIn { account, name: String::new(), token: None, pending: 0, notice: None };
        clients.tell(ConnectionId(id), ToClient::Answer(Tag(0), Ok(answer)));
    }

    /// So many clients, each logged in to the account of this number; what an account and all may have waiting.
    fn clients(accounts: &[u128], account_bytes: usize, all_bytes: usize) -> (Clients, Vec<Arc<Outbox>>) {
        let mut clients = Clients { account_bytes, all_bytes, ..Clients::new() };
        let outboxes = accounts.iter().zip(1..).map(|(&account, id)| {
            let outbox = Arc::new(for_client());
            clients.open(ConnectionId(id), None, outbox.clone());
            log_in(&mut clients, id, account);
            outbox
        });
        let outboxes = outboxes.collect();
        (clients, outboxes)
    }

    fn is_closed(outbox: &Outbox) -> bool {
        outbox.take_some(usize::MAX).closed
    }

    #[test]
    fn of_an_account_with_too_much_those_with_most_are_closed() {
        let (mut clients, outboxes) = clients(&[1, 1, 1, 2], 100_000, 1_000_000);
        for (id, bytes) in [(1, 20_000), (2, 50_000), (3, 20_000), (4, 90_000), (3, 20_000)] {
            clients.tell(ConnectionId(id), answer_of(bytes));
        }
        assert_eq!(outboxes.iter().map(|outbox| is_closed(outbox)).collect::<Vec<_>>(), [false, true, false, false]);
        assert_eq!(clients.all.bytes(), 0, "what was closed or taken out counts no more");
        // What is closed is told nothing more, and counts for nobody.
        clients.tell(ConnectionId(2), answer_of(90_000));
        assert_eq!(clients.all.bytes(), 0);
    }

    #[test]
    fn with_too_much_in_all_those_with_most_are_closed() {
        let (mut clients, outboxes) = clients(&[1, 2, 3], usize::MAX, 100_000);
        for (id, bytes) in [(1, 60_000), (2, 20_000), (3, 30_000)] {
            clients.tell(ConnectionId(id), answer_of(bytes));
        }
        assert_eq!(outboxes.iter().map(|outbox| is_closed(outbox)).collect::<Vec<_>>(), [true, false, false]);
        clients.close(ConnectionId(2));
        clients.tell(ConnectionId(3), answer_of(30_000));
        clients.close(ConnectionId(3));
        assert_eq!(clients.all.bytes(), 0);
    }

    #[test]
    fn what_several_are_told_is_made_a_line_once() {
        let (mut clients, outboxes) = clients(&[1, 1], usize::MAX, usize::MAX);
        outboxes.iter().for_each(|outbox| drop(outbox.take_some(usize::MAX)));
        let event = Arc::new(Event::Health(Arc::new(Health { stale: false, disk_full: false, replicas: Vec::new() })));
        for id in [1, 2] {
            clients.tell_event(ConnectionId(id), event.clone(), false);
        }
        let told = outboxes.iter().map(|outbox| match outbox.take_some(usize::MAX).items.pop() {
            Some(ToClient::Event(event, false)) => event,
            _ => panic!("told"),
        });
        let told: Vec<Arc<SharedEvent>> = told.collect();
        assert!(Arc::ptr_eq(&told[0], &told[1]));
        assert_eq!(told[0].line(|_| b"made".to_vec()), b"made");
        assert_eq!(told[1].line(|_| b"made again".to_vec()), b"made");
    }

    #[test]
    fn who_logs_in_to_another_account_takes_what_waits_along() {
        let (mut clients, outboxes) = clients(&[1], usize::MAX, usize::MAX);
        clients.tell(ConnectionId(1), answer_of(4000));
        let refusal = ToClient::Answer(Tag(2), Err(Refusal::NotLoggedIn));
        clients.tell(ConnectionId(1), refusal);
        log_in(&mut clients, 1, 2);
        let bytes = outboxes[0].held().1;
        let share = share_of(&mut clients.accounts, AccountId(2));
        assert_eq!((share.bytes(), clients.all.bytes()), (bytes, bytes));
        assert!(clients.accounts[&AccountId(1)].upgrade().is_none(), "nothing is left of the other one");
    }
}
