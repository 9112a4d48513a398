//! `list`: the names that match a pattern, a piece at a time.
//!
//! The core gathers names and never matches one itself (see [`crate::pattern`]). All lists share one worker of the driver,
//! which has one piece of work at a time: so nothing queues up there, and the lists take turns, one piece each. An
//! account has few of them under way, and each may take only so long in all.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use lastword_facts::ids::AccountId;
use lastword_marks::hit;

use crate::Core;
use crate::directory::fold;
use crate::io::{Answer, ConnectionId, JobId, Output, Refusal, Tag};
use crate::pattern::{BadPattern, Matched, Pattern};

/// Names in one piece of work, and places that are looked at for them.
const NAMES_A_PIECE: usize = 500;
/// Lists under way at a time: over all connections, and of one account.
const LISTS: usize = 256;
const LISTS_OF_ACCOUNT: usize = 4;
/// One `list` may take the worker so long in all; a pattern that needs more is refused.
const MATCHING: Duration = Duration::from_secs(1);

/// All lists under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    /// Those that wait for their turn.
    waiting: VecDeque<List>,
    /// The one that the driver is at, unless its connection has gone meanwhile.
    at_work: Option<(JobId, Option<List>)>,
    last_job: u64,
}

/// One of them.
#[derive(Debug, Clone)]
struct List {
    connection: ConnectionId,
    tag: Tag,
    account: AccountId,
    pattern: Pattern,
    limit: usize,
    /// Names that were gathered and not looked at yet.
    names: Vec<Arc<str>>,
    /// The folded name up to which names were gathered; `None` before the first.
    gathered: Option<Box<str>>,
    /// There are no more behind those.
    at_end: bool,
    found: Vec<Arc<str>>,
    took: Duration,
}

impl Lists {
    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.at_work.is_some())
    }

    fn all(&self) -> impl Iterator<Item = &List> {
        self.waiting.iter().chain(self.at_work.iter().filter_map(|(_, list)| list.as_ref()))
    }

    /// A connection has gone.
    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        self.waiting.retain(|list| list.connection != connection);
        if let Some((_, list)) = &mut self.at_work {
            list.take_if(|list| list.connection == connection);
        }
    }
}

impl Core {
    pub(crate) fn list(
        &mut self,
        id: ConnectionId,
        tag: Tag,
        pattern: Pattern,
        limit: u32,
        after: Option<String>,
    ) -> Result<(), Refusal> {
        let account = self.logged_in(id)?.account;
        let own = self.lists.all().filter(|list| list.account == account).count();
        if own >= LISTS_OF_ACCOUNT || self.lists.len() >= LISTS {
            return Err(Refusal::TooMany { retry_ms: 200 });
        }
        self.lists.waiting.push_back(List {
            connection: id,
            tag,
            account,
            pattern,
            limit: limit as usize,
            names: Vec::new(),
            // Names that differ in case, or in what a split added, stand at one place.
            gathered: after.map(|after| fold(base(&after))),
            at_end: false,
            found: Vec::new(),
            took: Duration::ZERO,
        });
        self.go_on_listing();
        Ok(())
    }

    /// Has the next `list` matched a piece further, if the worker is free.
    fn go_on_listing(&mut self) {
        if self.lists.at_work.is_some() {
            return;
        }
        let Some(mut list) = self.lists.waiting.pop_front() else { return };
        if list.names.is_empty() {
            self.gather(&mut list);
        }
        self.lists.last_job += 1;
        let job = JobId(self.lists.last_job);
        self.outputs.push_back(Output::Match(job, list.pattern.clone(), list.names.clone()));
        self.lists.at_work = Some((job, Some(list)));
    }

    /// The names that a `list` looks at next.
    fn gather(&self, list: &mut List) {
        list.at_end = true;
        let mut last = None;
        for (places, (folded, names)) in self.directory.names_after(list.gathered.as_deref()).enumerate() {
            // What stands at one place is looked at together. At some there is nobody any more.
            if places >= NAMES_A_PIECE || list.names.len() >= NAMES_A_PIECE {
                list.at_end = false;
                break;
            }
            list.names.extend(names);
            last = Some(folded);
        }
        if let Some(last) = last {
            list.gathered = Some(last.into());
        }
    }

    /// A piece of a `list` was matched.
    pub(crate) fn on_matched(&mut self, job: JobId, matched: Result<Matched, BadPattern>) {
        let Some((_, list)) = self.lists.at_work.take_if(|(at_work, _)| *at_work == job) else { return };
        if let Some(mut list) = list {
            match matched {
                Err(bad) => self.answer(list.connection, list.tag, Err(Refusal::BadPattern(bad))),
                Ok(matched) => {
                    list.names.drain(..matched.looked_at.min(list.names.len()));
                    list.found.extend(matched.names);
                    list.took += matched.took;
                    list.pattern = Pattern::Compiled(matched.pattern);
                    if list.names.is_empty() && (list.at_end || list.found.len() > list.limit) {
                        self.answer_list(list);
                    } else if list.took > MATCHING {
                        hit("a list took too long");
                        let text = "This pattern takes too long to match all names: use a simpler one.";
                        self.answer(list.connection, list.tag, Err(Refusal::BadRequest(text)));
                    } else {
                        self.lists.waiting.push_back(list);
                    }
                }
            }
        }
        self.go_on_listing();
    }

    fn answer_list(&mut self, list: List) {
        let List { connection, tag, limit, mut found, at_end, .. } = list;
        let mut count = found.len().min(limit);
        // A page ends where a place ends.
        while count > 0 && count < found.len() && base(&found[count]).eq_ignore_ascii_case(base(&found[count - 1])) {
            count += 1;
        }
        let more = found.len() > count;
        debug_assert!(more || at_end, "a page is full, or has all there is");
        found.truncate(count);
        let names = found.iter().map(ToString::to_string).collect();
        self.answer_read(connection, tag, Answer::Names { names, more });
    }
}

/// A name without what a split added to it.
fn base(name: &str) -> &str {
    name.split('~').next().unwrap_or(name)
}
