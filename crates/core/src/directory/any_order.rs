//! The state does not depend on the order in which facts came, as far as causes leave one open.

use lastword_facts::Body;
use lastword_facts::fact::Logout;
use lastword_facts::ids::{Incarnation, Key, Position, Seq, Stamp};
use lastword_facts::views::AccountRecord;

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
    fact(stamp, Body::Password(Password { password: hash.into(), keep: None }))
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
        let (record, _, orders) = one_state(&facts);
        let session = record.sessions[0];
        assert_eq!((session.last_used_ms, session.ended, orders), (Some(last), true, 120));
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
