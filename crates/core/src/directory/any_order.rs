//! The state does not depend on the order in which facts came, as far as causes leave one open.

use lastword_facts::fact::{Logout, Password, Rehash, Session, Used};
use lastword_facts::ids::{Incarnation, Key, Position, Seq, Stamp};
use lastword_facts::{Body, limits};

use super::*;

const ALICE: AccountId = AccountId(1);

fn order(stamp: u64) -> Order {
    Order { stamp: Stamp(stamp), incarnation: Incarnation(1) }
}

/// A fact of alice, with its stamp for everything else.
fn fact(stamp: u64, body: Body) -> Fact {
    let position = Position { incarnation: Incarnation(1), seq: Seq(stamp) };
    Fact::new(position, vec![], Stamp(stamp), ALICE, Key(stamp.into()), body)
}

fn claim(stamp: u64, password: &str) -> Fact {
    fact(stamp, Body::Claim(Claim { name: "alice".into(), password: password.into(), at_ms: 1 }))
}

fn password(stamp: u64, hash: &str) -> Fact {
    fact(stamp, Body::Password(Password { password: hash.into(), keep: None, replaces: None, known: None }))
}

/// A change that says what it replaces, by a session of alice that goes on.
fn change(stamp: u64, replaces: u64, keep: TokenHash, known: u64) -> Fact {
    let (password, replaces) = (format!("password {stamp}"), Some(order(replaces)));
    fact(stamp, Body::Password(Password { password, keep: Some(keep), replaces, known: Some(known) }))
}

fn session(stamp: u64, n: u8, password: Option<u64>) -> Fact {
    let session = Session { token: TokenHash([n; 32]), password: password.map(order), at_ms: None };
    fact(stamp, Body::Session(session))
}

fn logout(stamp: u64, n: u8) -> Fact {
    fact(stamp, Body::Logout(Logout { token: TokenHash([n; 32]) }))
}

fn rehash(stamp: u64, of: u64, hash: &str) -> Fact {
    fact(stamp, Body::Rehash(Rehash { password: hash.into(), of: order(of) }))
}

fn apply(directory: &mut Directory, fact: &Fact) {
    match &fact.body {
        Body::Claim(claim) => directory.claim(fact, claim),
        Body::Password(password) => directory.password(fact, password),
        Body::Rehash(rehash) => directory.rehash(fact, rehash),
        Body::Session(session) => directory.open_session(fact, session),
        Body::Used(used) => directory.used(fact, used),
        Body::Logout(logout) => directory.end_session(fact, logout.token),
        Body::Confirm(verdict) => directory.mark(fact, verdict, true),
        other => panic!("{other:?}"),
    };
}

/// Hands over every order in which each fact comes after those it rests on (by place in the list).
fn in_every_order(facts: &[(Fact, &[usize])], each: &mut impl FnMut(&[&Fact])) {
    fn go_on<'f>(
        facts: &'f [(Fact, &[usize])],
        taken: &mut Vec<usize>,
        so_far: &mut Vec<&'f Fact>,
        each: &mut impl FnMut(&[&'f Fact]),
    ) {
        if taken.len() == facts.len() {
            return each(so_far);
        }
        for (place, (fact, after)) in facts.iter().enumerate() {
            if !taken.contains(&place) && after.iter().all(|before| taken.contains(before)) {
                taken.push(place);
                so_far.push(fact);
                go_on(facts, taken, so_far, each);
                taken.pop();
                so_far.pop();
            }
        }
    }
    go_on(facts, &mut Vec::new(), &mut Vec::new(), each);
}

/// The one state that all orders end in, and how many there were.
fn one_state(facts: &[(Fact, &[usize])]) -> (AccountRecord, String, usize) {
    let mut states: Vec<(AccountRecord, String)> = Vec::new();
    let mut orders = 0;
    in_every_order(facts, &mut |facts| {
        orders += 1;
        let mut directory = Directory::default();
        facts.iter().for_each(|fact| apply(&mut directory, fact));
        let account = directory.any(ALICE).unwrap();
        let state = (account.record.clone(), account.password_hash().to_owned());
        if !states.contains(&state) {
            states.push(state);
        }
    });
    assert_eq!(states.len(), 1, "{states:#?}");
    let (record, hash) = states.remove(0);
    (record, hash, orders)
}

#[test]
fn a_password_hashed_anew_in_every_order() {
    // The later claim of a create that was sent twice, hashed anew where the earlier one was not known yet.
    let twice = [(claim(2, "first"), &[][..]), (claim(5, "again"), &[][..]), (rehash(6, 5, "again, anew"), &[1][..])];
    assert_eq!(one_state(&twice).1, "first", "the earliest claim says which password");
    // Of two at once the later one counts, whatever it was made from.
    let of_both = [
        (claim(2, "first"), &[][..]),
        (rehash(7, 2, "with more"), &[0][..]),
        (rehash(9, 2, "with less"), &[0][..]),
        (rehash(8, 2, "another"), &[0][..]),
    ];
    assert_eq!(one_state(&of_both).1, "with less");
    // What replaces the password replaces all its hashes, also those made later where it was not known.
    let replaced = [
        (claim(2, "first"), &[][..]),
        (password(4, "second"), &[0][..]),
        (password(5, "third"), &[0][..]),
        (rehash(10, 2, "first, anew"), &[0][..]),
        (rehash(11, 4, "second, anew"), &[1][..]),
        (rehash(6, 5, "third, anew"), &[2][..]),
        (rehash(7, 5, "third, once more"), &[2][..]),
    ];
    let (record, hash, orders) = one_state(&replaced);
    assert_eq!(hash, "third, once more");
    assert_eq!(record.password.unwrap().hash, "third", "what was set stays what it was");
    assert!(orders > 100, "{orders} orders");
}

#[test]
fn the_last_use_of_a_session_in_every_order() {
    let token = TokenHash([7; 32]);
    let session = |at_ms| fact(3, Body::Session(Session { token, password: None, at_ms }));
    let used = |stamp, at_ms| fact(stamp, Body::Used(Used { token, at_ms }));
    for (opened, last) in [(None, 90), (Some(10), 90), (Some(100), 100)] {
        let facts = [
            (claim(2, "first"), &[][..]),
            (session(opened), &[0][..]),
            (used(4, 90), &[1][..]),
            (used(5, 20), &[1][..]),
            (used(6, 50), &[1][..]),
            // Two replicas have found at the same time that nobody uses it, or its owner has logged out.
            (fact(7, Body::Logout(Logout { token })), &[1][..]),
            (fact(8, Body::Logout(Logout { token })), &[1][..]),
        ];
        let (record, _, orders) = one_state(&facts[..5]);
        let session = record.sessions[0];
        assert_eq!((session.last_used_ms, session.used, orders), (Some(last), order(6), 6));
        let (record, _, orders) = one_state(&facts);
        assert_eq!((record.sessions.len(), record.ended[0].order, orders), (0, order(8), 120));
    }
}

/// It is the same password: who came in by it stays in.
#[test]
fn sessions_outlive_a_hash() {
    let mut directory = Directory::default();
    let token = TokenHash([7; 32]);
    let mark = Verdict { claim: claim(2, "").position, name: "alice".into() };
    apply(&mut directory, &claim(2, "first"));
    directory.mark(&fact(3, Body::Confirm(mark.clone())), &mark, true);
    let session = Session { token, password: None, at_ms: None };
    directory.open_session(&fact(4, Body::Session(session.clone())), &session);
    apply(&mut directory, &rehash(5, 2, "first, anew"));
    assert_eq!(directory.session(token), Some(ALICE));
    assert_eq!(directory.any(ALICE).unwrap().password_hash(), "first, anew");
    apply(&mut directory, &password(6, "second"));
    assert_eq!(directory.session(token), None, "another password ends it");
    assert_eq!(directory.any(ALICE).unwrap().password_hash(), "second");
}

/// What the whole account is like after these facts, and who is in.
fn after(facts: &[(Fact, &[usize])]) -> (String, Vec<u8>, bool) {
    let mut states = Vec::new();
    in_every_order(facts, &mut |facts| {
        let mut directory = Directory::default();
        facts.iter().for_each(|fact| apply(&mut directory, fact));
        let account = directory.any(ALICE).unwrap();
        let good = directory.good_sessions(ALICE).into_iter().map(|token| token.0[0]);
        let mut good: Vec<u8> = good.collect();
        good.sort_unstable();
        let state = (account.password_hash().to_owned(), good, account.password_was_changed_twice());
        let state = (state, account.record.clone());
        if !states.contains(&state) {
            states.push(state);
        }
    });
    assert_eq!(states.len(), 1, "{states:#?}");
    states.remove(0).0
}

/// The owner has changed the password where a thief could not see it. The thief, who knows the old one, changes it
/// later, elsewhere, and again and again.
#[test]
fn who_knows_only_an_old_password_does_not_win() {
    let (owner, thief) = (TokenHash([1; 32]), TokenHash([2; 32]));
    let confirm = fact(3, Body::Confirm(Verdict { claim: claim(2, "").position, name: "alice".into() }));
    let facts = [
        (claim(2, "first"), &[][..]),
        (confirm, &[0][..]),
        (session(4, 1, None), &[1][..]),
        (session(5, 2, None), &[1][..]),
        (change(10, 2, owner, 0), &[2][..]),
        (session(11, 3, Some(10)), &[4][..]),
        (change(20, 2, thief, 0), &[3][..]),
        (change(30, 20, thief, 1), &[6][..]),
        (session(31, 4, Some(30)), &[7][..]),
    ];
    // 1 was kept, 3 was opened with the password that counts.
    assert_eq!(after(&facts), ("password 10".to_owned(), vec![1, 3], true));
    // Once more, now that all is known: nobody needs to be told any more.
    let all: Vec<usize> = (0..facts.len()).collect();
    let mut once_more = facts.to_vec();
    once_more.push((change(40, 10, owner, 3), &all));
    assert_eq!(after(&once_more), ("password 40".to_owned(), vec![1], false));
}

#[test]
fn a_longer_chain_does_not_win_against_an_earlier_change() {
    let (one, other) = (TokenHash([1; 32]), TokenHash([2; 32]));
    let facts = [
        (claim(2, "first"), &[][..]),
        (change(10, 2, one, 0), &[0][..]),
        (change(20, 10, one, 1), &[1][..]),
        (change(30, 20, one, 2), &[2][..]),
        (change(15, 10, other, 1), &[1][..]),
        (change(9, 2, other, 0), &[0][..]),
        (change(12, 9, other, 1), &[5][..]),
    ];
    assert_eq!(after(&facts).0, "password 12");
}

#[test]
fn changes_of_older_versions_come_one_after_the_other() {
    let token = TokenHash([1; 32]);
    let all_older = [
        (claim(2, "first"), &[][..]),
        (password(10, "a"), &[0][..]),
        (password(30, "b"), &[0][..]),
        (password(20, "c"), &[0][..]),
    ];
    assert_eq!(after(&all_older).0, "b");
    let mixed = [
        (claim(2, "first"), &[][..]),
        (change(10, 2, token, 0), &[0][..]),
        (password(20, "older"), &[0][..]),
        (change(15, 10, token, 1), &[1][..]),
        (change(30, 20, token, 3), &[2][..]),
        (change(25, 15, token, 2), &[3][..]),
    ];
    assert_eq!(after(&mixed).0, "password 30", "15 was replaced by the older version's, and that by 30");
    // The change that 30 replaces was damaged on every replica.
    let lost =
        [(claim(2, "first"), &[][..]), (change(10, 2, token, 0), &[0][..]), (change(30, 20, token, 2), &[1][..])];
    assert_eq!(after(&lost).0, "password 30");
}

/// The client sent the change once more, to another replica, when nobody answered.
#[test]
fn one_change_at_two_replicas_is_told_to_nobody() {
    let token = TokenHash([1; 32]);
    let again = |stamp| {
        let mut again = change(stamp, 2, token, 0);
        again.key = Key(77);
        again
    };
    let facts = [(claim(2, "first"), &[][..]), (again(10), &[0][..]), (again(20), &[0][..])];
    let (hash, _, twice) = after(&facts);
    assert_eq!((hash.as_str(), twice), ("password 10", false));
}

/// The next change names one copy of the change before it, and the other copy turns out to be the earlier one. Also where
/// somebody else had won meanwhile against the copy that was known.
#[test]
fn what_replaces_one_copy_of_a_change_follows_the_other() {
    let (owner, thief) = (TokenHash([1; 32]), TokenHash([2; 32]));
    let copy = |stamp| {
        let mut copy = change(stamp, 2, owner, 0);
        copy.key = Key(77);
        copy
    };
    let confirm = fact(3, Body::Confirm(Verdict { claim: claim(2, "").position, name: "alice".into() }));
    let mut facts = vec![
        (claim(2, "first"), &[][..]),
        (confirm, &[0][..]),
        (copy(10), &[1][..]),
        (copy(5), &[1][..]),
        (session(11, 3, Some(10)), &[2][..]),
        (session(6, 4, Some(5)), &[3][..]),
    ];
    assert_eq!(after(&facts), ("password 5".to_owned(), vec![3, 4], false), "either copy opens sessions");
    facts.push((change(20, 10, owner, 1), &[2][..]));
    assert_eq!(after(&facts).0, "password 20");
    facts.push((change(7, 2, thief, 0), &[1][..]));
    assert_eq!(after(&facts).0, "password 20");
}

/// A rehash loses against somebody else's, and counts again when the other copy of what it follows comes.
#[test]
fn a_hash_is_kept_while_another_password_is_in_force() {
    let (owner, other) = (TokenHash([1; 32]), TokenHash([2; 32]));
    let copy = |stamp| {
        let mut copy = change(stamp, 2, owner, 0);
        copy.key = Key(77);
        copy
    };
    let facts = [
        (claim(2, "first"), &[][..]),
        (copy(10), &[0][..]),
        (change(20, 10, owner, 1), &[1][..]),
        (rehash(30, 20, "20, anew"), &[2][..]),
        (rehash(29, 20, "20, before"), &[2][..]),
        (change(7, 2, other, 0), &[0][..]),
        (rehash(31, 7, "7, anew"), &[5][..]),
        (copy(5), &[0][..]),
    ];
    assert_eq!(one_state(&facts[..7]).1, "7, anew");
    assert_eq!(one_state(&facts).1, "20, anew");
}

/// Also where its logout came first: an older record may be lost that told what comes before what.
#[test]
fn an_ended_session_stays_ended_in_every_order() {
    let confirm = fact(3, Body::Confirm(Verdict { claim: claim(2, "").position, name: "alice".into() }));
    let facts = [
        (claim(2, "first"), &[][..]),
        (confirm, &[0][..]),
        (session(4, 1, None), &[1][..]),
        (session(5, 2, None), &[1][..]),
        (logout(6, 1), &[1][..]),
        (logout(7, 1), &[1][..]),
    ];
    assert_eq!(after(&facts).1, [2]);
}

/// A script that logs in and out takes nobody's place, and leaves nothing behind but the last tokens.
#[test]
fn ended_sessions_take_no_place() {
    let mut directory = Directory::default();
    let confirm = fact(3, Body::Confirm(Verdict { claim: claim(2, "").position, name: "alice".into() }));
    [claim(2, "first"), confirm, session(4, 255, None)].iter().for_each(|fact| apply(&mut directory, fact));
    for n in 0..1000u64 {
        let mut token = TokenHash([1; 32]);
        token.0[..8].copy_from_slice(&n.to_be_bytes());
        let session = Session { token, password: None, at_ms: None };
        apply(&mut directory, &fact(2 * n + 10, Body::Session(session)));
        apply(&mut directory, &fact(2 * n + 11, Body::Logout(Logout { token })));
    }
    assert_eq!(directory.good_sessions(ALICE), [TokenHash([255; 32])]);
    let record = &directory.any(ALICE).unwrap().record;
    assert_eq!((record.sessions.len(), record.ended.len()), (1, limits::SESSIONS_ENDED));
}
