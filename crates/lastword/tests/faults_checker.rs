//! The checker of the real-fault suite (`faults/checker`) is seen to fail: each thing that must not be, in a
//! made-up history; and each excuse, which must not excuse more than it says.

#![allow(dead_code, reason = "the suite uses the rest of it")]

#[path = "faults/checker/mod.rs"]
mod checker;

use checker::{Account, Checker, Credentials, Id, Shown, Text};

const ALICE: u16 = 0;
const BOB: u16 = 1;
const CAROL: u16 = 2;
const NAMES: [&str; 3] = ["alice", "bob", "carol"];

/// Three people, with an account each.
struct Story {
    checker: Checker,
    accounts: Vec<Account>,
    session: u16,
}

impl Story {
    fn new() -> Self {
        let mut checker = Checker::new(3);
        let accounts = (0..3).map(|person| checker.on_account(&credentials(person), 3)).collect();
        Self { checker, accounts, session: 0 }
    }

    fn begins(&mut self, from: u16, to: u16, answers: Option<Id>) -> Id {
        let author = (from, self.accounts[usize::from(from)]);
        self.checker.on_send(author, to, 7, self.session, answers)
    }

    /// Sent, and acknowledged on all.
    fn sends(&mut self, from: u16, to: u16, answers: Option<Id>) -> Id {
        let id = self.begins(from, to, answers);
        self.acknowledged(id, to, 3);
        id
    }

    fn acknowledged(&mut self, id: Id, to: u16, stored: u32) {
        self.checker.on_acknowledged(id, stored, 3, NAMES[usize::from(to)]);
    }

    fn sees(&mut self, to: u16, id: Id) {
        self.sees_in(1, to, id);
    }

    fn sees_in(&mut self, life: u32, to: u16, id: Id) {
        self.sees_text(life, to, &Text { id, to, answers: None }.to_string(), 7);
    }

    fn sees_text(&mut self, life: u32, to: u16, text: &str, key: u128) {
        let from = text.parse::<Text>().map_or(0, |text| usize::from(text.id.from));
        self.checker.on_shown(&Shown {
            to,
            account: self.accounts[usize::from(to)],
            life,
            at: Some(0),
            text,
            key,
            from_account: NAMES[from],
            to_account: NAMES[usize::from(to)],
        });
    }

    fn history(&mut self, texts: &[Id]) {
        let to = |id: &Id| if id.from == ALICE { BOB } else { ALICE };
        let texts: Vec<String> =
            texts.iter().map(|id| Text { id: *id, to: to(id), answers: None }.to_string()).collect();
        let (alice, bob) = (self.accounts[0], self.accounts[1]);
        self.checker.judge_history("a", (ALICE, alice), (BOB, bob), &texts);
    }

    /// The end. All that is wrong.
    fn judged(mut self) -> Vec<String> {
        self.checker.judge_order();
        self.checker.judge_missing();
        self.checker.violations().to_vec()
    }

    fn ends_well(self) {
        assert_eq!(self.judged(), Vec::<String>::new());
    }

    fn ends_wrong(self, how: &str) {
        let wrong = self.judged();
        assert!(wrong.len() == 1 && wrong[0].contains(how), "{how}: {wrong:?}");
    }
}

fn credentials(person: u16) -> Credentials {
    let name = NAMES[usize::from(person)].to_owned();
    Credentials { id: name.clone(), name, password: "secret".to_owned(), owner: person }
}

#[test]
fn a_conversation_as_it_should_be() {
    let mut story = Story::new();
    let one = story.sends(ALICE, BOB, None);
    let two = story.sends(ALICE, BOB, None);
    story.sees(BOB, one);
    story.sees(BOB, two);
    let answer = story.sends(BOB, ALICE, Some(two));
    story.sees(ALICE, answer);
    story.history(&[one, two, answer]);
    story.ends_well();
}

#[test]
fn a_message_that_is_never_shown_is_lost() {
    let mut story = Story::new();
    story.sends(ALICE, BOB, None);
    story.ends_wrong("lost: p0:0");
}

#[test]
fn a_message_on_one_disk_alone_is_lost_all_the_same() {
    let mut story = Story::new();
    let id = story.begins(ALICE, BOB, None);
    story.acknowledged(id, BOB, 1);
    story.ends_wrong("lost: p0:0");
}

#[test]
fn only_what_was_on_a_destroyed_disk_alone_is_gone() {
    for (stored, well) in [(1, true), (2, false)] {
        let mut story = Story::new();
        let id = story.begins(ALICE, BOB, None);
        story.acknowledged(id, BOB, stored);
        let now = story.checker.now_ms();
        story.checker.disk_goes(now);
        story.checker.disk_is_back();
        assert_eq!(story.judged().is_empty(), well, "stored on {stored}");
    }
    let mut story = Story::new();
    let now = story.checker.now_ms();
    story.checker.disk_goes(now);
    story.checker.disk_is_back();
    std::thread::sleep(std::time::Duration::from_millis(600));
    let id = story.begins(ALICE, BOB, None);
    story.acknowledged(id, BOB, 1);
    story.ends_wrong("lost: p0:0");
}

#[test]
fn what_was_refused_or_not_answered_may_be_there_or_not() {
    let mut story = Story::new();
    let (one, two) = (story.begins(ALICE, BOB, None), story.sends(ALICE, BOB, None));
    let three = story.begins(ALICE, BOB, None);
    story.checker.on_given_up(one);
    story.checker.on_given_up(three);
    story.sees(BOB, two);
    story.sees(BOB, one);
    story.ends_well();
}

#[test]
fn but_not_twice_nor_to_somebody_else() {
    let mut story = Story::new();
    let one = story.begins(ALICE, BOB, None);
    story.checker.on_given_up(one);
    story.sees(BOB, one);
    story.sees(BOB, one);
    story.ends_wrong("twice");
    let mut story = Story::new();
    let one = story.begins(ALICE, BOB, None);
    story.checker.on_given_up(one);
    story.sees(CAROL, one);
    story.ends_wrong("not for this account");
}

#[test]
fn undelivered_messages_go_with_an_account() {
    for (gone, well) in [(ALICE, true), (BOB, true), (CAROL, false)] {
        let mut story = Story::new();
        story.sends(ALICE, BOB, None);
        let account = story.accounts[usize::from(gone)];
        story.checker.on_deleted(account, 3, 3);
        assert_eq!(story.judged().is_empty(), well, "p{gone} is gone");
    }
}

#[test]
fn twice_in_one_life_is_wrong_and_again_in_the_next_is_not() {
    let mut story = Story::new();
    let one = story.sends(ALICE, BOB, None);
    story.sees_in(1, BOB, one);
    story.sees_in(2, BOB, one);
    story.ends_well();
    let mut story = Story::new();
    let one = story.sends(ALICE, BOB, None);
    story.sees(BOB, one);
    story.sees(BOB, one);
    story.ends_wrong("twice");
}

#[test]
fn one_message_with_two_ids_is_two() {
    let mut story = Story::new();
    let one = story.sends(ALICE, BOB, None);
    story.sees_text(1, BOB, &Text { id: one, to: BOB, answers: None }.to_string(), 8);
    assert!(story.judged().iter().any(|wrong| wrong.contains("another id")));
}

#[test]
fn what_nobody_wrote_is_not_shown() {
    let mut story = Story::new();
    story.sees_text(1, BOB, "hello", 7);
    story.sees_text(1, BOB, "p0:5>1", 7);
    let wrong = story.judged();
    assert!(wrong.len() == 2 && wrong[0].contains("nobody wrote") && wrong[1].contains("never sent"), "{wrong:?}");
}

#[test]
fn one_senders_messages_come_in_order() {
    let mut story = Story::new();
    let (one, two) = (story.sends(ALICE, BOB, None), story.sends(ALICE, BOB, None));
    story.sees(BOB, two);
    story.sees(BOB, one);
    story.ends_wrong("p0:0 after p0:1");
}

#[test]
fn nor_is_an_earlier_one_left_for_the_next_life() {
    let mut story = Story::new();
    let (one, two) = (story.sends(ALICE, BOB, None), story.sends(ALICE, BOB, None));
    story.sees_in(1, BOB, two);
    story.sees_in(2, BOB, one);
    story.ends_wrong("p0:0 after p0:1");
}

#[test]
fn the_order_of_two_sessions_is_free() {
    let mut story = Story::new();
    let one = story.sends(ALICE, BOB, None);
    story.session = 1;
    let two = story.sends(ALICE, BOB, None);
    story.sees(BOB, two);
    story.sees(BOB, one);
    story.ends_well();
}

#[test]
fn a_damaged_record_may_come_late_from_that_replica_only() {
    for (replica, well) in [(0, true), (1, false)] {
        let mut story = Story::new();
        let (one, two) = (story.sends(ALICE, BOB, None), story.sends(ALICE, BOB, None));
        story.checker.disk_is_hurt(replica);
        story.sees(BOB, two);
        story.sees(BOB, one);
        assert_eq!(story.judged().is_empty(), well, "the disk of {replica} was damaged");
    }
}

#[test]
fn an_answer_comes_after_what_was_sent_before_what_it_answers() {
    let mut story = Story::new();
    let to_carol = story.sends(ALICE, CAROL, None);
    let to_bob = story.sends(ALICE, BOB, None);
    story.sees(BOB, to_bob);
    let answer = story.sends(BOB, CAROL, Some(to_bob));
    story.sees(CAROL, answer);
    story.sees(CAROL, to_carol);
    story.ends_wrong("was not shown p0:0 before");
}

#[test]
fn unless_a_replica_may_have_lacked_what_it_answers() {
    let mut story = Story::new();
    let to_carol = story.sends(ALICE, CAROL, None);
    let to_bob = story.begins(ALICE, BOB, None);
    story.acknowledged(to_bob, BOB, 1);
    story.sees(BOB, to_bob);
    let answer = story.sends(BOB, CAROL, Some(to_bob));
    story.sees(CAROL, answer);
    story.sees(CAROL, to_carol);
    story.ends_well();
}

#[test]
fn a_history_has_everything_once_and_in_order() {
    let tell = |story: &mut Story| {
        let one = story.sends(ALICE, BOB, None);
        story.sees(BOB, one);
        let two = story.sends(BOB, ALICE, Some(one));
        story.sees(ALICE, two);
        let three = story.sends(BOB, ALICE, None);
        story.sees(ALICE, three);
        [one, two, three]
    };
    let judged = |pick: &[usize]| {
        let mut story = Story::new();
        let all = tell(&mut story);
        story.history(&pick.iter().map(|&n| all[n]).collect::<Vec<_>>());
        story.judged()
    };
    assert_eq!(judged(&[0, 1, 2]), Vec::<String>::new());
    for (wrong, how) in [
        (&[0, 1][..], "lacks 1 acknowledged messages, the first is p1:1"),
        (&[1, 0, 2], "before p0:0, which it answers"),
        (&[0, 2, 1], "p1:0 after p1:1"),
        (&[0, 1, 2, 0], "twice"),
    ] {
        let judged = judged(wrong);
        assert!(judged.iter().any(|wrong| wrong.contains(how)), "{how}: {judged:?}");
    }
    let mut story = Story::new();
    let other = story.sends(ALICE, CAROL, None);
    story.sees(CAROL, other);
    story.history(&[other]);
    story.ends_wrong("not of those two");
}

#[test]
fn who_was_deleted_does_not_come_back() {
    let mut story = Story::new();
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert!(story.checker.unexplained(&names(&["alice", "bob~12ab", "CAROL"])).is_empty());
    let bob = story.accounts[1];
    story.checker.on_deleted(bob, 3, 3);
    assert_eq!(story.checker.unexplained(&names(&["alice", "bob"])), ["bob"]);
}

#[test]
fn who_was_refused_a_name_in_trouble_is_asked_whether_he_owns_it() {
    let mut story = Story::new();
    story.checker.on_refused_name("Dora", "secret");
    assert_eq!(story.checker.unexplained(&["dora".to_owned()]), ["dora"]);
    let passwords = |name| story.checker.refused_owners(name).into_iter().map(|owner| owner.password);
    assert!(passwords("dora~12ab").eq(["secret".to_owned()]));
    assert_eq!(passwords("bob").count(), 0);
}

#[test]
fn one_account_is_given_to_one_person() {
    let mut story = Story::new();
    let mut stolen = credentials(ALICE);
    stolen.owner = BOB;
    story.checker.on_account(&stolen, 3);
    story.ends_wrong("both given the account");
}

#[test]
fn a_message_to_anothers_account_is_wrong() {
    let mut story = Story::new();
    let id = story.begins(ALICE, BOB, None);
    story.acknowledged(id, CAROL, 3);
    assert!(story.judged().iter().any(|wrong| wrong.contains("the account of another person")));
}
