//! Disks, and what can be checked of them at once.

use super::*;

impl World {
    pub(super) fn store(&mut self, node: usize, facts: Vec<Arc<Fact>>) {
        for fact in &facts {
            match self.facts.get(&fact.position) {
                Some(known) if known.bytes() != fact.bytes() => {
                    self.violated(format!("two facts at {:?}: {known:?} and {fact:?}", fact.position));
                }
                Some(_) => {}
                None => {
                    if matches!(fact.body, Body::Message(_)) {
                        self.positions.entry((fact.author, fact.key)).or_default().push(fact.position);
                    }
                    self.facts.insert(fact.position, fact.clone());
                }
            }
        }
        let disk = &mut self.nodes[node].disk;
        disk.waiting.extend(facts);
        if disk.under_way.is_empty() {
            self.begin_sync(node);
        }
    }

    pub(super) fn begin_sync(&mut self, node: usize) {
        let most = if self.now < self.nodes[node].slow_until { self.nodes[node].slow_us } else { self.plan.sync_us };
        let wait = Duration::from_micros(50 + self.chance.below(most));
        let disk = &mut self.nodes[node].disk;
        disk.under_way = std::mem::take(&mut disk.waiting);
        let life = self.nodes[node].life;
        self.after(wait, Happening::Synced { node, life });
    }

    pub(super) fn on_synced(&mut self, node: usize) {
        if std::mem::take(&mut self.nodes[node].fail_next_sync) {
            self.say(|| format!("n{node}: a sync fails, and the process ends"));
            let wait = self.chance.ms(100..3000);
            self.crash(node);
            return self.after(wait, Happening::Start { node });
        }
        let disk = &mut self.nodes[node].disk;
        let positions: Vec<Position> = disk.under_way.iter().map(|fact| fact.position).collect();
        disk.synced();
        let end = LogIndex(disk.log.len() as u64);
        let more = !disk.waiting.is_empty();
        self.ever.extend(positions.into_iter().map(|position| (node, position)));
        if more {
            self.begin_sync(node);
        }
        self.input(node, Input::Stored(end));
    }

    pub(super) fn make_room(&mut self, node: usize) {
        if std::mem::take(&mut self.nodes[node].full) {
            self.input(node, Input::DiskRoom(true));
        }
    }

    pub(super) fn wake(&mut self, node: usize) {
        if std::mem::take(&mut self.nodes[node].frozen) {
            self.say(|| format!("n{node} wakes"));
            let asleep = std::mem::take(&mut self.nodes[node].asleep);
            for happening in asleep {
                self.after(Duration::ZERO, happening);
            }
        }
    }

    /// The facts of a message that are on the first disk: their orders.
    pub(crate) fn copies_of(&self, person: usize, number: usize) -> Vec<lastword_facts::Order> {
        let person = &self.people[person];
        let Some(account) = person.account.as_deref().and_then(AccountId::parse) else { return Vec::new() };
        let positions = self.positions.get(&(account, Key(person.sent[number].key.as_u128()))).into_iter().flatten();
        let there = positions.filter(|&&position| self.nodes[0].disk.has(position));
        there.filter_map(|position| Some(self.facts.get(position)?.order())).collect()
    }

    /// Whether something that an account rests on went with the last disk that had it.
    pub(crate) fn account_is_gone(&self, person: usize) -> bool {
        let Some(account) = self.people[person].account.as_deref().and_then(AccountId::parse) else { return true };
        let matters = |body: &Body| matches!(body, Body::Claim(_) | Body::Confirm(_) | Body::Delete);
        let fact = |position: &Position| self.facts.get(position);
        self.gone.iter().filter_map(fact).any(|fact| fact.author == account && matters(&fact.body))
    }

    /// Whether a message, at any of its positions, went with the last disk that had it.
    pub(crate) fn is_gone(&self, person: usize, number: usize) -> bool {
        let person = &self.people[person];
        let Some(account) = person.account.as_deref().and_then(AccountId::parse) else { return false };
        let identity = (account, Key(person.sent[number].key.as_u128()));
        self.positions.get(&identity).into_iter().flatten().any(|position| self.gone.contains(position))
    }

    /// Acknowledged on so many copies means on that many disks.
    pub(super) fn check_copies(&mut self, connection: ConnectionId, key: Key, stored: u32) {
        let Some(person) = self.connections.get(&connection).map(|connection| connection.person) else { return };
        let Some(account) = self.people[person].account.as_deref().and_then(AccountId::parse) else { return };
        let positions = self.positions.get(&(account, key)).cloned().unwrap_or_default();
        let on_disk = |node: usize| positions.iter().any(|&position| self.ever.contains(&(node, position)));
        let disks = (0..self.nodes.len()).filter(|&node| on_disk(node)).count();
        if (disks as u32) < stored {
            self.violated(format!("person {person} was told {stored} copies of {key:?}, and {disks} disks had it"));
        }
    }

    /// A vector never claims what is not durable.
    pub(super) fn check_vector(&mut self, node: usize, message: &PeerMessage) {
        let claimed: Vec<Position> = match message {
            PeerMessage::Hello(hello) => hello.vector.iter().collect(),
            PeerMessage::Confirm(changes) => changes.clone(),
            _ => return,
        };
        let disk = &self.nodes[node].disk;
        if let Some(lie) = claimed.iter().find(|&&position| !disk.vector.covers(position)) {
            let lie = format!("n{node} claims {lie:?}, and its disk has not got it");
            self.violated(lie);
        }
    }
}
