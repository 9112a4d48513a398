//! Replicas: their starts and ends, their links, and what their cores want done.

use super::*;

impl World {
    /// Starts a replica on what its disk holds; its views are made anew.
    pub(crate) fn start(&mut self, node: usize) {
        if self.nodes[node].is_up() || self.nodes[node].gone_for_ever {
            return;
        }
        self.say(|| format!("n{node} starts"));
        let drawn = Incarnation(self.chance.draw());
        let incarnation = if planted(Bug::ReusesIncarnation) { Incarnation(node as u64 + 1) } else { drawn };
        let defaults = Settings::default();
        let (use_noted, sweep_every) = if self.watches_sessions {
            (Duration::from_secs(5), Duration::from_secs(2))
        } else {
            (defaults.use_noted, defaults.sweep_every)
        };
        let (in_flight, mailbox) = if self.is_tight { (12, 25) } else { (defaults.in_flight, defaults.mailbox) };
        let config = Config {
            own: ReplicaId(node as u8),
            replicas: self.nodes.len() as u8,
            group: 7,
            incarnation,
            settings: Settings {
                recent_keys: 50,
                step: 3,
                fair_bytes: 4000,
                unconfirmed: 16,
                inbox_page: 4,
                held_bytes: self.plan.held_bytes,
                push_bytes: self.plan.push_bytes,
                in_flight,
                mailbox,
                use_noted,
                sweep_every,
                ..defaults
            },
        };
        let now = self.nodes[node].time(self.now);
        let state = &mut self.nodes[node];
        state.life += 1;
        (state.started, state.full, state.dying) = (self.now, None, None);
        state.met.clear();
        state.covered = [(self.now, state.disk.vector.clone())].into();
        if std::mem::take(&mut state.views_are_void) {
            state.views = crate::views::Views::default();
        }
        let snapshot = state.views.snapshot(state.disk.alone);
        let mut core = Core::new(config, snapshot, now);
        for (n, fact) in state.disk.log.iter().enumerate().skip(state.views.index().0 as usize) {
            let place = LogIndex(n as u64 + 1);
            if state.disk.is_damaged(fact.position) {
                core.replay_damaged(place, fact.position);
            } else {
                core.replay(place, fact);
            }
        }
        state.core = Some(core);
        self.network.disturb(pair(node, node), self.now, self.now);
        checkers::stale::on_start(self, node);
        self.make_views(node, incarnation);
        self.input(node, Input::Timer);
        for other in 0..self.nodes.len() {
            if other != node {
                let (from, to) = (node.max(other), node.min(other));
                let wait = self.hop();
                self.after(wait, Happening::DialPeer { from, to });
            }
        }
    }

    /// Views that are made from nothing take a while, now and then, and the replica takes part meanwhile.
    fn make_views(&mut self, node: usize, drawn: Incarnation) {
        let state = &mut self.nodes[node];
        let is_long = state.views.index() == LogIndex::NONE && !state.disk.log.is_empty() && drawn.0.is_multiple_of(3);
        state.views_in_making = is_long;
        if is_long {
            self.say(|| format!("the views of n{node} are being made"));
            let wait = Duration::from_millis(drawn.0 / 3 % 4000);
            let life = self.nodes[node].life;
            self.input(node, Input::ViewsReady(false));
            self.after(wait, Happening::Input { node, life, input: Input::ViewsReady(true) });
        }
    }

    /// `kill -9`, or the power goes.
    pub(crate) fn crash(&mut self, node: usize) {
        if !self.nodes[node].is_up() {
            return;
        }
        self.say(|| format!("n{node} crashes"));
        checkers::stale::on_crash(self, node);
        // The views are written without sync: they are whole, or made anew.
        let views_survive = self.chance.per_mille(500);
        let state = &mut self.nodes[node];
        state.core = None;
        state.wake = None;
        state.frozen = false;
        state.dying = None;
        state.asleep.clear();
        state.life += 1;
        if !views_survive {
            state.views = crate::views::Views::default();
        }
        self.crash_disk(node);
        self.network.disturb(pair(node, node), self.now, self.now);
        for other in 0..self.nodes.len() {
            self.break_link(node, other);
        }
        let ended: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, connection)| connection.node == node).map(|(&id, _)| id).collect();
        for connection in ended {
            self.hang_up(connection);
        }
    }

    /// It is killed once more, while it recovers from the last time.
    pub(super) fn crash_again(&mut self, node: usize) {
        if self.nodes[node].is_up() && self.now <= self.trouble_until {
            self.crash(node);
            let wait = self.chance.ms(10..3000);
            self.after(wait, Happening::Start { node });
        }
    }

    /// It starts anew on its log, after all that it handed to its disk is there.
    fn start_anew(&mut self, node: usize) {
        let disk = &mut self.nodes[node].disk;
        let waiting = std::mem::take(&mut disk.waiting);
        disk.under_way.extend(waiting);
        self.sync_disk(node);
        self.crash(node);
        self.after(Duration::ZERO, Happening::Start { node });
    }

    /// The server's side of a connection ends: the client hears of it a little later.
    pub(super) fn hang_up(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        let (person, client) = (connection.person, connection.client);
        let (replica, epoch) = (connection.replica, connection.epoch);
        let arrival = self.hop();
        let at = self.network.arrival(
            Place::Node(connection.node),
            Place::Person(person),
            id.0,
            self.now,
            self.now + arrival,
        );
        self.at(at, Happening::Lost { person, client, replica, epoch });
    }

    pub(crate) fn break_link(&mut self, one: usize, other: usize) {
        let Some(link) = self.network.links.remove(&pair(one, other)) else { return };
        self.network.parted(pair(one, other), self.now);
        for (node, peer) in [(one, other), (other, one)] {
            let life = self.nodes[node].life;
            let input = Input::LinkDown(ReplicaId(peer as u8), link);
            let wait = self.hop();
            // In order with what was said before.
            let at = self.network.arrival(Place::Node(peer), Place::Node(node), link.0, self.now, self.now + wait);
            let cut = self.network.cut_until(Place::Node(peer), Place::Node(node), self.now).is_some();
            // Behind a cut nobody hears of it: the silence tells.
            let at = if cut { self.now + Duration::from_secs(3) } else { at };
            // Who is being killed loses them at once.
            let at = if self.nodes[node].dying.is_some() { self.now } else { at };
            self.at(at, Happening::Input { node, life, input });
        }
        let wait = self.chance.ms(50..1000);
        self.after(wait, Happening::DialPeer { from: one.max(other), to: one.min(other) });
    }

    pub(super) fn dial_peer(&mut self, from: usize, to: usize) {
        let pair = pair(to, from);
        if !self.nodes[from].is_up() || self.network.links.contains_key(&pair) {
            return;
        }
        let refused = self.network.refused.get(&pair).is_some_and(|&until| until > self.now);
        let dying = self.nodes[from].dying.is_some() || self.nodes[to].dying.is_some();
        let (a, b) = (Place::Node(from), Place::Node(to));
        let there = self.nodes[to].is_up() && !self.nodes[to].frozen && !self.nodes[from].frozen;
        if !there || refused || dying || self.network.is_cut(a, b, self.now) {
            let wait = self.chance.ms(50..1000);
            return self.after(wait, Happening::DialPeer { from, to });
        }
        let link = LinkId(self.next_number());
        self.network.links.insert(pair, link);
        self.network.joined(pair, self.now);
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
        if matches!(input, Input::ViewsReady(true)) {
            self.nodes[node].views_in_making = false;
        }
        core.handle(now, input);
        let mut outputs = Vec::new();
        while let Some(output) = core.poll_output() {
            outputs.push(output);
        }
        if !core.health().stale {
            self.nodes[node].last_fresh = Some(self.now);
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
            Output::Apply(all) => {
                for applied in all {
                    self.digest.applied(node, &applied);
                    self.nodes[node].views.apply(applied);
                }
            }
            Output::Query(job, query) => {
                let found = match query {
                    Query::Facts { from, upto, .. } => self.nodes[node].disk.facts(from, upto, 20),
                    _ => self.nodes[node].views.query(&query),
                };
                if self.nodes[node].views_in_making && !matches!(found, Found::Facts { .. }) {
                    self.violated(format!("n{node} asks its views before they are made"));
                }
                let wait = self.chance.ms(0..2);
                self.after(wait, back(Input::Found(job, found)));
            }
            Output::Repair { fact, anew } => self.repair(node, fact, anew),
            Output::StartAnew => self.start_anew(node),
            Output::Alone(alone) => self.nodes[node].disk.alone = alone,
            Output::Hash(job, _, password) => {
                let (token, wait) = (self.draw_token(), self.hashing());
                self.after(wait, back(Input::Hashed(job, Some(sim_hash(&password, &token)), token)));
            }
            Output::Check(job, _, password, hashes) => {
                // Hashes end in something of their own, as those with a salt do.
                let fits = hashes.iter().position(|hash| hash.starts_with(&format!("hash of {},", password.0)));
                let (token, wait) = (self.draw_token(), self.hashing());
                let fits = fits.map(|which| {
                    // Now and then the parameters have changed.
                    let rehashed = token.0[0] % 4 == 0;
                    Fit { which, rehashed: rehashed.then(|| sim_hash(&password, &token)) }
                });
                self.after(wait, back(Input::Checked(job, Ok(fits), token)));
            }
            Output::Match(job, pattern, names) => {
                let (mut left, wait) = (1 + self.chance.ms(0..5).as_millis(), self.chance.ms(0..2));
                let matched = pattern.match_names(&names, || {
                    left -= 1;
                    left > 0
                });
                self.after(wait, back(Input::Matched(job, matched)));
            }
            Output::Answer(connection, tag, result) => {
                self.guest_answered(connection, tag, &result);
                self.note_session(connection, tag, &result);
                checkers::on_answer(self, node, connection, tag, result.as_ref());
                if let Ok(Answer::Created { account, .. }) = &result {
                    self.created.push((*account, node, self.now));
                }
                if let (Err(refusal), Some(state)) = (&result, self.connections.get(&connection)) {
                    let (person, what) = (state.person, state.unanswered.get(&tag).map(|asked| asked.what));
                    let text = format!("n{node} refuses p{person} {}: {refusal}", what.unwrap_or_default());
                    self.say(|| text);
                }
                let Some(state) = self.connections.get_mut(&connection) else { return };
                let Some(Asked { id, shape, .. }) = state.unanswered.remove(&tag) else { return };
                let mut line = Vec::new();
                wire::write_answer(&mut line, id, shape, result, &self.nodes[node].wire);
                self.tell(connection, line);
            }
            Output::Event { connection, event, drain } => {
                if let CoreEvent::Message(view) = &*event {
                    checkers::on_shown(self, node, connection, view);
                }
                let mut line = Vec::new();
                wire::write_line(&mut line, &wire::event(&event, &self.nodes[node].wire));
                self.tell(connection, line);
                if drain {
                    let wait = self.chance.ms(0..5);
                    self.after(wait, back(Input::Drained(connection)));
                }
            }
            Output::Close(connection, reason) => {
                self.guest_closed(connection);
                let mut line = Vec::new();
                wire::write_line(&mut line, &WireEvent::Closed { reason: wire::close_reason(reason) });
                self.tell(connection, line);
                self.hang_up(connection);
                self.after(Duration::from_millis(1), back(Input::Closed(connection)));
            }
            Output::Send(peer, link, message) => self.send(node, usize::from(peer.0), link, message),
            Output::CloseLink(peer, link) => {
                let other = usize::from(peer.0);
                if self.network.links.get(&pair(node, other)) == Some(&link) {
                    self.break_link(node, other);
                }
            }
            Output::Report(report) => {
                let kind = format!("{report:?}");
                self.count(&format!("report {}", kind.split('(').next().unwrap_or_default()));
                if let Report::OutOfSync(_, why) = report {
                    self.count(&format!("report OutOfSync {why:?}"));
                }
                self.say(|| format!("n{node} reports {report:?}"));
                if report == Report::NotStaleAnyMore {
                    checkers::stale::on_caught_up(self, node);
                }
                if let Report::InSync(peer) = report {
                    checkers::in_sync::on_joined(self, node, usize::from(peer.0));
                }
            }
        }
    }

    /// Which session a client's connection is logged in with.
    fn note_session(
        &mut self,
        connection: ConnectionId,
        tag: Tag,
        result: &Result<Answer, lastword_core::io::Refusal>,
    ) {
        let Some(state) = self.connections.get_mut(&connection) else { return };
        match result {
            Ok(Answer::Created { token, .. } | Answer::LoggedIn { token: Some(token), .. }) => {
                state.token = Some(token.hash());
            }
            Ok(Answer::LoggedIn { token: None, .. }) => state.token = state.resumes,
            Err(_) if state.unanswered.get(&tag).is_some_and(|asked| asked.what == "resume") => state.token = None,
            _ => {}
        }
    }

    /// How long a password takes; about the same for all who come at once for one name.
    fn hashing(&mut self) -> Duration {
        let most = if self.plan.crowded_names { 8 } else { 60 };
        self.chance.ms(5..most)
    }

    pub(super) fn draw_token(&mut self) -> SessionToken {
        let mut token = [0; 32];
        for piece in token.chunks_mut(8) {
            piece.copy_from_slice(&self.chance.draw().to_be_bytes());
        }
        SessionToken(token)
    }

    pub(super) fn send(&mut self, from: usize, to: usize, link: LinkId, mut message: PeerMessage) {
        checkers::vectors::on_said(self, from, &message);
        if self.network.links.get(&pair(from, to)) != Some(&link) {
            return;
        }
        if planted(Bug::KeepsPeerVector) {
            self.keep_vector(from, &mut message);
        }
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.digest.said(from, to, &bytes);
        let Ok(message) = PeerMessage::decode(&bytes) else {
            return self.violated("a replica's message can't be read".to_owned());
        };
        if matches!(message, PeerMessage::Hello(_)) {
            self.nodes[to].met.insert(from);
        }
        let (life, wait) = (self.nodes[to].life, self.hop());
        let at = self.network.arrival(Place::Node(from), Place::Node(to), link.0, self.now, self.now + wait);
        self.at(at, Happening::Input { node: to, life, input: Input::Link(ReplicaId(from as u8), link, message) });
    }

    /// What a receiver would believe that had kept what this replica confirmed before.
    fn keep_vector(&mut self, from: usize, message: &mut PeerMessage) {
        let kept = &mut self.confirmed[from];
        match message {
            PeerMessage::Hello(hello) => {
                hello.vector.iter().for_each(|position| kept.raise(position));
                hello.vector = kept.clone();
            }
            PeerMessage::Confirm(changes) => changes.iter().for_each(|&position| kept.raise(position)),
            _ => {}
        }
    }
}

/// A hash of a password, with some of what was drawn for a token in the place of a salt.
fn sim_hash(password: &Password, salt: &SessionToken) -> String {
    format!("hash of {},{:02x}{:02x}", password.0, salt.0[1], salt.0[2])
}
