//! People: what their clients want done, and what they do next.

use lastword_protocol::answer::Done;
use lastword_protocol::request::Receiver;

use super::*;

impl World {
    pub(crate) fn client(&mut self, person: usize, input: ClientInput) {
        let now = Time(self.now.since(self.people[person].client_began));
        self.people[person].machine.handle(now, input);
        while let Some(output) = self.people[person].machine.poll_output() {
            self.client_output(person, output);
        }
    }

    pub(super) fn client_output(&mut self, person: usize, output: ClientOutput) {
        match output {
            ClientOutput::Dial { replica, epoch } => {
                self.people[person].connections.insert(replica, (epoch, None));
                let (wait, client) = (self.hop(), self.people[person].life);
                self.after(wait, Happening::DialNode { person, client, replica, epoch });
            }
            ClientOutput::Send { replica, epoch, request } => self.client_line(person, replica, epoch, request),
            ClientOutput::Close { replica, epoch } => {
                let connection = self.people[person].connections.get(&replica).copied();
                if let Some((current, Some(connection))) = connection
                    && current == epoch
                {
                    self.people[person].connections.remove(&replica);
                    self.disconnect(connection);
                }
            }
            ClientOutput::Done { id, result } => {
                if let Some((since, deed)) = self.people[person].waiting.get(&id).cloned() {
                    let took = self.now.since(since);
                    let outcome = match &result {
                        Ok(Done::Send(sent)) => format!("stored on {} of {}", sent.stored, sent.of),
                        Ok(_) => "done".to_owned(),
                        Err(error) => error.to_string(),
                    };
                    self.say(|| format!("p{person}: {deed:?}: {outcome} after {} ms", took.as_millis()));
                    checkers::patience::on_done(self, person, &deed, took, result.as_ref().err());
                }
                if let Some(deed) = self.people[person].done(id, result) {
                    self.deed(person, deed, None);
                }
            }
            ClientOutput::Event { number, event } => {
                self.say(|| format!("p{person} sees {event:?}"));
                let slow = self.people[person].slow && matches!(event, lastword_client::Event::Message(_));
                self.people[person].unseen.push((number, event));
                if slow || self.people[person].unseen.len() > 1 {
                    let (wait, life) = (self.chance.ms(1..800), self.people[person].life);
                    return self.after(wait, Happening::Look { person, life, upto: number });
                }
                let life = self.people[person].life;
                self.look(person, life, number);
            }
        }
    }

    /// A person looks at what his client has shown him, up to there.
    pub(super) fn look(&mut self, person: usize, life: u64, upto: lastword_client::machine::EventNumber) {
        if self.people[person].life != life {
            return;
        }
        let seen: Vec<_> = self.people[person].unseen.extract_if(.., |(number, _)| *number <= upto).collect();
        let mut shown = None;
        for (number, event) in seen {
            shown = self.people[person].see(number, event);
        }
        if let Some(upto) = shown {
            self.client(person, ClientInput::Shown { upto });
        }
    }

    /// A client's process is killed; its user logs in anew.
    pub(crate) fn crash_client(&mut self, person: usize) {
        if self.people[person].stage != Stage::Chatting {
            return;
        }
        self.say(|| format!("the client of p{person} is killed"));
        let connections = std::mem::take(&mut self.people[person].connections);
        for (_, connection) in connections.into_values() {
            if let Some(connection) = connection {
                self.disconnect(connection);
            }
        }
        let now = self.now;
        self.people[person].start_client_anew(now);
        self.client(person, ClientInput::Timer);
    }

    /// A client's side of a connection ends.
    fn disconnect(&mut self, connection: ConnectionId) {
        let Some(state) = self.connections.remove(&connection) else { return };
        let (node, wait) = (state.node, self.hop());
        let life = self.nodes[node].life;
        let (a, b) = (Place::Person(state.person), Place::Node(node));
        let at = self.network.arrival(a, b, connection.0, self.now, self.now + wait);
        self.at(at, Happening::Input { node, life, input: Input::Closed(connection) });
    }

    pub(super) fn dial_node(&mut self, person: usize, replica: ReplicaIndex, epoch: Epoch) {
        if self.people[person].connections.get(&replica).is_none_or(|&(current, _)| current != epoch) {
            return;
        }
        let node = self.people[person].order[replica.0];
        let (a, b) = (Place::Person(person), Place::Node(node));
        if self.network.is_cut(a, b, self.now) {
            // Nobody answers the dial: the client gives up on it by itself.
            return;
        }
        let (wait, client) = (self.hop(), self.people[person].life);
        if !self.nodes[node].is_up() || self.nodes[node].dying.is_some() {
            return self.after(wait, Happening::Lost { person, client, replica, epoch });
        }
        let id = ConnectionId(self.next_number());
        let state = Connection {
            node,
            person,
            client,
            replica,
            epoch,
            unanswered: BTreeMap::new(),
            last_tag: 0,
            token: None,
            resumes: None,
            seen: Stamp::default(),
            uncovered: Vec::new(),
            shown_upto: LogIndex::NONE,
        };
        self.connections.insert(id, state);
        self.people[person].connections.insert(replica, (epoch, Some(id)));
        let life = self.nodes[node].life;
        let at = self.network.arrival(a, b, id.0, self.now, self.now);
        self.at(at, Happening::Input { node, life, input: Input::Opened(id) });
        let at = self.network.arrival(b, a, id.0, self.now, self.now + wait);
        self.at(at, Happening::Connected { person, client, replica, epoch });
    }

    pub(super) fn client_line(&mut self, person: usize, replica: ReplicaIndex, epoch: Epoch, request: Request) {
        let Some(&(current, Some(connection))) = self.people[person].connections.get(&replica) else { return };
        let Some(state) = self.connections.get(&connection).filter(|_| current == epoch) else { return };
        let (node, wait) = (state.node, self.hop());
        let life = self.nodes[node].life;
        let asks = describe(&request.op);
        if !matches!(request.op, Op::Ping) {
            self.say(|| format!("p{person} asks n{node}: {asks}"));
        }
        // As bytes, there and back.
        let mut bytes = Vec::new();
        request.write_json(&mut bytes);
        let Ok(request) = Request::from_json(&bytes) else {
            return self.violated("a client's line can't be read".to_owned());
        };
        let (a, b) = (Place::Person(person), Place::Node(node));
        let at = self.network.arrival(a, b, connection.0, self.now, self.now + wait);
        self.at(at, Happening::Line { node, life, connection, request });
    }

    pub(super) fn on_line(&mut self, node: usize, connection: ConnectionId, request: Request) {
        let Some(state) = self.connections.get_mut(&connection) else { return };
        let (shape, what) = (Shape::of(&request.op), request.op.name());
        let to = match &request.op {
            Op::Send { to: Receiver::Account(account), .. } => AccountId::parse(account),
            _ => None,
        };
        if matches!(request.op, Op::Listen) {
            state.shown_upto = LogIndex::NONE;
        }
        match wire::request(request.op, &self.nodes[node].wire.seen_key) {
            Ok(core_request) => {
                if let lastword_core::io::Request::Resume { token, .. } = &core_request {
                    state.resumes = Some(*token);
                }
                let after_create = state.unanswered.values().any(|asked| asked.what == "create" || asked.after_create);
                state.last_tag += 1;
                let tag = Tag(state.last_tag);
                state.unanswered.insert(tag, Asked { id: request.id, shape, at: self.now, what, after_create, to });
                self.input(node, Input::Request(connection, tag, core_request));
            }
            Err(refusal) => self.violated(format!("a client asked for nonsense: {refusal}")),
        }
    }

    pub(super) fn tell(&mut self, connection: ConnectionId, mut line: Vec<u8>) {
        let Some(state) = self.connections.get(&connection) else { return };
        let (node, person, client) = (state.node, state.person, state.client);
        let (replica, epoch) = (state.replica, state.epoch);
        line.pop();
        let wait = self.hop();
        let (a, b) = (Place::Node(node), Place::Person(person));
        let at = self.network.arrival(a, b, connection.0, self.now, self.now + wait);
        self.digest.told(connection.0, &line);
        self.at(at, Happening::Said { person, client, replica, epoch, line });
    }

    pub(crate) fn deed(&mut self, person: usize, deed: Deed, to_account: Option<String>) {
        let id = self.people[person].begin(self.now, deed.clone());
        let op = self.people[person].op(&deed, to_account);
        self.say(|| format!("p{person}: {deed:?} {}", describe(&op)));
        self.client(person, ClientInput::Command { id, op });
    }

    /// What a person does next, as long as there is trouble.
    pub(super) fn next_deed(&mut self, person: usize) {
        let over = self.now > self.load_until;
        let every = if over { 1000 } else { self.plan.deed_every_ms };
        let wait = self.chance.ms(1..2 * every);
        self.after(wait, Happening::Deed { person });
        let busy = !self.people[person].waiting.is_empty();
        if self.people[person].stage == Stage::LoggedOut && !busy && !self.account_is_gone(person) {
            if self.has_guests {
                let passwords = self.passwords_of(person);
                // In the end they go through all of them, the newest first: by chance they might miss the right one.
                let tried = self.people[person].passwords_tried;
                let in_turn = passwords.iter().rev().cycle().nth(tried).filter(|_| over);
                let password = in_turn.or_else(|| self.chance.pick(&passwords)).cloned().unwrap_or_default();
                self.people[person].passwords_tried += usize::from(over);
                self.people[person].password = password;
            }
            return self.deed(person, Deed::Login, None);
        }
        if over {
            return;
        }
        match self.people[person].stage {
            Stage::New => {
                self.people[person].stage = Stage::Creating;
                self.deed(person, Deed::Create, None);
            }
            Stage::Chatting if self.people[person].waiting.len() < 50 => {
                if self.plan.deletes && self.chance.per_mille(10) {
                    self.people[person].stage = Stage::Deleting;
                    return self.deed(person, Deed::Delete, None);
                }
                if self.chance.per_mille(50) {
                    return self.deed(person, Deed::Look, None);
                }
                if self.plan.blocks && self.chance.per_mille(80) {
                    return self.block(person);
                }
                if self.plan.mumbles && self.chance.per_mille(400) {
                    return self.mumble(person);
                }
                self.write(person);
            }
            _ => {}
        }
    }

    /// Writes to somebody: mostly an answer to what he wrote last.
    pub(super) fn write(&mut self, person: usize) {
        let known: Vec<usize> = (0..self.people.len()).filter(|&other| self.people[other].account.is_some()).collect();
        // A client that was started anew does not know any more what its user has seen.
        let life = self.people[person].life;
        let last = self.people[person].shown.last().filter(|shown| shown.life == life);
        let last = last.map(|shown| (shown.from, shown.number));
        let answers = last.filter(|_| self.chance.per_mille(600));
        let Some(to) = answers.map(|(from, _)| from).or_else(|| self.chance.pick(&known).copied()) else { return };
        let Some(to_account) = self.people.get(to).and_then(|other| other.account.clone()) else { return };
        let key = self.draw_key(self.people[person].clock_offset_ms);
        let session = self.people[person].logged_out;
        let sent = &mut self.people[person].sent;
        sent.push(SentMessage { key, to, answers, acknowledged: None, given_up: false, session });
        let number = sent.len() - 1;
        self.deed(person, Deed::Send(number), Some(to_account));
    }
}

impl World {
    /// Blocks somebody, or does so no more.
    fn block(&mut self, person: usize) {
        let others = (0..self.people.len()).filter(|&other| other != person && self.people[other].account.is_some());
        let others: Vec<usize> = others.collect();
        let Some(&whom) = self.chance.pick(&others) else { return };
        let key = self.draw_key(self.people[person].clock_offset_ms);
        let on = self.people[person].blocked.insert(whom);
        if !on {
            self.people[person].blocked.remove(&whom);
        }
        let account = self.people[whom].account.clone();
        self.deed(person, Deed::Block { on, key }, account);
    }

    /// Sends a message once more, with the same key and another text.
    fn mumble(&mut self, person: usize) {
        let count = self.people[person].sent.len() as u64;
        let back = self.chance.below(30) + 1;
        let Some(number) = count.checked_sub(back).map(|number| number as usize) else { return };
        // A client that has forgotten what it saw can't say where a message belongs.
        if self.people[person].sent[number].session != self.people[person].logged_out {
            return;
        }
        let to = self.people[person].sent[number].to;
        let to_account = self.people[to].account.clone();
        self.deed(person, Deed::Mumble(number), to_account);
    }
}

/// A request, without what is secret.
fn describe(op: &Op) -> String {
    match op {
        Op::Send { text, key, .. } => format!("send {text} {key}"),
        Op::Create { name, .. } => format!("create {name}"),
        Op::Delivered { upto } => format!("delivered {upto}"),
        Op::Resume { seen, .. } => format!("resume, having seen {}", seen.as_deref().unwrap_or("nothing")),
        _ => op.name().to_owned(),
    }
}
