//! Disks: what is handed to them, when it is synced, and what is left after a crash.

use lastword_core::io::DiskRoom;

use super::*;

impl World {
    pub(super) fn store(&mut self, node: usize, facts: Vec<Arc<Fact>>) {
        self.digest.stored(node, &facts);
        checkers::positions::on_store(self, node, &facts);
        checkers::room::on_store(self, node, &facts);
        for fact in &facts {
            if self.made.get(&fact.position).is_some_and(|(maker, _)| *maker == node) {
                self.count("path incarnation of an earlier life came back");
            }
            self.note_made(node, fact);
        }
        self.nodes[node].disk.waiting.extend(facts);
        self.begin_sync(node);
    }

    /// Remembers what was made where and when, for those who check.
    fn note_made(&mut self, node: usize, fact: &Arc<Fact>) {
        if self.facts.contains_key(&fact.position) {
            return;
        }
        checkers::stamps::on_made(self, node, fact);
        self.facts.insert(fact.position, fact.clone());
        self.made.insert(fact.position, (node, self.now));
        checkers::blocked::on_made(self, node, fact);
        match &fact.body {
            Body::Message(_) => {
                checkers::causes::on_made(self, node, fact);
                self.positions.entry((fact.author, fact.key)).or_default().push(fact.position);
            }
            Body::Logout(_) => checkers::sessions::on_made(self, node, fact),
            Body::Delete => self.deletions.entry(fact.author).or_default().push(fact.position),
            _ => {}
        }
    }

    pub(super) fn repair(&mut self, node: usize, fact: Arc<Fact>, anew: bool) {
        checkers::positions::on_repair(self, node, &fact);
        self.nodes[node].disk.repairs.push((fact, anew));
        self.begin_sync(node);
    }

    /// Begins the next sync, if none is under way.
    pub(super) fn begin_sync(&mut self, node: usize) {
        if self.nodes[node].syncing {
            return;
        }
        let slow = self.now < self.nodes[node].slow_until;
        let most = if slow { self.nodes[node].slow_us } else { self.plan.sync_us };
        let wait = Duration::from_micros(50 + self.chance.below(most));
        let disk = &mut self.nodes[node].disk;
        disk.under_way = std::mem::take(&mut disk.waiting);
        self.nodes[node].syncing = true;
        let life = self.nodes[node].life;
        self.after(wait, Happening::Synced { node, life });
    }

    pub(super) fn on_synced(&mut self, node: usize) {
        self.nodes[node].syncing = false;
        if std::mem::take(&mut self.nodes[node].fail_next_sync) {
            self.say(|| format!("n{node}: a sync fails, and the process ends"));
            let wait = self.chance.ms(100..3000);
            self.crash(node);
            return self.after(wait, Happening::Start { node });
        }
        let before = self.nodes[node].disk.log.len();
        self.sync_disk(node);
        let (end, disk) = (self.nodes[node].disk.log.len(), &self.nodes[node].disk);
        if !disk.waiting.is_empty() || !disk.repairs.is_empty() {
            self.begin_sync(node);
        }
        if end > before {
            self.input(node, Input::Stored(LogIndex(end as u64)));
        }
    }

    /// What is under way is on disk, with what was mended.
    pub(super) fn sync_disk(&mut self, node: usize) {
        checkers::closed::on_synced(self, node);
        let synced: Vec<Position> = self.nodes[node].disk.under_way.iter().map(|fact| fact.position).collect();
        let (mended, anew) = self.nodes[node].disk.synced();
        self.nodes[node].views_are_void |= anew;
        for position in synced {
            self.synced.entry((node, position)).or_insert(self.now);
        }
        for position in mended {
            self.synced.entry((node, position)).or_insert(self.now);
            self.input(node, Input::Repaired(position));
        }
    }

    /// What a crash leaves of the batch under way.
    pub(super) fn crash_disk(&mut self, node: usize) {
        let count = self.nodes[node].disk.under_way.len();
        let survives = if std::mem::take(&mut self.nodes[node].tears) {
            Survives::Torn((0..count).map(|_| self.chance.per_mille(500)).collect())
        } else if self.chance.per_mille(500) {
            checkers::closed::on_synced(self, node);
            Survives::All
        } else {
            Survives::Nothing
        };
        let before = self.nodes[node].disk.log.len();
        let (mended, void) = self.nodes[node].disk.crash(survives);
        self.nodes[node].views_are_void |= void;
        for position in mended {
            self.synced.entry((node, position)).or_insert(self.now);
        }
        self.nodes[node].syncing = false;
        let disk = &self.nodes[node].disk;
        let left: Vec<Position> = disk.log[before..].iter().map(|fact| fact.position).collect();
        for position in left {
            if self.nodes[node].disk.has_whole(position) {
                self.synced.entry((node, position)).or_insert(self.now);
            } else {
                self.count("torn record");
                self.hurt.insert(position);
                self.note_gone(position);
            }
        }
    }

    pub(super) fn make_room(&mut self, node: usize) {
        if self.nodes[node].full.take().is_some() {
            self.input(node, Input::DiskRoom(DiskRoom::Enough));
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

    /// A disk is emptied, or replaced by an older one: what only it had is gone.
    pub(crate) fn replace_disk(&mut self, node: usize, disk: crate::disk::Disk) {
        let old = std::mem::replace(&mut self.nodes[node].disk, disk);
        self.nodes[node].views = crate::views::Views::default();
        for fact in &old.log {
            self.note_gone(fact.position);
            if !self.nodes[node].disk.has(fact.position) {
                self.taken.insert(fact.position);
            }
        }
    }

    /// A record was taken away: if nobody else has it, it is gone by no fault of the replicas.
    pub(crate) fn note_gone(&mut self, position: Position) {
        let mut left = self.nodes.iter().filter(|node| !node.gone_for_ever);
        if !left.any(|node| node.disk.has_whole(position)) {
            self.gone.insert(position);
        }
    }

    /// The first replica that runs.
    pub(crate) fn first_up(&self) -> usize {
        self.nodes.iter().position(Node::is_up).unwrap_or(0)
    }

    /// A message's facts: their orders, and which replica took each when; for a person to read.
    pub(crate) fn copies_of(&self, person: usize, number: usize) -> Vec<String> {
        let identity = self.people[person].identity_of(number);
        let positions = identity.and_then(|identity| self.positions.get(&identity)).into_iter().flatten();
        let tell = |position: &Position| {
            let (fact, (node, at)) = (self.facts.get(position)?, self.made.get(position)?);
            Some(format!("{:?} at n{node} {:.3}", fact.order(), at.0.as_secs_f64()))
        };
        positions.filter_map(tell).collect()
    }

    /// Whether something that an account rests on went with the last disk that had it.
    pub(crate) fn account_is_gone(&self, person: usize) -> bool {
        let Some(account) = self.people[person].account_id() else { return true };
        let matters = |body: &Body| matches!(body, Body::Claim(_) | Body::Confirm(_) | Body::Delete);
        let fact = |position: &Position| self.facts.get(position);
        self.gone.iter().filter_map(fact).any(|fact| fact.author == account && matters(&fact.body))
    }

    /// Whether a message's record was taken away from some disk, or that or one before it was damaged: then it
    /// may be shown late.
    pub(crate) fn is_hurt(&self, person: usize, number: usize) -> bool {
        let identity = self.people[person].identity_of(number);
        let positions = identity.and_then(|identity| self.positions.get(&identity));
        let first = |position: &Position| Position { seq: lastword_facts::ids::Seq::NONE, ..*position };
        let is_hurt = |position: &Position| {
            self.taken.contains(position) || self.hurt.range(first(position)..=*position).next().is_some()
        };
        positions.into_iter().flatten().any(is_hurt)
    }

    /// Whether a message, at any of its positions, went with the last disk that had it.
    pub(crate) fn is_gone(&self, person: usize, number: usize) -> bool {
        let identity = self.people[person].identity_of(number);
        let positions = identity.and_then(|identity| self.positions.get(&identity));
        positions.into_iter().flatten().any(|position| self.gone.contains(position))
    }
}
