//! The views that a real store makes of facts, and what people are shown of them.

use lastword_core::io::ReplicaId;
use lastword_core::{Config, Core, Now, Output, Settings};
use lastword_facts::ids::{AccountId, Key, LogIndex};
use lastword_facts::views::{Found, Query, Snapshot};
use lastword_store::{DataDir, Log, Views};

use super::facts::{place, read_facts};
use super::within;
use crate::replica::OWN;

/// Accounts of which everything is looked up.
const PEOPLE: usize = 4;

/// Facts, one behind the other as they stand in a log, after a byte that says how many of them there are between two
/// questions. Views that were asked in between are like those that were not, and a core that starts from them is like
/// the one that has made them.
pub fn views(data: &[u8]) {
    let Some((&every, data)) = within(data).split_first() else { return };
    let facts = place(read_facts(data));
    let parent = tempfile::tempdir().expect("a directory for the data");
    let dir = DataDir::open(parent.path().join("data")).expect("a data directory");
    let mut log = Log::open(&dir).expect("a new log");
    log.append(&facts).expect("facts are appended");
    let mut views = Views::open(&dir, log.end(), 0).expect("new views");
    let mut core = core(Snapshot::default());
    for (n, fact) in facts.iter().enumerate() {
        core.replay(LogIndex(n as u64 + 1), fact);
        while let Some(output) = core.poll_output() {
            if let Output::Apply(applied) = output {
                views.apply(&applied).expect("they are the next ones");
            }
        }
        if every > 0 && n % usize::from(every) == 0 {
            views.commit().expect("written");
            look_up(&mut views, fact.author, fact.author, fact.key);
        }
    }
    let people: Vec<AccountId> = core.accounts().map(|(account, ..)| account).collect();
    for one in people.iter().take(PEOPLE) {
        for other in people.iter().take(PEOPLE) {
            look_up(&mut views, *one, *other, Key(1));
        }
    }
    let snapshot = views.snapshot(0, 1000).expect("they can be read");
    let again = self::core(snapshot);
    assert!(core.accounts().eq(again.accounts()), "the views have all accounts");
    views.close().expect("closed");
}

fn core(snapshot: Snapshot) -> Core {
    let config = Config { own: ReplicaId(0), replicas: 1, group: 1, incarnation: OWN, settings: Settings::default() };
    Core::new(config, snapshot, Now::default())
}

/// Asks everything that can be asked of two accounts.
fn look_up(views: &mut Views, one: AccountId, other: AccountId, key: Key) {
    let limit = 5;
    let mut ask = |query| views.query(&query).expect("they can be read");
    let Found::Count(waiting) = ask(Query::PendingCount(one)) else { panic!("not a count") };
    let inbox = ask(Query::Inbox { account: one, after: LogIndex::NONE, limit, bytes: u32::MAX });
    let Found::Messages { messages, .. } = inbox else { panic!("no messages") };
    assert_eq!(messages.len() as u64, waiting.min(u64::from(limit)), "as many wait as are counted");
    assert!(messages.iter().all(|message| message.to == one), "nothing to anybody else");
    ask(Query::Outbox { account: one, after: None, limit, bytes: u32::MAX });
    ask(Query::Outbox { account: one, after: Some(key), limit, bytes: u32::MAX });
    let Found::Messages { messages, .. } = ask(Query::History { one, other, before: None, limit, bytes: u32::MAX })
    else {
        panic!("no messages")
    };
    assert!(messages.is_sorted_by(|newer, older| newer.order >= older.order), "newest first");
    let Found::Messages { messages, .. } =
        ask(Query::Conversations { account: one, before: None, limit, bytes: u32::MAX })
    else {
        panic!("no messages")
    };
    assert!(messages.is_sorted_by(|newer, older| newer.order >= older.order), "newest first");
    for last in messages {
        let with = if last.author == one { last.to } else { last.author };
        let Found::Messages { messages, .. } =
            ask(Query::History { one, other: with, before: None, limit: 1, bytes: u32::MAX })
        else {
            panic!("no messages")
        };
        assert_eq!(messages, [last], "the newest of that history");
    }
    ask(Query::Known { author: one, key });
}
