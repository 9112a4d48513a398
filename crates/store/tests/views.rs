//! The views: what is asked of them, and when they are made anew.

mod common;

use std::sync::Arc;

use common::{ALICE, BOB, CAROL, Draft, Feed, account, at, data, fill, key, messages};
use lastword_facts::Fact;
use lastword_facts::ids::{AccountId, Incarnation, Key, LogIndex, Order, Stamp};
use lastword_facts::token::TokenHash;
use lastword_facts::views::{
    Applied, BlockRecord, Change, ChangeRecord, EndedRecord, Found, MessageRecord, PasswordRecord, Query, RehashRecord,
    SessionRecord, Snapshot,
};
use lastword_store::{Log, StoreError, Views};

fn keys(messages: &[MessageRecord]) -> Vec<Key> {
    messages.iter().map(|message| message.key).collect()
}

/// Messages 1 to n from Alice to Bob, in this order.
fn talk(feed: &mut Feed, n: u64) -> Vec<Arc<Fact>> {
    let facts: Vec<_> = (1..=n).map(|n| Draft::new(n).fact(at(1, n))).collect();
    facts.iter().for_each(|fact| feed.message(fact));
    facts
}

fn count(feed: &mut Feed, account: AccountId) -> u64 {
    match feed.views.query(&Query::PendingCount(account)).unwrap() {
        Found::Count(count) => count,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_inbox_is_in_the_order_of_the_log() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    for (seq, stamp) in [(1, 30), (2, 10), (3, 20)] {
        feed.message(&Draft { stamp, ..Draft::new(seq) }.fact(at(1, seq)));
    }
    let mut page = |after| {
        let query = Query::Inbox { account: BOB, after: LogIndex(after), limit: 2, bytes: u32::MAX };
        let (found, more) = messages(feed.views.query(&query).unwrap());
        (found.iter().map(|message| message.index.0).collect::<Vec<_>>(), more)
    };
    assert_eq!(page(0), (vec![1, 2], true));
    assert_eq!(page(1), (vec![2, 3], false));
    assert_eq!(page(3), (vec![], false));
    assert_eq!(count(&mut feed, BOB), 3);
    assert_eq!(count(&mut feed, ALICE), 0);
}

#[test]
fn a_mailbox_tells_who_wrote_most_of_it() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    for seq in 1..=9 {
        let from = if seq % 3 == 0 { CAROL } else { ALICE };
        feed.message(&Draft { from, ..Draft::new(seq) }.fact(at(1, seq)));
    }
    let mut ask = |senders| feed.views.query(&Query::Mailbox { account: BOB, senders }).unwrap();
    assert_eq!(ask(9), Found::Mailbox { waiting: 9, by: vec![(ALICE, 6), (CAROL, 3)] });
    assert_eq!(ask(1), Found::Mailbox { waiting: 9, by: vec![(ALICE, 6)] });
}

#[test]
fn a_message_comes_back_as_it_was_written() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    let draft = Draft { text: "ünïcode \0 😀", ..Draft::new(1 << 62) };
    feed.message(&draft.fact(at(u64::MAX, 9)));
    let record = MessageRecord {
        index: LogIndex(1),
        position: at(u64::MAX, 9),
        order: Order { stamp: Stamp(1 << 62), incarnation: Incarnation(u64::MAX) },
        author: ALICE,
        key: draft.key,
        to: BOB,
        text: draft.text.into(),
        at_ms: 1000 + (1 << 62),
        unwanted: false,
    };
    assert_eq!(feed.inbox(BOB), std::slice::from_ref(&record));
    assert_eq!(feed.history(BOB, ALICE), std::slice::from_ref(&record));
    let known = feed.views.query(&Query::Known { author: ALICE, key: draft.key }).unwrap();
    assert_eq!(known, Found::Known(Some(record)));
    let unknown = feed.views.query(&Query::Known { author: BOB, key: draft.key }).unwrap();
    assert_eq!(unknown, Found::Known(None), "a key is its author's alone");
}

#[test]
fn the_outbox_is_in_the_order_of_display() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    for (seq, stamp) in [(1, 30), (2, 10), (3, 20)] {
        feed.message(&Draft { stamp, key: key(seq, 0), ..Draft::new(seq) }.fact(at(1, seq)));
    }
    let mut page = |after: Option<Key>| {
        let query = Query::Outbox { account: ALICE, after, limit: 2, bytes: u32::MAX };
        let (found, more) = messages(feed.views.query(&query).unwrap());
        (keys(&found), more)
    };
    assert_eq!(page(None), (vec![key(2, 0), key(3, 0)], true));
    assert_eq!(page(Some(key(3, 0))), (vec![key(1, 0)], false));
    assert_eq!(page(Some(key(99, 0))), (vec![key(2, 0), key(3, 0)], true), "not known here: from the start");
    // A page goes on also when the message that it goes on from was delivered meanwhile.
    feed.delivered(at(2, 1), BOB, &[at(1, 3)]);
    feed.message(&Draft { stamp: 40, key: key(4, 0), ..Draft::new(4) }.fact(at(1, 4)));
    let query = Query::Outbox { account: ALICE, after: Some(key(3, 0)), limit: 2, bytes: u32::MAX };
    assert_eq!(keys(&messages(feed.views.query(&query).unwrap()).0), [key(4, 0)]);
}

#[test]
fn the_outbox_goes_on_between_equal_stamps() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    for (n, incarnation) in [(1, u64::MAX), (2, 5), (3, 1 << 63)] {
        feed.message(&Draft { stamp: 7, ..Draft::new(n) }.fact(at(incarnation, 1)));
    }
    let after = |n: u64| Some(key(n, n.into()));
    for (after, right) in [(None, vec![2, 3, 1]), (after(2), vec![3, 1]), (after(3), vec![1]), (after(1), vec![])] {
        let query = Query::Outbox { account: ALICE, after, limit: 9, bytes: u32::MAX };
        let found = keys(&messages(feed.views.query(&query).unwrap()).0);
        assert_eq!(found, right.iter().map(|&n| key(n, n.into())).collect::<Vec<_>>());
    }
}

#[test]
fn the_history_is_newest_first_and_the_same_for_both() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    // Stamps alike: the incarnation decides, as a number without a sign.
    let incarnations = [1, u64::MAX, 1 << 63, 5];
    for (n, incarnation) in (1..).zip(incarnations) {
        let (from, to) = if n % 2 == 0 { (ALICE, BOB) } else { (BOB, ALICE) };
        feed.message(&Draft { from, to, stamp: 7, ..Draft::new(n) }.fact(at(incarnation, 1)));
    }
    feed.message(&Draft { from: CAROL, ..Draft::new(9) }.fact(at(1, 2)));
    feed.message(&Draft { from: ALICE, to: ALICE, ..Draft::new(10) }.fact(at(1, 3)));
    let order: Vec<u64> = feed.history(ALICE, BOB).iter().map(|message| message.order.incarnation.0).collect();
    assert_eq!(order, [u64::MAX, 1 << 63, 5, 1]);
    assert_eq!(feed.history(ALICE, BOB), feed.history(BOB, ALICE));
    assert_eq!(feed.history(CAROL, BOB).len(), 1);
    assert_eq!(feed.history(ALICE, ALICE).len(), 1);
    assert!(feed.history(ALICE, CAROL).is_empty());

    let all = feed.history(ALICE, BOB);
    let mut page = |before: usize, limit| {
        let query = Query::History { one: ALICE, other: BOB, before: Some(all[before].order), limit, bytes: u32::MAX };
        messages(feed.views.query(&query).unwrap())
    };
    assert_eq!(page(0, 2), (all[1..3].to_vec(), true));
    assert_eq!(page(1, 2), (all[2..].to_vec(), false));
    assert_eq!(page(3, 2), (vec![], false));
}

#[test]
fn what_was_delivered_does_not_wait() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    talk(&mut feed, 5);
    feed.message(&Draft::new(6).fact(at(2, 1)));
    feed.delivered(at(3, 1), BOB, &[at(1, 3)]);
    assert_eq!(keys(&feed.inbox(BOB)), [4, 5, 6].map(|n| key(n, n.into())));
    feed.delivered(at(3, 2), BOB, &[at(1, 2), at(2, 9)]);
    assert_eq!(keys(&feed.inbox(BOB)), [4, 5].map(|n| key(n, n.into())), "merged by maximum");
    feed.delivered(at(3, 3), CAROL, &[at(1, 5)]);
    assert_eq!(feed.inbox(BOB).len(), 2, "another's confirm");
    // What comes in late was delivered before.
    feed.message(&Draft::new(7).fact(at(2, 8)));
    assert_eq!(feed.inbox(BOB).len(), 2);
    assert_eq!(feed.history(ALICE, BOB).len(), 7);
}

#[test]
fn a_message_at_two_positions_is_one_with_the_smallest_order() {
    for smaller_first in [false, true] {
        let (_parent, dir) = data();
        let mut feed = Feed::new(&dir);
        let (early, late) = (Draft { text: "early", ..Draft::new(5) }, Draft { text: "late", ..Draft::new(50) });
        let late = Draft { key: early.key, ..late };
        let both = [late.fact(at(1, 1)), early.fact(at(2, 1))];
        let first = usize::from(smaller_first);
        feed.message(&both[first]);
        feed.message(&both[1 - first]);
        // A third time at a position that it had already: no news.
        feed.message(&both[first]);
        let found = feed.history(ALICE, BOB);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].order, &*found[0].text), (both[1].order(), "early"));
        assert_eq!((found[0].index, found[0].position), (LogIndex(1), both[first].position));
        assert_eq!(feed.inbox(BOB), found);
        assert_eq!(count(&mut feed, BOB), 1);
        // In the outbox it stands where the smallest order puts it.
        feed.message(&Draft { from: ALICE, ..Draft::new(20) }.fact(at(1, 2)));
        let outbox =
            feed.views.query(&Query::Outbox { account: ALICE, after: None, limit: 9, bytes: u32::MAX }).unwrap();
        assert_eq!(keys(&messages(outbox).0), [early.key, key(20, 20)]);
    }
}

#[test]
fn a_message_is_delivered_when_any_of_its_positions_is() {
    for upto in [at(1, 1), at(2, 1), at(3, 1)] {
        for confirm_after in 0..=3 {
            let (_parent, dir) = data();
            let mut feed = Feed::new(&dir);
            for n in 0..3 {
                if confirm_after == n {
                    feed.delivered(at(9, 1), BOB, &[upto]);
                }
                feed.message(&Draft { stamp: 9 - n, ..Draft::new(1) }.fact(at(1 + n, 1)));
            }
            if confirm_after == 3 {
                feed.delivered(at(9, 1), BOB, &[upto]);
            }
            assert!(feed.inbox(BOB).is_empty(), "{upto:?} confirmed after {confirm_after}");
            assert_eq!(feed.history(ALICE, BOB).len(), 1);
        }
    }
}

/// A key that was used again for a message to somebody else, or a name that was resolved differently at
/// two replicas: the receiver is that of the smallest order, everywhere.
#[test]
fn the_smallest_order_says_to_whom() {
    for smaller_first in [false, true] {
        let (_parent, dir) = data();
        let mut feed = Feed::new(&dir);
        let early = Draft { to: CAROL, ..Draft::new(5) };
        let late = Draft { to: BOB, stamp: 50, ..early };
        let both = [late.fact(at(1, 1)), early.fact(at(2, 1))];
        let first = usize::from(smaller_first);
        feed.message(&both[first]);
        feed.message(&both[1 - first]);
        assert_eq!((feed.inbox(BOB).len(), feed.inbox(CAROL).len()), (0, 1));
        assert_eq!((feed.history(ALICE, BOB).len(), feed.history(ALICE, CAROL).len()), (0, 1));
        feed.delivered(at(3, 1), CAROL, &[both[1 - first].position]);
        assert!(feed.inbox(CAROL).is_empty());
    }
}

#[test]
fn conversations_show_the_newest_message_of_each() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    let of = |n, from, to| Draft { from, to, ..Draft::new(n) }.fact(at(1, n));
    for (n, (from, to)) in (1..).zip([(ALICE, BOB), (CAROL, ALICE), (BOB, ALICE), (ALICE, ALICE), (CAROL, BOB)]) {
        feed.message(&of(n, from, to));
    }
    let mut shown = |account, limit| {
        let (found, more) = feed.conversations(account, limit);
        (keys(&found), more)
    };
    let n = |n: u64| key(n, n.into());
    assert_eq!(shown(ALICE, 9), (vec![n(4), n(3), n(2)], false), "with herself, too");
    assert_eq!(shown(ALICE, 2), (vec![n(4), n(3)], true));
    assert_eq!(shown(BOB, 9), (vec![n(5), n(3)], false));
    // Late, but not new.
    feed.message(&Draft { from: BOB, stamp: 0, ..of_bob_to_alice() }.fact(at(2, 1)));
    assert_eq!(keys(&feed.conversations(ALICE, 9).0), [n(4), n(3), n(2)]);
    feed.apply(at(2, 2), 9, Change::Deleted(account(BOB, true)));
    assert_eq!(keys(&feed.conversations(ALICE, 9).0), [n(4), n(2)]);
}

fn of_bob_to_alice() -> Draft {
    Draft { to: ALICE, ..Draft::new(7) }
}

/// A message that is for somebody else, as it turns out, leaves no conversation behind; the next message makes it again.
#[test]
fn a_conversation_without_messages_is_none() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    let late = Draft { to: BOB, stamp: 50, ..Draft::new(5) };
    feed.message(&late.fact(at(1, 1)));
    assert_eq!(feed.conversations(BOB, 9).0.len(), 1);
    feed.message(&Draft { to: CAROL, stamp: 5, ..late }.fact(at(2, 1)));
    assert_eq!((feed.conversations(BOB, 9).0.len(), feed.conversations(CAROL, 9).0.len()), (0, 1));
    assert_eq!(feed.conversations(ALICE, 9).0.len(), 1);
    feed.message(&Draft::new(60).fact(at(1, 2)));
    assert_eq!((feed.conversations(BOB, 9).0.len(), feed.conversations(ALICE, 9).0.len()), (1, 2));
}

/// The same with a start in between, after which nobody knows that there were messages before.
#[test]
fn a_conversation_that_begins_again_is_one() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    let late = Draft { to: BOB, stamp: 50, ..Draft::new(5) };
    feed.message(&late.fact(at(1, 1)));
    feed.message(&Draft { to: CAROL, stamp: 5, ..late }.fact(at(2, 1)));
    feed.views.commit().unwrap();
    drop(feed);
    let mut feed = Feed::open(&dir, LogIndex(2));
    feed.message(&Draft::new(60).fact(at(1, 2)));
    feed.views.commit().unwrap();
    let file = rusqlite::Connection::open(dir.path().join("views.db")).unwrap();
    let bytes: i64 = file.query_row("SELECT sum(length(entries)) FROM recent", [], |row| row.get(0)).unwrap();
    assert_eq!(bytes, 4 * 56, "each conversation once for each of its people");
    assert_eq!((feed.conversations(BOB, 9).0.len(), feed.conversations(ALICE, 9).0.len()), (1, 2));
}

/// Each comes once, by pages too, and whoever writes again comes first, however old the conversation is.
#[test]
fn all_conversations_stand_by_their_last_messages() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    for n in 1..=1100 {
        feed.message(&Draft { to: AccountId(n), ..Draft::new(n as u64) }.fact(at(1, n as u64)));
        if n % 300 == 0 {
            feed.views.commit().unwrap();
        }
    }
    feed.message(&Draft { from: AccountId(1), to: ALICE, ..Draft::new(1101) }.fact(at(1, 1101)));
    let (found, more) = feed.conversations(ALICE, 200);
    assert_eq!(
        (found.len(), found[0].author, found[1].to, found[199].to, more),
        (200, AccountId(1), AccountId(1100), AccountId(902), true)
    );
    let (found, more) = feed.conversations(ALICE, 5000);
    assert_eq!((found.len(), found[1099].to, more), (1100, AccountId(2), false));
    let mut paged = Vec::new();
    let mut more = true;
    while more {
        let before = paged.last().map(|last: &MessageRecord| last.order);
        let (page, goes_on) = feed.conversations_before(ALICE, before, 150);
        assert!(!page.is_empty() && paged.len() < 1100, "there was said to be more");
        (more, paged) = (goes_on, [paged, page].concat());
    }
    assert_eq!(paged, found);
}

/// Thousands who write once and delete themselves push nobody out of a list, and cost nothing when it is read.
/// Whoever deletes an account with very many messages under way keeps nobody waiting: most go later, and nobody sees
/// them meanwhile.
#[test]
fn what_a_deleted_account_has_under_way_goes_in_steps() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    feed.message(&Draft { from: CAROL, ..Draft::new(1) }.fact(at(2, 1)));
    for n in 2..=4001 {
        feed.message(&Draft::new(n).fact(at(1, n)));
    }
    feed.message(&Draft { from: CAROL, to: ALICE, ..Draft::new(4002) }.fact(at(2, 2)));
    let count = Query::PendingCount(BOB);
    assert_eq!(feed.views.query(&count).unwrap(), Found::Count(4001));
    feed.apply(at(1, 5000), 1, Change::Deleted(account(ALICE, true)));
    assert_eq!(feed.views.query(&count).unwrap(), Found::Count(1), "only carol's");
    assert_eq!(feed.inbox(BOB).len(), 1);
    assert!(feed.views.has_to_drop() && feed.views.pending() > 3000, "{}", feed.views.pending());
    feed.views.commit().unwrap();
    drop(feed);
    // It goes on after a start.
    let mut views = Views::open(&dir, LogIndex(u64::MAX), 0).unwrap();
    let mut steps = 0;
    while views.has_to_drop() {
        views.drop_some().unwrap();
        steps += 1;
    }
    assert!((10..20).contains(&steps), "{steps} steps");
    assert_eq!((views.pending(), views.query(&count).unwrap()), (1, Found::Count(1)));
    drop(views);
    let views = Views::open(&dir, LogIndex(u64::MAX), 0).unwrap();
    assert!(views.made_anew().is_none() && !views.has_to_drop() && views.pending() == 1);
}

#[test]
fn deleted_accounts_take_no_place_in_a_list() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    feed.message(&Draft { from: CAROL, to: ALICE, ..Draft::new(1) }.fact(at(1, 1)));
    let mut seq = 1;
    let mut next = || {
        seq += 1;
        seq
    };
    for n in 1..=1500 {
        let (guest, seq) = (AccountId(n), next());
        feed.message(&Draft { from: guest, to: ALICE, ..Draft::new(seq) }.fact(at(1, seq)));
        if n % 2 == 0 {
            feed.conversations(ALICE, 1);
        }
        let deleted = at(1, next());
        feed.apply(deleted, 1, Change::Deleted(account(guest, true)));
    }
    let before = feed.views.bytes_read();
    let (found, more) = feed.conversations(ALICE, 9);
    assert_eq!((keys(&found), more), (vec![key(1, 1)], false));
    assert!(feed.views.bytes_read() - before < 500, "read {}", feed.views.bytes_read() - before);
    assert_eq!(feed.history(ALICE, AccountId(7)).len(), 1, "what they wrote stays");
    // What comes beside the deletion brings nobody back.
    let seq = next();
    feed.message(&Draft { from: AccountId(7), to: ALICE, ..Draft::new(seq) }.fact(at(1, seq)));
    assert_eq!(keys(&feed.conversations(ALICE, 9).0), [key(1, 1)]);
    feed.views.commit().unwrap();
    let file = rusqlite::Connection::open(dir.path().join("views.db")).unwrap();
    let bytes: i64 = file.query_row("SELECT sum(length(entries)) FROM recent", [], |row| row.get(0)).unwrap();
    assert_eq!(bytes, 2 * 56, "the lists of Alice and Carol");
}

/// Of a page of long messages only as many are read as fit into the answer.
#[test]
fn what_does_not_fit_into_an_answer_is_not_read() {
    const LONG: &str = include_str!("views.rs");
    let text = &LONG[..16_000];
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    for n in 1..=200 {
        feed.message(&Draft { text, to: AccountId(u128::from(n) % 20 + 1), ..Draft::new(n) }.fact(at(1, n)));
    }
    for n in 201..=300 {
        feed.message(&Draft { text, ..Draft::new(n) }.fact(at(1, n)));
    }
    let (limit, bytes) = (500, 64 * 1024);
    let questions = [
        Query::History { one: ALICE, other: BOB, before: None, limit, bytes },
        Query::Conversations { account: ALICE, before: None, limit, bytes },
        Query::Inbox { account: BOB, after: LogIndex::NONE, limit, bytes },
        Query::Outbox { account: ALICE, after: None, limit, bytes },
        Query::Outbox { account: ALICE, after: Some(key(9, 9)), limit, bytes },
    ];
    for query in questions {
        let before = feed.views.bytes_read();
        let (found, more) = messages(feed.views.query(&query).unwrap());
        let read = feed.views.bytes_read() - before;
        assert!(found.len() == 4 && more && read < 100_000, "{query:?}: {} of {read} bytes", found.len());
    }
    // One is always told, however long it is.
    let query = Query::History { one: ALICE, other: BOB, before: None, limit, bytes: 1 };
    assert_eq!(messages(feed.views.query(&query).unwrap()).0.len(), 1);
}

/// Who has written with whom is known in memory only as far as it is in the file.
#[test]
fn partners_of_a_transaction_that_came_to_nothing_are_written_again() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    feed.views.commit().unwrap();
    for n in 1..=2000 {
        feed.message(&Draft::new(n).fact(at(1, n)));
    }
    // The disk is full at another step of it each time.
    let mut failed = 0;
    for pages in 1.. {
        feed.views.limit_pages(pages).unwrap();
        feed.views.commit().unwrap();
        if !feed.views.is_full() {
            break;
        }
        failed += 1;
        assert!(failed < 1000 && feed.conversations(ALICE, 9).0.is_empty());
    }
    assert!(failed > 0);
    assert_eq!(keys(&feed.conversations(ALICE, 9).0), [key(2000, 2000)]);
    feed.views.close().unwrap();
    let mut again = Views::open(&dir, LogIndex(2000), 0).unwrap();
    let (found, _) =
        messages(again.query(&Query::Conversations { account: BOB, before: None, limit: 9, bytes: u32::MAX }).unwrap());
    assert_eq!(keys(&found), [key(2000, 2000)]);
}

#[test]
fn deleting_drops_what_waits_and_keeps_the_history() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    talk(&mut feed, 2);
    feed.message(&Draft { from: BOB, to: ALICE, ..Draft::new(3) }.fact(at(1, 3)));
    feed.message(&Draft { from: CAROL, to: ALICE, ..Draft::new(4) }.fact(at(1, 4)));
    feed.apply(at(2, 1), 9, Change::Deleted(account(BOB, true)));
    assert!(feed.inbox(BOB).is_empty());
    assert_eq!(keys(&feed.inbox(ALICE)), [key(4, 4)]);
    assert_eq!(feed.history(ALICE, BOB).len(), 3);
    // The core sends no more of these; if it did, nothing would wait.
    feed.message(&Draft::new(5).fact(at(1, 5)));
    feed.message(&Draft { from: BOB, to: ALICE, ..Draft::new(6) }.fact(at(1, 6)));
    assert_eq!((feed.inbox(BOB).len(), feed.inbox(ALICE).len()), (0, 1));
}

/// Nobody asks for them any more: they take no place for ever, and don't come back at a start.
#[test]
fn blocks_go_with_the_account_whose_they_are() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    let order = Order { stamp: Stamp(3), incarnation: Incarnation(1) };
    let block =
        |account, whom, seq| BlockRecord { account, whom, on: true, order, key: key(1, 1), position: at(1, seq) };
    let of_bob = block(BOB, ALICE, 3);
    for record in [block(ALICE, BOB, 1), block(ALICE, CAROL, 2), of_bob] {
        feed.apply(record.position, 3, Change::Block(record));
    }
    feed.views.commit().unwrap();
    assert_eq!(feed.views.snapshot(0, 0).unwrap().blocks.len(), 3);
    // Also what comes with the deletion, written together.
    feed.apply(at(1, 4), 4, Change::Block(block(ALICE, ALICE, 4)));
    feed.apply(at(1, 5), 5, Change::Deleted(account(ALICE, true)));
    assert_eq!(feed.views.snapshot(0, 0).unwrap().blocks, [of_bob]);
}

#[test]
fn a_gap_is_refused() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    talk(&mut feed, 2);
    for index in [2, 4] {
        let applied = Applied { index: LogIndex(index), position: at(1, 9), stamp: Stamp(9), change: Change::None };
        let error = feed.views.apply(&[applied]).unwrap_err();
        assert!(matches!(error, StoreError::Gap { stand: 2, given } if given == index), "{error}");
    }
    assert_eq!(feed.inbox(BOB).len(), 2);
}

#[test]
fn a_snapshot_is_what_was_applied() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    let mut alice = account(ALICE, false);
    let order = Order { stamp: Stamp(3), incarnation: Incarnation(1) };
    let token = TokenHash([7; 32]);
    alice.sessions.push(SessionRecord { order, token, password: None, last_used_ms: Some(1), used: order });
    alice.ended.push(EndedRecord { order, token });
    let (hash, position) = ("$argon2id$new".into(), at(1, 1));
    let set = PasswordRecord { order, key: key(1, 1), hash, keep: Some(token), position, known: Some(0) };
    alice.changes.push(ChangeRecord { set, replaces: Some(order) });
    alice.rehashes.push(RehashRecord { of: order, order, hash: "$argon2id$anew".into() });
    feed.apply(at(1, 1), 7, Change::Account(alice.clone()));
    feed.apply(at(2, 1), 90, Change::Account(account(BOB, false)));
    feed.message(&Draft::new(5).fact(at(1, 2)));
    feed.apply(at(2, 2), 8, Change::None);
    feed.apply(at(2, 3), 9, Change::Deleted(account(BOB, true)));
    let before = feed.views.snapshot(0, 100).unwrap();
    assert_eq!((before.index, before.stamp), (LogIndex(5), Stamp(90)));
    assert_eq!(before.vector, [at(1, 2), at(2, 3)].into_iter().collect());
    assert_eq!(keys(&before.recent), [key(5, 5)]);
    assert!(before.accounts.len() == 2 && before.accounts.contains(&alice));
    feed.views.commit().unwrap();
    drop(feed);
    let mut views = Views::open(&dir, LogIndex(5), 0).unwrap();
    assert_eq!(views.made_anew(), None);
    assert_eq!(views.snapshot(0, 100).unwrap(), before);
    views.close().unwrap();
    assert_eq!(Views::open(&dir, LogIndex(5), 0).unwrap().snapshot(0, 100).unwrap(), before);
}

#[test]
fn what_was_not_committed_is_applied_again() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    talk(&mut feed, 3);
    feed.views.commit().unwrap();
    feed.message(&Draft::new(4).fact(at(1, 4)));
    assert_eq!(feed.inbox(BOB).len(), 4, "a question sees it before the commit");
    drop(feed);
    let mut feed = Feed::open(&dir, LogIndex(4));
    assert_eq!(feed.views.snapshot(0, 9).unwrap().index, LogIndex(3));
    feed.message(&Draft::new(4).fact(at(1, 4)));
    assert_eq!(feed.inbox(BOB).len(), 4);
}

/// What waits is counted as it changes, and not looked through: also over a start, a transaction that came to nothing,
/// and a time with a program that did not count.
#[test]
fn what_waits_in_all_is_known() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    talk(&mut feed, 3);
    feed.message(&Draft { to: CAROL, ..Draft::new(4) }.fact(at(1, 4)));
    feed.views.commit().unwrap();
    assert_eq!(feed.views.pending(), 4);
    feed.delivered(at(3, 1), BOB, &[at(1, 2)]);
    assert_eq!(count(&mut feed, BOB), 1);
    assert_eq!(feed.views.pending(), 2, "counted when it is asked for");
    drop(feed);
    let mut feed = Feed::open(&dir, LogIndex(9));
    assert_eq!(feed.views.pending(), 4, "that was not committed");
    feed.delivered(at(3, 1), BOB, &[at(1, 2)]);
    feed.views.commit().unwrap();
    feed.views.limit_pages(1).unwrap();
    feed.delivered(at(3, 2), BOB, &[at(1, 3)]);
    count(&mut feed, BOB);
    assert_eq!(feed.views.pending(), 1);
    for n in 5..2000 {
        feed.message(&Draft::new(n).fact(at(1, n)));
    }
    feed.views.commit().unwrap();
    assert_eq!(feed.views.pending(), 2, "the disk is full, and the transaction came to nothing");
    drop(feed);

    let sql = |sql: &str| {
        let file = rusqlite::Connection::open(dir.path().join("views.db")).unwrap();
        assert_eq!(file.execute(sql, []).unwrap(), 1);
    };
    sql("UPDATE state SET value = 77 WHERE name = 'pending'");
    assert_eq!(Views::open(&dir, LogIndex(9), 0).unwrap().pending(), 77, "it is not counted at each start");
    sql("UPDATE state SET value = 4 WHERE name = 'pending_place'");
    assert_eq!(Views::open(&dir, LogIndex(9), 0).unwrap().pending(), 2);
}

#[test]
fn recent_keys_are_those_of_version_7_from_a_time_on() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    // Of two authors with the same keys; and others that sort before, among and after them.
    let drawn = [key(100, 0), key(200, 1), key(200, 2), key(300, 0), Key(5), Key(u128::MAX), Key(200 << 80 | 4 << 76)];
    for (n, &key) in (1..).zip(&drawn) {
        feed.message(&Draft { key, ..Draft::new(n) }.fact(at(1, n)));
        feed.message(&Draft { from: CAROL, key, ..Draft::new(n) }.fact(at(2, n)));
    }
    let mut recent = |from_ms, limit| {
        let Snapshot { mut recent, keys_from, .. } = feed.views.snapshot(from_ms, limit).unwrap();
        recent.sort_by_key(|message| message.key);
        (keys(&recent), keys_from.unwrap())
    };
    let twice = |keys: &[Key]| keys.iter().flat_map(|&key| [key, key]).collect::<Vec<_>>();
    let (found, from) = recent(200, 100);
    assert_eq!(found, twice(&drawn[1..4]));
    assert!(from <= key(200, 0) && from > key(199, u128::from(u64::MAX) >> 2));
    assert_eq!(recent(0, 100).0, twice(&drawn[..4]));
    assert!(recent(301, 100).0.is_empty());
    // Cut short, it is complete from where it says.
    for limit in 0..=8 {
        let (found, from) = recent(0, limit);
        let right: Vec<Key> = twice(&drawn[..4]).into_iter().filter(|&key| key >= from).collect();
        assert_eq!(found, right, "limit {limit}, from {from:?}");
        assert!(found.len() <= limit as usize && found.len() + 1 >= limit as usize);
    }
}

/// A start must not spend its room for recent keys on those of the far future, or all others would ask the views.
#[test]
fn keys_that_run_ahead_take_no_place_among_the_recent_ones() {
    const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    let honest: Vec<Key> = (1..=5).map(|n| key(n, u128::from(n))).collect();
    for (n, &key) in (1..).zip(&honest) {
        feed.message(&Draft { from: CAROL, key, ..Draft::new(n) }.fact(at(1, n)));
    }
    for n in 6..=105 {
        feed.message(&Draft { key: key(YEAR_MS + n, u128::from(n)), ..Draft::new(n) }.fact(at(1, n)));
    }
    feed.views.commit().unwrap();
    drop(feed);
    let mut views = Views::open(&dir, LogIndex(105), 0).unwrap();
    let snapshot = views.snapshot(0, 50).unwrap();
    assert_eq!(keys(&snapshot.recent), honest);
    assert_eq!(snapshot.ahead, [(ALICE, YEAR_MS + 105)]);
    // They are found all the same.
    let known = views.query(&Query::Known { author: ALICE, key: key(YEAR_MS + 7, 7) }).unwrap();
    assert!(matches!(known, Found::Known(Some(_))), "{known:?}");
}

#[test]
fn views_that_cannot_be_used_are_made_anew() {
    let (_parent, dir) = data();
    let _log = Log::open(&dir).unwrap();
    let file = dir.path().join("views.db");
    let refill = || {
        let mut feed = Feed::open(&dir, LogIndex(9));
        if feed.inbox(BOB).is_empty() {
            talk(&mut feed, 3);
        }
        feed.views.commit().unwrap();
        feed.views.close().unwrap();
    };
    let made_anew = |log_end| {
        let mut views = Views::open(&dir, LogIndex(log_end), 0).unwrap();
        let why = views.made_anew();
        assert_eq!(why.is_some(), views.snapshot(0, 9).unwrap() == Snapshot::default(), "{why:?}");
        why.unwrap_or("kept").to_owned()
    };
    assert!(made_anew(9).contains("missing"));
    refill();
    assert_eq!(made_anew(3), "kept");
    refill();
    std::fs::remove_file(&file).unwrap();
    assert!(made_anew(9).contains("missing"));
    refill();
    assert!(made_anew(2).contains("more than the log"));
    refill();
    std::fs::write(&file, "garbage".repeat(3000)).unwrap();
    assert!(made_anew(9).contains("read"));
    refill();
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute("DROP TABLE vector", []).unwrap();
    drop(connection);
    assert!(made_anew(9).contains("read"));
    refill();
    assert_eq!(made_anew(9), "kept");
}

/// From the log to the views and back: what a start does.
#[test]
fn the_views_follow_the_log() {
    let (_parent, dir) = data();
    let mut log = Log::open(&dir).unwrap();
    fill(&mut log, 1..=50);
    let reader = lastword_store::LogReader::open(&dir).unwrap();
    let mut feed = Feed::open(&dir, log.end());
    reader.tail(LogIndex::NONE, u64::MAX, |_, fact| feed.message(&fact.unwrap())).unwrap();
    feed.views.commit().unwrap();
    drop(feed);
    let mut views = Views::open(&dir, log.end(), 0).unwrap();
    let snapshot = views.snapshot(0, 100).unwrap();
    assert_eq!((snapshot.index, snapshot.recent.len()), (log.end(), 50));
}

/// Nothing is lost when the disk is full, and what is asked is answered: at first from what was
/// committed.
#[test]
fn a_full_disk_is_waited_out() {
    let (_parent, dir) = data();
    let mut feed = Feed::new(&dir);
    talk(&mut feed, 3);
    feed.views.commit().unwrap();
    feed.views.limit_pages(1).unwrap();
    for n in 4..=2000 {
        feed.message(&Draft::new(n).fact(at(1, n)));
    }
    assert_eq!(feed.inbox(BOB).len(), 3);
    feed.views.commit().unwrap();
    assert_eq!(feed.inbox(BOB).len(), 3);
    feed.views.limit_pages(1 << 20).unwrap();
    feed.message(&Draft::new(2001).fact(at(1, 2001)));
    feed.views.commit().unwrap();
    assert_eq!(feed.inbox(BOB).len(), 2001);
    drop(feed);
    let mut feed = Feed::open(&dir, LogIndex(2001));
    assert_eq!(feed.views.stand(), LogIndex(2001));
    assert_eq!(feed.inbox(BOB).len(), 2001);
}

/// Writing is not synced. So what was open when the machine went down is not trusted, and that must be
/// in the file before anything else is written.
#[test]
fn views_of_another_boot_are_trusted_only_if_they_were_closed() {
    let (_parent, dir) = data();
    let file = dir.path().join("views.db");
    let boot = |path: &std::path::Path| -> String {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.query_row("SELECT value FROM state WHERE name = 'boot'", [], |row| row.get(0)).unwrap()
    };
    let reopened = |boot: &str| {
        let mut feed = Feed::open(&dir, LogIndex(9));
        if feed.inbox(BOB).is_empty() {
            talk(&mut feed, 3);
        }
        feed.views.commit().unwrap();
        drop(feed);
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.execute("UPDATE state SET value = ?1 WHERE name = 'boot'", [boot]).unwrap();
        drop(connection);
        Views::open(&dir, LogIndex(9), 0).unwrap().made_anew()
    };
    assert!(reopened("another").unwrap().contains("went down"));
    assert!(reopened("unknown").unwrap().contains("went down"));
    assert_eq!(reopened(""), None);

    Views::open(&dir, LogIndex(9), 0).unwrap().close().unwrap();
    assert_eq!(boot(&file), "");
    let views = Views::open(&dir, LogIndex(9), 0).unwrap();
    let alone = tempfile::tempdir().unwrap();
    std::fs::copy(&file, alone.path().join("views.db")).unwrap();
    assert_ne!(boot(&alone.path().join("views.db")), "", "it stands in the file, not beside it");
    drop(views);
}

#[test]
fn views_that_are_good_are_not_thrown_away_for_the_machines_faults() {
    let (_parent, dir) = data();
    let file = dir.path().join("views.db");
    let mut feed = Feed::new(&dir);
    talk(&mut feed, 3);
    feed.views.close().unwrap();
    std::fs::rename(&file, dir.path().join("aside")).unwrap();
    std::fs::create_dir(&file).unwrap();
    // Not `Stuck`: nobody tried to remove them.
    assert!(matches!(Views::open(&dir, LogIndex(9), 0), Err(StoreError::Sqlite(_))));
}

/// A file that opens may still hold what nobody wrote, be it the views' or the log that messages are read from:
/// asked for, it is an error, and then views are made anew.
#[test]
fn views_with_a_damaged_row_are_made_anew() {
    for (file, damage) in [
        ("log.db", "UPDATE log SET fact = zeroblob(100) WHERE place = 2"),
        ("log.db", "DELETE FROM log WHERE place = 2"),
        ("log.db", "UPDATE log SET checksum = checksum + 1 WHERE place = 2"),
        ("views.db", "UPDATE history SET entries = 5"),
    ] {
        let (_parent, dir) = data();
        let mut feed = Feed::new(&dir);
        talk(&mut feed, 3);
        feed.views.close().unwrap();
        assert_eq!(rusqlite::Connection::open(dir.path().join(file)).unwrap().execute(damage, []), Ok(1));
        let mut views = Views::open(&dir, LogIndex(9), 0).unwrap();
        assert_eq!(views.made_anew(), None, "it opens");
        let error = views
            .query(&Query::History { one: ALICE, other: BOB, before: None, limit: 9, bytes: u32::MAX })
            .unwrap_err();
        assert!(error.is_damage(), "{damage}: {error}");
        views.void().unwrap();
        assert_eq!(Views::open(&dir, LogIndex(9), 0).unwrap().made_anew(), Some("they could not be read"));
    }
}

/// What could not be read when the log was applied is remembered as missing, until a record is mended.
#[test]
fn what_was_unreadable_is_remembered_until_it_is_mended() {
    let (_folder, dir) = data();
    let mut feed = Feed::open(&dir, LogIndex(9));
    feed.apply(at(1, 1), 1, Change::Unreadable(at(1, 1)));
    feed.views.close().unwrap();
    let mut views = Views::open(&dir, LogIndex(9), 0).unwrap();
    assert_eq!((views.made_anew(), views.snapshot(0, 100).unwrap().unreadable), (None, vec![at(1, 1)]));
    views.close().unwrap();
    let mut views = Views::open(&dir, LogIndex(9), 1).unwrap();
    assert_eq!(views.made_anew(), Some("a damaged record of the log was mended since"));
    assert_eq!(views.snapshot(0, 100).unwrap().unreadable, vec![]);
    views.close().unwrap();
    assert_eq!(Views::open(&dir, LogIndex(9), 1).unwrap().made_anew(), None);
}
