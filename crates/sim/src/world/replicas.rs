//! Replicas: their starts and ends, their links, and what their cores want done.

use super::*;

impl World {
    /// Starts a replica on what its disk holds; its views are made anew.
    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].is_up() {
            return;
        }
        self.say(|| format!("n{node} starts"));
        let incarnation = Incarnation(self.chance.draw());
        let config = Config {
            own: ReplicaId(node as u8),
            replicas: self.nodes.len() as u8,
            group: 7,
            incarnation,
            settings: Settings { recent_keys: 50, unconfirmed: 16, inbox_page: 4, ..Settings::default() },
        };
        let now = self.nodes[node].time(self.now);
        let state = &mut self.nodes[node];
        state.life += 1;
        state.views = crate::views::Views::default();
        state.full = false;
        let snapshot = Snapshot { alone: state.disk.alone, ..Snapshot::default() };
        let mut core = Core::new(config, snapshot, now);
        for (n, fact) in state.disk.log.iter().enumerate() {
            core.replay(LogIndex(n as u64 + 1), fact);
        }
        state.core = Some(core);
        self.input(node, Input::Timer);
        for other in 0..self.nodes.len() {
            if other != node {
                let (from, to) = (node.max(other), node.min(other));
                let wait = self.hop();
                self.after(wait, Happening::DialPeer { from, to });
            }
        }
    }

    /// `kill -9`, or the power goes.
    pub(crate) fn crash(&mut self, node: usize) {
        if !self.nodes[node].is_up() {
            return;
        }
        self.say(|| format!("n{node} crashes"));
        let survives = self.chance.per_mille(500);
        let before = self.nodes[node].disk.log.len();
        let state = &mut self.nodes[node];
        state.core = None;
        state.wake = None;
        state.frozen = false;
        state.asleep.clear();
        state.life += 1;
        state.disk.crash(survives);
        let survived: Vec<Position> = state.disk.log[before..].iter().map(|fact| fact.position).collect();
        self.ever.extend(survived.into_iter().map(|position| (node, position)));
        for other in 0..self.nodes.len() {
            self.break_link(node, other);
        }
        let ended: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, connection)| connection.node == node).map(|(&id, _)| id).collect();
        for connection in ended {
            self.hang_up(connection);
        }
    }

    /// A disk is emptied, or replaced by an older one: what only it had is gone.
    pub(crate) fn replace_disk(&mut self, node: usize, disk: crate::disk::Disk) {
        let old = std::mem::replace(&mut self.nodes[node].disk, disk);
        for fact in &old.log {
            if !self.nodes.iter().any(|node| node.disk.has(fact.position)) {
                self.gone.insert(fact.position);
            }
        }
    }

    /// The server's side of a connection ends: the client hears of it a little later.
    pub(super) fn hang_up(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        let (person, replica, epoch) = (connection.person, connection.replica, connection.epoch);
        let arrival = self.hop();
        let at = self.network.arrival(
            Place::Node(connection.node),
            Place::Person(person),
            epoch.0,
            self.now,
            self.now + arrival,
        );
        self.at(at, Happening::Lost { person, replica, epoch });
    }

    pub(crate) fn break_link(&mut self, one: usize, other: usize) {
        let Some(link) = self.network.links.remove(&(one.min(other), one.max(other))) else { return };
        for (node, peer) in [(one, other), (other, one)] {
            let life = self.nodes[node].life;
            let input = Input::LinkDown(ReplicaId(peer as u8), link);
            let wait = self.hop();
            // In order with what was said before.
            let at = self.network.arrival(Place::Node(peer), Place::Node(node), link.0, self.now, self.now + wait);
            let cut = self.network.cut_until(Place::Node(peer), Place::Node(node), self.now).is_some();
            // Behind a cut nobody hears of it: the silence tells.
            let at = if cut { self.now + Duration::from_secs(3) } else { at };
            self.at(at, Happening::Input { node, life, input });
        }
        let wait = self.chance.ms(50..1000);
        self.after(wait, Happening::DialPeer { from: one.max(other), to: one.min(other) });
    }

    pub(super) fn dial_peer(&mut self, from: usize, to: usize) {
        let pair = (to, from);
        if !self.nodes[from].is_up() || self.network.links.contains_key(&pair) {
            return;
        }
        let (a, b) = (Place::Node(from), Place::Node(to));
        let there = self.nodes[to].is_up() && !self.nodes[to].frozen && !self.nodes[from].frozen;
        if !there || self.network.is_cut(a, b, self.now) {
            let wait = self.chance.ms(50..1000);
            return self.after(wait, Happening::DialPeer { from, to });
        }
        let link = LinkId(self.next_number());
        self.network.links.insert(pair, link);
        for (node, peer) in [(from, to), (to, from)] {
            let life = self.nodes[node].life;
            let input = Input::LinkUp(ReplicaId(peer as u8), link);
            let wait = self.hop();
            let at = self.network.arrival(Place::Node(peer), Place::Node(node), link.0, self.now, self.now + wait);
            self.at(at, Happening::Input { node, life, input });
        }
    }

    pub(crate) fn input(&mut self, node: usize, input: Input) {
        let now = self.nodes[node].time(self.now);
        let Some(mut core) = self.nodes[node].core.take() else { return };
        let life = self.nodes[node].life;
        core.handle(now, input);
        let mut outputs = Vec::new();
        while let Some(output) = core.poll_output() {
            outputs.push(output);
        }
        self.nodes[node].wake = core.poll_timeout();
        self.nodes[node].core = Some(core);
        // It may die between any two of its effects.
        for output in outputs {
            if self.nodes[node].life == life {
                self.output(node, output);
            }
        }
    }

    pub(super) fn output(&mut self, node: usize, output: Output) {
        let life = self.nodes[node].life;
        let back = |input| Happening::Input { node, life, input };
        match output {
            Output::Store(_, facts) => self.store(node, facts),
            Output::Apply(all) => all.into_iter().for_each(|applied| self.nodes[node].views.apply(applied)),
            Output::Query(job, query) => {
                let found = match query {
                    Query::Facts { from, upto, .. } => {
                        Found::Facts { facts: self.nodes[node].disk.facts(from, upto, 20), damaged: None }
                    }
                    _ => self.nodes[node].views.query(&query),
                };
                let wait = self.chance.ms(0..2);
                self.after(wait, back(Input::Found(job, found)));
            }
            Output::Repair(_) => {}
            Output::Alone(alone) => self.nodes[node].disk.alone = alone,
            Output::Hash(job, password) => {
                let (token, wait) = (self.draw_token(), self.chance.ms(5..60));
                self.after(wait, back(Input::Hashed(job, Some(format!("hash of {}", password.0)), token)));
            }
            Output::Check(job, password, hashes) => {
                let fits = hashes.iter().position(|hash| *hash == format!("hash of {}", password.0));
                let (token, wait) = (self.draw_token(), self.chance.ms(5..60));
                self.after(wait, back(Input::Checked(job, Ok(fits), token)));
            }
            Output::Answer(connection, tag, result) => {
                if let Ok(Answer::Sent { key, copies, .. }) = &result {
                    self.check_copies(connection, *key, copies.stored);
                }
                let Some(state) = self.connections.get_mut(&connection) else { return };
                let Some((id, shape)) = state.unanswered.remove(&tag) else { return };
                let mut line = Vec::new();
                wire::write_answer(&mut line, id, shape, result, &self.nodes[node].wire);
                self.tell(connection, line);
            }
            Output::Event { connection, event, drain } => {
                let mut line = Vec::new();
                wire::write_line(&mut line, &wire::event(event, &self.nodes[node].wire));
                self.tell(connection, line);
                if drain {
                    let wait = self.chance.ms(0..5);
                    self.after(wait, back(Input::Drained(connection)));
                }
            }
            Output::Close(connection, reason) => {
                let mut line = Vec::new();
                wire::write_line(&mut line, &WireEvent::Closed { reason: wire::close_reason(reason) });
                self.tell(connection, line);
                self.hang_up(connection);
                self.after(Duration::from_millis(1), back(Input::Closed(connection)));
            }
            Output::Send(peer, link, message) => self.send(node, usize::from(peer.0), link, message),
            Output::CloseLink(peer, link) => {
                let other = usize::from(peer.0);
                if self.network.links.get(&(node.min(other), node.max(other))) == Some(&link) {
                    self.break_link(node, other);
                }
            }
            Output::Report(report) => {
                let kind = format!("{report:?}");
                self.count(kind.split('(').next().unwrap_or_default());
                self.say(|| format!("n{node} reports {report:?}"));
                self.nodes[node].reports.push(report);
            }
        }
    }

    pub(super) fn draw_token(&mut self) -> SessionToken {
        let mut token = [0; 32];
        for piece in token.chunks_mut(8) {
            piece.copy_from_slice(&self.chance.draw().to_be_bytes());
        }
        SessionToken(token)
    }

    pub(super) fn send(&mut self, from: usize, to: usize, link: LinkId, message: PeerMessage) {
        self.check_vector(from, &message);
        if self.network.links.get(&(from.min(to), from.max(to))) != Some(&link) {
            return;
        }
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let Ok(message) = PeerMessage::decode(&bytes) else {
            return self.violated("a replica's message can't be read".to_owned());
        };
        let (life, wait) = (self.nodes[to].life, self.hop());
        let at = self.network.arrival(Place::Node(from), Place::Node(to), link.0, self.now, self.now + wait);
        self.at(at, Happening::Input { node: to, life, input: Input::Link(ReplicaId(from as u8), link, message) });
    }
}
