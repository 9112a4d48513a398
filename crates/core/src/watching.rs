//! Who is told when somebody comes or goes: whoever has asked for his conversations, about the people in them.
//!
//! A change is told when it has lasted for a moment. Most who go are somewhere else at once (a page that is loaded again, a
//! client whose replica has died), and nobody can make all who know him be told of more than two changes a second.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use lastword_facts::ids::AccountId;

use crate::Core;
use crate::io::{ConnectionId, Event};
use crate::time::Mono;

/// A change is looked at so long after it was heard of.
const SETTLES: Duration = Duration::from_millis(500);

/// The people that one connection watches, at most: as many as there are conversations in the longest page.
pub(crate) const WATCHED: usize = 200;

/// What is watched, and of whom it is to be told. All of it is bounded by the connections, each with [`WATCHED`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Watching {
    /// Whom each connection watches, and whether it was told that they are online.
    told: BTreeMap<ConnectionId, BTreeMap<AccountId, bool>>,
    /// The same from the other side.
    watchers: BTreeMap<AccountId, BTreeSet<ConnectionId>>,
    /// Who may have come or gone, and when that is looked at: the next one first, each once.
    settling: VecDeque<(Mono, AccountId)>,
    is_settling: BTreeSet<AccountId>,
    /// Of whom watchers are being told, and up to which of them that was done.
    telling: Option<(AccountId, ConnectionId)>,
}

impl Watching {
    /// A connection watches these, too, from now on, as far as there is room for them. It is told at the same time whether
    /// they are online, also of those whom it watched before.
    ///
    /// (A page may be cut to the length of a line after that. Then it is told of the rest with the next page.)
    pub(crate) fn watch(&mut self, id: ConnectionId, people: impl Iterator<Item = (AccountId, bool)>) {
        for (account, online) in people {
            let told = self.told.entry(id).or_default();
            if told.len() < WATCHED || told.contains_key(&account) {
                told.insert(account, online);
                self.watchers.entry(account).or_default().insert(id);
            }
        }
    }

    /// A connection watches nobody any more.
    pub(crate) fn forget(&mut self, id: ConnectionId) {
        for account in self.told.remove(&id).into_iter().flatten().map(|(account, _)| account) {
            if let Some(watchers) = self.watchers.get_mut(&account) {
                watchers.remove(&id);
                if watchers.is_empty() {
                    self.watchers.remove(&account);
                }
            }
        }
    }

    /// Somebody may have come or gone.
    pub(crate) fn touch(&mut self, now: Mono, account: AccountId) {
        if self.watchers.contains_key(&account) && self.is_settling.insert(account) {
            self.settling.push_back((now + SETTLES, account));
        }
    }

    /// When somebody is to be looked at next. (A moment that has passed, while there are watchers left of whom was.)
    pub(crate) fn due(&self) -> Option<Mono> {
        if self.telling.is_some() {
            return Some(Mono::default());
        }
        self.settling.front().map(|&(due, _)| due)
    }

    /// Somebody who is to be looked at now, and the watcher up to which that was done already.
    fn settled(&mut self, now: Mono) -> Option<(AccountId, ConnectionId)> {
        if let Some(telling) = self.telling.take() {
            return Some(telling);
        }
        let (_, account) = self.settling.pop_front_if(|(due, _)| *due <= now)?;
        self.is_settling.remove(&account);
        Some((account, ConnectionId(0)))
    }

    /// Somebody is online, or not: which connections after this one have been told otherwise. Looks at so many of them, at
    /// most, which it takes off; with none left, it goes on from there.
    fn news(&mut self, account: AccountId, online: bool, after: ConnectionId, left: &mut usize) -> Vec<ConnectionId> {
        let mut news = Vec::new();
        let watchers = self.watchers.get(&account);
        let after = watchers.map(|watchers| watchers.range((Bound::Excluded(after), Bound::Unbounded)));
        for &id in after.into_iter().flatten() {
            let told = self.told.get_mut(&id).and_then(|told| told.get_mut(&account));
            if told.is_some_and(|told| std::mem::replace(told, online) != online) {
                news.push(id);
            }
            *left -= 1;
            if *left == 0 {
                self.telling = Some((account, id));
                break;
            }
        }
        news
    }
}

impl Core {
    /// Tells those who watch somebody that they have come, or gone: a step of it.
    pub(crate) fn tell_watchers(&mut self, now: Mono) {
        let mut left = self.config.settings.step;
        while left > 0
            && let Some((account, after)) = self.connections.watching.settled(now)
        {
            left -= 1;
            if left == 0 {
                self.connections.watching.telling = Some((account, after));
                break;
            }
            let person = self.person(account);
            let news = self.connections.watching.news(account, person.online, after, &mut left);
            let event = Arc::new(Event::Presence(person));
            for connection in news {
                self.tell(connection, event.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: AccountId = AccountId(1);
    const BOB: AccountId = AccountId(2);

    fn at(ms: u64) -> Mono {
        Mono(Duration::from_millis(ms))
    }

    /// All who are to be told, however many steps it takes.
    fn news(watching: &mut Watching, account: AccountId, online: bool) -> Vec<ConnectionId> {
        let (mut after, mut all) = (ConnectionId(0), Vec::new());
        loop {
            all.extend(watching.news(account, online, after, &mut 2));
            match watching.telling.take() {
                Some((_, last)) => after = last,
                None => return all,
            }
        }
    }

    #[test]
    fn nothing_is_left_of_who_watches_nobody_any_more() {
        let mut watching = Watching::default();
        let (one, other) = (ConnectionId(1), ConnectionId(2));
        watching.watch(one, [(ANN, true), (BOB, false)].into_iter());
        watching.watch(other, [(ANN, false)].into_iter());
        assert_eq!(news(&mut watching, ANN, true), [other], "the first was told so");
        assert_eq!(news(&mut watching, ANN, true), [], "each is told once");
        watching.forget(one);
        watching.watch(one, [(BOB, false)].into_iter());
        assert_eq!(news(&mut watching, ANN, false), [other], "asked again, it watches others");
        watching.forget(one);
        watching.forget(other);
        watching.touch(at(0), ANN);
        assert!(watching.told.is_empty() && watching.watchers.is_empty() && watching.due().is_none());
    }

    #[test]
    fn with_the_next_page_others_are_watched_too_and_what_was_told_counts_anew() {
        let mut watching = Watching::default();
        let one = ConnectionId(1);
        watching.watch(one, [(ANN, false)].into_iter());
        watching.watch(one, [(ANN, true), (BOB, false)].into_iter());
        assert_eq!(news(&mut watching, ANN, true), [], "it was told so with the second page");
        assert_eq!((news(&mut watching, ANN, false), news(&mut watching, BOB, true)), (vec![one], vec![one]));
        // Where there is no more room, those who are watched still count anew.
        watching.watch(one, (10..1000).map(|n| (AccountId(n), false)));
        watching.watch(one, [(ANN, true), (AccountId(999), true)].into_iter());
        assert_eq!(watching.told[&one].len(), WATCHED);
        assert_eq!((watching.told[&one].get(&ANN), watching.told[&one].get(&AccountId(999))), (Some(&true), None));
        watching.forget(one);
        assert!(watching.told.is_empty() && watching.watchers.is_empty());
    }

    #[test]
    fn a_connection_watches_so_many_and_a_change_settles_first() {
        let mut watching = Watching::default();
        watching.watch(ConnectionId(1), (0..1000).map(|n| (AccountId(n), false)));
        assert_eq!((watching.told[&ConnectionId(1)].len(), watching.watchers.len()), (WATCHED, WATCHED));
        watching.touch(at(0), ANN);
        watching.touch(at(300), ANN);
        watching.touch(at(300), BOB);
        assert_eq!(watching.settled(at(499)), None);
        assert_eq!(watching.settled(at(500)), Some((ANN, ConnectionId(0))));
        assert_eq!((watching.settled(at(500)), watching.due()), (None, Some(at(800))));
    }
}
