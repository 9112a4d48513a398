//! People: what their clients want done, and what they do next.

use super::*;

impl World {
    pub(crate) fn client(&mut self, person: usize, input: ClientInput) {
        let now = Time(self.now.0);
        self.people[person].machine.handle(now, input);
        while let Some(output) = self.people[person].machine.poll_output() {
            self.client_output(person, output);
        }
    }

    pub(super) fn client_output(&mut self, person: usize, output: ClientOutput) {
        match output {
            ClientOutput::Dial { replica, epoch } => {
                self.people[person].connections.insert(replica, (epoch, None));
                let wait = self.hop();
                self.after(wait, Happening::DialNode { person, replica, epoch });
            }
            ClientOutput::Send { replica, epoch, request } => self.client_line(person, replica, epoch, request),
            ClientOutput::Close { replica, epoch } => {
                let connection = self.people[person].connections.get(&replica).copied();
                if let Some((current, Some(connection))) = connection
                    && current == epoch
                {
                    self.people[person].connections.remove(&replica);
                    if let Some(state) = self.connections.remove(&connection) {
                        let (node, wait) = (state.node, self.hop());
                        let life = self.nodes[node].life;
                        let (a, b) = (Place::Person(person), Place::Node(node));
                        let at = self.network.arrival(a, b, epoch.0, self.now, self.now + wait);
                        self.at(at, Happening::Input { node, life, input: Input::Closed(connection) });
                    }
                }
            }
            ClientOutput::Done { id, result } => {
                if let Some((since, deed)) = self.people[person].waiting.get(&id).cloned() {
                    let took = self.now.since(since);
                    let outcome = match &result {
                        Ok(_) => "done".to_owned(),
                        Err(error) => error.to_string(),
                    };
                    self.say(|| format!("p{person}: {deed:?}: {outcome} after {} ms", took.as_millis()));
                    self.check_patience(person, &deed, took, result.as_ref().err());
                }
                if let Some(deed) = self.people[person].done(id, result) {
                    self.deed(person, deed, None);
                }
            }
            ClientOutput::Event { number, event } => {
                self.say(|| format!("p{person} sees {event:?}"));
                if let Some(upto) = self.people[person].see(number, event) {
                    self.client(person, ClientInput::Shown { upto });
                }
            }
        }
    }

    /// With a replica that nothing ever happens to, everything is answered in time.
    pub(super) fn check_patience(
        &mut self,
        person: usize,
        deed: &Deed,
        took: Duration,
        error: Option<&lastword_client::Error>,
    ) {
        let refused = error.is_some_and(|error| error.code().is_some());
        let late = took > Duration::from_secs(20) || error.is_some() && !refused;
        if late && self.plan.sanctuary.is_some() {
            let text = format!(
                "p{person}: {deed:?} took {} ms ({error:?}), with a healthy replica in reach",
                took.as_millis()
            );
            self.violated(text);
        }
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
        let wait = self.hop();
        if !self.nodes[node].is_up() {
            return self.after(wait, Happening::Lost { person, replica, epoch });
        }
        let id = ConnectionId(self.next_number());
        let state = Connection { node, person, replica, epoch, unanswered: BTreeMap::new(), last_tag: 0 };
        self.connections.insert(id, state);
        self.people[person].connections.insert(replica, (epoch, Some(id)));
        let life = self.nodes[node].life;
        let at = self.network.arrival(a, b, epoch.0, self.now, self.now);
        self.at(at, Happening::Input { node, life, input: Input::Opened(id) });
        let at = self.network.arrival(b, a, epoch.0, self.now, self.now + wait);
        self.at(at, Happening::Connected { person, replica, epoch });
    }

    pub(super) fn client_line(&mut self, person: usize, replica: ReplicaIndex, epoch: Epoch, request: Request) {
        let Some(&(current, Some(connection))) = self.people[person].connections.get(&replica) else { return };
        let Some(state) = self.connections.get(&connection).filter(|_| current == epoch) else { return };
        let (node, wait) = (state.node, self.hop());
        let life = self.nodes[node].life;
        // As bytes, there and back.
        let mut bytes = Vec::new();
        request.write_json(&mut bytes);
        let Ok(request) = Request::from_json(&bytes) else {
            return self.violated("a client's line can't be read".to_owned());
        };
        let (a, b) = (Place::Person(person), Place::Node(node));
        let at = self.network.arrival(a, b, epoch.0, self.now, self.now + wait);
        self.at(at, Happening::Line { node, life, connection, request });
    }

    pub(super) fn on_line(&mut self, node: usize, connection: ConnectionId, request: Request) {
        let Some(state) = self.connections.get_mut(&connection) else { return };
        let shape = Shape::of(&request.op);
        match wire::request(request.op, &self.nodes[node].wire.seen_key) {
            Ok(core_request) => {
                state.last_tag += 1;
                let tag = Tag(state.last_tag);
                state.unanswered.insert(tag, (request.id, shape));
                self.input(node, Input::Request(connection, tag, core_request));
            }
            Err(refusal) => self.violated(format!("a client asked for nonsense: {refusal}")),
        }
    }

    pub(super) fn tell(&mut self, connection: ConnectionId, mut line: Vec<u8>) {
        let Some(state) = self.connections.get(&connection) else { return };
        let (node, person, replica, epoch) = (state.node, state.person, state.replica, state.epoch);
        line.pop();
        let wait = self.hop();
        let (a, b) = (Place::Node(node), Place::Person(person));
        let at = self.network.arrival(a, b, epoch.0, self.now, self.now + wait);
        for byte in &line {
            self.trace_hash = (self.trace_hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.at(at, Happening::Said { person, replica, epoch, line });
    }

    pub(crate) fn deed(&mut self, person: usize, deed: Deed, to_account: Option<String>) {
        let id = self.people[person].begin(self.now, deed.clone());
        let op = self.people[person].op(&deed, to_account);
        self.say(|| format!("p{person}: {deed:?} {}", describe(&op)));
        self.client(person, ClientInput::Command { id, op });
    }

    /// What a person does next, as long as there is trouble.
    pub(super) fn next_deed(&mut self, person: usize) {
        let over = self.now > self.trouble_until;
        let every = if over { 1000 } else { self.plan.deed_every_ms };
        let wait = self.chance.ms(1..2 * every);
        self.after(wait, Happening::Deed { person });
        let busy = !self.people[person].waiting.is_empty();
        if self.people[person].stage == Stage::LoggedOut && !busy && !self.account_is_gone(person) {
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
                self.write(person);
            }
            _ => {}
        }
    }

    /// Writes to somebody: mostly an answer to what he wrote last.
    pub(super) fn write(&mut self, person: usize) {
        let known: Vec<usize> = (0..self.people.len()).filter(|&other| self.people[other].account.is_some()).collect();
        let last = self.people[person].shown.last().map(|shown| (shown.from, shown.number));
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

/// A request, without what is secret.
fn describe(op: &Op) -> String {
    match op {
        Op::Send { key, .. } => format!("{key}"),
        Op::Create { name, .. } => name.clone(),
        _ => op.name().to_owned(),
    }
}
