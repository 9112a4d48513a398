//! A person: creates an account, writes, answers, looks, reconnects, deletes the account, begins anew.
//!
//! One client at a time (a *life*: from start to kill); within it one or more *sessions* (from login to
//! logout). What is sent is told to the checker before, and what came of it after.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lastword_client::protocol::{Code, Uuid};
use lastword_client::{Client, Error, LogoutReason};
use tokio::sync::{Notify, Semaphore};

use crate::chance::Chance;
use crate::checker::{Account, Credentials, Id, Text};
use crate::reader::{self, Life};
use crate::shared::{Pace, Shared};

/// Between two deeds, in milliseconds on average.
const DEED_EVERY_MS: u64 = 200;
/// Messages of one person that may be unanswered.
const UNANSWERED: u32 = 16;
/// Whom a person writes to: those so many places further on, and back.
pub const CONTACTS: [usize; 3] = [1, 2, 7];

/// How a life of a client ends.
enum Ending {
    /// It is killed, and another one is started.
    Killed,
    /// The account is gone: the next client makes another one.
    Anew,
    /// The run is over.
    Over,
}

/// A person.
pub struct Person {
    number: usize,
    shared: Arc<Shared>,
    chance: Chance,
    generation: u32,
    name: String,
    account: Option<Account>,
    account_id: String,
    life: u32,
    session: u16,
}

impl Person {
    /// One without an account.
    pub fn new(number: usize, shared: Arc<Shared>, seed: u64) -> Self {
        let chance = Chance::new(seed, 5000 + number as u64);
        let (name, account_id) = (format!("p{number}g0"), String::new());
        Self { number, shared, chance, generation: 0, name, account: None, account_id, life: 0, session: 0 }
    }

    fn password(&self) -> String {
        format!("secret of {} {}", self.number, self.generation)
    }

    /// Lives until the run is over.
    pub async fn live(mut self) {
        while self.shared.pace() != Pace::End {
            match self.one_life().await {
                Ending::Over => return,
                Ending::Killed => self.shared.tally().count("clients killed"),
                Ending::Anew => {
                    self.account = None;
                    self.account_id.clear();
                }
            }
        }
    }

    async fn one_life(&mut self) -> Ending {
        self.life += 1;
        let mut order = [0, 1, 2];
        if self.chance.percent(30) {
            self.chance.shuffle(&mut order);
        }
        let addresses = order.map(|replica| self.shared.network.to(self.number, replica).address.to_string());
        let Ok((client, events)) = Client::connect(addresses) else { return Ending::Over };
        let life = Arc::new(Life {
            number: self.number as u16,
            life: self.life,
            account: Mutex::new(None),
            last_seen: Mutex::new(None),
            logged_out: Notify::new(),
        });
        let reading = tokio::spawn(reader::read(events, life.clone(), self.shared.clone(), self.chance.clone()));
        let mut pace = self.shared.pace.subscribe();
        let ending = tokio::select! {
            ending = self.chat(&client, &life) => ending,
            _ = pace.wait_for(|pace| *pace == Pace::End) => Ending::Over,
        };
        self.set_logged_in(false);
        client.close().await;
        drop(client);
        // What was taken out of the stream has been told to the checker by then.
        let _ = reading.await;
        ending
    }

    fn set_logged_in(&self, is_in: bool) {
        self.shared.logged_in[self.number].store(is_in, Ordering::Relaxed);
    }

    /// Logs in, and does what people do, until this client ends.
    async fn chat(&mut self, client: &Client, life: &Arc<Life>) -> Ending {
        let unanswered = Arc::new(Semaphore::new(UNANSWERED as usize));
        loop {
            self.session += 1;
            if let Err(ending) = self.log_in(client, life).await {
                return ending;
            }
            self.set_logged_in(true);
            let ending = self.session(client, life, &unanswered).await;
            self.set_logged_in(false);
            if let Some(ending) = ending {
                return ending;
            }
        }
    }

    /// One session. `None`: it was ended, and another one begins.
    async fn session(&mut self, client: &Client, life: &Arc<Life>, unanswered: &Arc<Semaphore>) -> Option<Ending> {
        loop {
            let wait = Duration::from_millis(self.chance.between(1, 2 * DEED_EVERY_MS));
            tokio::select! {
                () = life.logged_out.notified() => return None,
                () = tokio::time::sleep(wait) => {}
            }
            if self.shared.pace() != Pace::Write {
                continue;
            }
            match self.chance.below(1000) {
                0..=899 => self.write(client, life, unanswered).await,
                900..=929 => self.look_at_history(client).await,
                930..=949 => self.list(client).await,
                950..=969 => self.look_at_pending(client).await,
                970..=985 => {
                    let began = Instant::now();
                    let result = client.status().await;
                    self.shared.tally().add("status", began.elapsed(), &result);
                }
                986..=993 => {
                    if !self.shared.spare_clients.load(Ordering::Relaxed) {
                        return Some(Ending::Killed);
                    }
                }
                994..=997 => {
                    let began = Instant::now();
                    let result = client.logout().await;
                    self.shared.tally().add("logout", began.elapsed(), &result);
                    return if result.is_ok() { None } else { Some(Ending::Killed) };
                }
                _ => {
                    if !self.shared.spare_clients.load(Ordering::Relaxed) {
                        return Some(self.delete(client, unanswered).await);
                    }
                }
            }
        }
    }

    /// Creates the account, or logs in to it; again and again until that is done.
    async fn log_in(&mut self, client: &Client, life: &Arc<Life>) -> Result<(), Ending> {
        loop {
            let began = Instant::now();
            let done = if self.account.is_none() {
                let result = client.create(&self.name, &self.password()).await;
                self.shared.tally().add("create", began.elapsed(), &result);
                self.on_created(result.map(|created| (created.account, created.stored)))
            } else {
                let result = client.login(&self.name, &self.password()).await;
                self.shared.tally().add("login", began.elapsed(), &result);
                self.on_logged_in(result.map(|answer| answer.account))
            };
            if done {
                *life.account.lock().unwrap_or_else(PoisonError::into_inner) = self.account;
                let began = Instant::now();
                let result = client.listen().await;
                self.shared.tally().add("listen", began.elapsed(), &result);
                if result.is_ok() {
                    self.shared.set_name(self.number, &self.name);
                    return Ok(());
                }
                return Err(Ending::Killed);
            }
            tokio::time::sleep(Duration::from_millis(self.chance.between(100, 1000))).await;
        }
    }

    fn on_created(&mut self, result: Result<(String, u32), Error>) -> bool {
        match result {
            Ok((id, stored)) => {
                let credentials = self.credentials(id);
                self.account_id.clone_from(&credentials.id);
                self.account = Some(self.shared.checker().on_account(&credentials, stored));
                true
            }
            Err(error) => {
                // It may be there all the same: the next one has another name. (Taken it can be where the one before
                // had the same name, and a replica does not know yet that this one is gone.)
                if error.code() == Some(Code::NameTaken) {
                    self.shared.checker().on_refused_name(&self.name, &self.password());
                } else {
                    self.shared.checker().on_doubtful_name(&self.name);
                }
                self.generation += 1;
                self.name = format!("p{}g{}", self.number, self.generation);
                false
            }
        }
    }

    fn on_logged_in(&mut self, result: Result<String, Error>) -> bool {
        match result {
            Ok(id) if id == self.account_id => true,
            Ok(id) => {
                let (number, own) = (self.number, &self.account_id);
                self.shared.checker().violated(format!("p{number} logged in to {own}, and was given {id}"));
                false
            }
            Err(_) => false,
        }
    }

    fn credentials(&self, id: String) -> Credentials {
        Credentials { id, name: self.name.clone(), password: self.password(), owner: self.number as u16 }
    }

    /// Whom this person writes to.
    fn contact(&mut self) -> usize {
        let people = self.shared.network.people();
        let step = self.chance.pick(&CONTACTS).copied().unwrap_or(1);
        (self.number + if self.chance.percent(50) { step } else { people - step }) % people
    }

    /// Writes to somebody, mostly an answer to what was seen last; now and then several at once.
    async fn write(&mut self, client: &Client, life: &Arc<Life>, unanswered: &Arc<Semaphore>) {
        let count = if self.chance.percent(10) { 5 } else { 1 };
        for _ in 0..count {
            let last_seen = *life.last_seen.lock().unwrap_or_else(PoisonError::into_inner);
            let answers = last_seen.filter(|_| self.chance.percent(60));
            let to = match answers {
                // An answer goes to its author, or tells a third one of it.
                Some(seen) if self.chance.percent(70) => usize::from(seen.from),
                _ => self.contact(),
            };
            let name = self.shared.name(to);
            let (Some(account), Ok(permit)) = (self.account, unanswered.clone().try_acquire_owned()) else { return };
            if name.is_empty() || to == self.number {
                return;
            }
            let deed = if answers.is_some() { "answer" } else { "send" };
            let key = Uuid::now_v7();
            let author = (self.number as u16, account);
            let id = self.shared.checker().on_send(author, to as u16, key.as_u128(), self.session, answers);
            let text = Text { id, to: to as u16, answers }.to_string();
            let (began, shared) = (Instant::now(), self.shared.clone());
            let answering = client.start_send(key, &name, &text).await;
            tokio::spawn(async move {
                let result = match answering {
                    Ok(answering) => answering.await,
                    Err(error) => Err(error),
                };
                shared.tally().add(deed, began.elapsed(), &result);
                on_answered(&shared, id, result);
                drop(permit);
            });
        }
    }

    /// A page of a conversation: of those two, and nothing in it twice.
    async fn look_at_history(&mut self, client: &Client) {
        let (with, own) = (self.contact(), self.number);
        let began = Instant::now();
        let result = client.history(&self.shared.name(with), Some(100), None).await;
        self.shared.tally().add("history", began.elapsed(), &result);
        let texts: Vec<String> =
            result.into_iter().flat_map(|page| page.messages).map(|message| message.text).collect();
        let mut seen = std::collections::BTreeSet::new();
        for text in texts {
            let sides = text.parse::<Text>().ok().map(|text| (usize::from(text.id.from), usize::from(text.to)));
            if sides != Some((own, with)) && sides != Some((with, own)) {
                self.shared.checker().violated(format!("the history of p{own} and p{with} has {text}"));
            }
            if !seen.insert(text.clone()) {
                self.shared.checker().violated(format!("the history of p{own} and p{with} has {text} twice"));
            }
        }
    }

    async fn list(&mut self, client: &Client) {
        let began = Instant::now();
        let result = client.list("^p1", Some(50), None).await;
        self.shared.tally().add("list", began.elapsed(), &result);
    }

    /// What was not delivered yet: own messages only.
    async fn look_at_pending(&mut self, client: &Client) {
        let began = Instant::now();
        let result = client.pending(Some(100), None).await;
        self.shared.tally().add("pending", began.elapsed(), &result);
        for message in result.into_iter().flat_map(|page| page.messages) {
            let own = message.text.parse::<Text>().is_ok_and(|text| usize::from(text.id.from) == self.number);
            if !own {
                let (number, text) = (self.number, message.text);
                self.shared.checker().violated(format!("p{number} is told of {text} as sent and not delivered"));
            }
        }
    }

    /// Deletes the account; the next one has the same name, or another one.
    async fn delete(&mut self, client: &Client, unanswered: &Arc<Semaphore>) -> Ending {
        let _all = unanswered.acquire_many(UNANSWERED).await;
        let Some(account) = self.account else { return Ending::Anew };
        // From now on what is under way to it may be dropped.
        self.shared.checker().on_doubtful(account);
        let began = Instant::now();
        let result = client.delete().await;
        self.shared.tally().add("delete", began.elapsed(), &result);
        let mut same_name = false;
        if let Ok(stored) = result {
            self.shared.checker().on_deleted(account, stored.stored, stored.of);
            same_name = stored.of > 0 && self.chance.percent(50);
        }
        self.generation += 1;
        if !same_name {
            self.name = format!("p{}g{}", self.number, self.generation);
        }
        Ending::Anew
    }
}

fn on_answered(shared: &Shared, id: Id, result: Result<lastword_client::protocol::answer::Sent, Error>) {
    match result {
        Ok(sent) => shared.checker().on_acknowledged(id, sent.stored, sent.of, &sent.to_account),
        Err(_) => shared.checker().on_given_up(id),
    }
}

/// A session was ended by a replica.
pub fn on_logged_out(shared: &Shared, number: u16, reason: LogoutReason) {
    shared.tally().count(match reason {
        LogoutReason::Deleted => "logged out: deleted",
        LogoutReason::LoggedOut => "logged out: from elsewhere",
        _ => "logged out: refused",
    });
    if reason == LogoutReason::LoggedOut {
        shared.checker().violated(format!("p{number} was told that the session was ended from elsewhere"));
    }
}
