//! Who blocks whom, and the requests about it.
//!
//! A register for each pair: of all facts about it the one with the largest order counts, whatever the order in which
//! they came. A message that is taken in where the block is known is marked as unwanted for ever, so all replicas
//! treat it alike; unblocking does not deliver it later. One that was taken in elsewhere, before the block came there, is
//! not marked: it is held back while the block stands.

use std::collections::BTreeMap;

use lastword_facts::fact::Block;
use lastword_facts::ids::{AccountId, Key};
use lastword_facts::views::BlockRecord;
use lastword_facts::{Body, Fact};
use lastword_marks::{Bug, hit, planted};

use crate::Core;
use crate::io::{Answer, ConnectionId, Receiver, Refusal, Tag};
use crate::release::Reply;
use crate::time::Now;

/// People that one account may block at a time.
const BLOCKED_MOST: usize = 1000;
/// Of each account the newest blocks and unblocks count, this many: those with the largest orders.
const KEPT: usize = 2000;

/// Who blocks whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blocks(BTreeMap<AccountId, OfAccount>);

/// Whom one account blocks, and does not block any more.
#[derive(Debug, Clone, Default)]
struct OfAccount {
    records: BTreeMap<AccountId, BlockRecord>,
    /// How many of them say that it blocks somebody.
    on: usize,
    /// How many of those were deleted when that was counted last, and how many accounts had been deleted then.
    gone: usize,
    counted_at: usize,
}

impl OfAccount {
    fn insert(&mut self, record: BlockRecord) {
        let before = self.records.insert(record.whom, record);
        self.on += usize::from(record.on);
        self.on -= usize::from(before.is_some_and(|before| before.on));
    }

    fn remove(&mut self, whom: AccountId) {
        let before = self.records.remove(&whom);
        self.on -= usize::from(before.is_some_and(|before| before.on));
    }
}

impl Blocks {
    pub(crate) fn new(records: Vec<BlockRecord>) -> Self {
        let mut blocks = Self::default();
        for record in records {
            blocks.take(record);
        }
        blocks
    }

    /// Whether an account blocks another one.
    pub(crate) fn is_blocked(&self, by: AccountId, whom: AccountId) -> bool {
        self.0.get(&by).and_then(|all| all.records.get(&whom)).is_some_and(|record| record.on)
            && !planted(Bug::ShowsUnwanted)
    }

    /// What an account has said of another one last.
    fn record(&self, by: AccountId, whom: AccountId) -> Option<&BlockRecord> {
        self.0.get(&by)?.records.get(&whom)
    }

    /// Those whom an account blocks, in the order of their ids.
    fn of(&self, by: AccountId) -> impl Iterator<Item = AccountId> {
        self.0.get(&by).into_iter().flat_map(|all| &all.records).filter(|(_, record)| record.on).map(|(&whom, _)| whom)
    }

    /// Takes a fact in. Says what is so now, if it changes anything.
    pub(crate) fn apply(&mut self, fact: &Fact, block: &Block) -> Option<BlockRecord> {
        let (order, key, position) = (fact.order(), fact.key, fact.position);
        self.take(BlockRecord { account: fact.author, whom: block.whom, on: block.on, order, key, position })
    }

    fn take(&mut self, record: BlockRecord) -> Option<BlockRecord> {
        let all = self.0.entry(record.account).or_default();
        if all.records.get(&record.whom).is_some_and(|known| known.order >= record.order) {
            return None;
        }
        all.insert(record);
        // An older one that comes later finds as many newer ones, and goes at once: so this is the same in any order.
        if all.records.len() > KEPT
            && let Some(oldest) = all.records.values().min_by_key(|record| record.order).map(|record| record.whom)
        {
            all.remove(oldest);
            return (oldest != record.whom).then_some(record);
        }
        Some(record)
    }

    /// Whether an account blocks as many people as it may, those left out who are deleted. `deletions` is how many
    /// accounts were deleted until now: only when there are more than at the last time are they looked for again.
    fn is_full(&mut self, by: AccountId, deletions: usize, is_deleted: impl Fn(AccountId) -> bool) -> bool {
        let Some(all) = self.0.get_mut(&by) else { return false };
        let is_full = |all: &OfAccount| all.on.saturating_sub(all.gone) >= BLOCKED_MOST;
        if is_full(all) && all.counted_at < deletions {
            all.gone = all.records.values().filter(|record| record.on && is_deleted(record.whom)).count();
            all.counted_at = deletions;
        }
        is_full(all)
    }

    /// An account is deleted: nobody writes to it any more.
    pub(crate) fn forget(&mut self, account: AccountId) {
        self.0.remove(&account);
    }
}

impl Core {
    /// `block` and `unblock`.
    pub(crate) fn block(
        &mut self,
        now: Now,
        id: ConnectionId,
        tag: Tag,
        who: &Receiver,
        on: bool,
        key: Key,
    ) -> Result<(), Refusal> {
        let account = self.logged_in(id)?.account;
        let whom = match who {
            Receiver::Name(name) => self.directory.resolve(name),
            Receiver::Account(whom) => self.directory.any(*whom).map(|_| *whom),
        };
        let whom = whom.ok_or(Refusal::NoSuchUser("There is no user of that name."))?;
        if whom == account {
            return Err(Refusal::BadRequest("You can't block yourself."));
        }
        let record = self.blocks.record(account, whom).copied();
        if let Some(record) = record.filter(|record| (record.key, record.on) == (key, on)) {
            hit("a retry of a block");
            self.answer_again(now, record.position, self.ledger.end, Reply::Stored(id, tag));
            return Ok(());
        }
        if on && record.is_none_or(|record| !record.on) {
            let (directory, deletions) = (&self.directory, self.directory.deletions());
            if self.blocks.is_full(account, deletions, |whom| directory.is_deleted(whom)) {
                let text = "You block 1,000 people already, which is the most: unblock somebody first.";
                return Err(Refusal::BadRequest(text));
            }
        }
        self.room_for_people()?;
        self.room_of_account(now, account, 0)?;
        let fact = self.ledger.make(now, account, Some(key), Body::Block(Block { whom, on }));
        self.admit(now, &fact, Some(Reply::Stored(id, tag)));
        Ok(())
    }

    /// `blocked`: those whom the account blocks, without those who are deleted.
    pub(crate) fn list_blocked(
        &mut self,
        id: ConnectionId,
        tag: Tag,
        limit: u32,
        after: Option<AccountId>,
    ) -> Result<(), Refusal> {
        let account = self.logged_in(id)?.account;
        let all = self.blocks.of(account).filter(|&whom| after.is_none_or(|after| whom > after));
        let living = all.filter(|&whom| self.directory.living(whom).is_some());
        let mut people: Vec<_> = living.take(limit as usize + 1).map(|whom| self.person(whom)).collect();
        let more = people.len() > limit as usize;
        people.truncate(limit as usize);
        self.answer_read(id, tag, Answer::Blocked { people, more });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use lastword_facts::ids::{Incarnation, Order, Position, Seq, Stamp};

    use super::*;

    const ANN: AccountId = AccountId(1);

    fn record(n: u64, whom: u128, on: bool) -> BlockRecord {
        let incarnation = Incarnation(n % 3);
        let order = Order { stamp: Stamp(n), incarnation };
        let position = Position { incarnation, seq: Seq(n) };
        BlockRecord { account: ANN, whom: AccountId(whom), on, order, key: Key(n.into()), position }
    }

    /// Blocks and unblocks of more people than are remembered, in many orders.
    #[test]
    fn what_is_known_in_the_end_is_the_same_in_any_order() {
        let all: Vec<_> = (1..9000_u64).map(|n| record(n, u128::from(n * 7919 % 3000), n % 3 > 0)).collect();
        let in_order = Blocks::new(all.clone());
        assert_eq!(in_order.0[&ANN].records.len(), KEPT);
        let mut shuffled = all;
        for round in 1..5 {
            shuffled.sort_by_key(|record| (record.order.stamp.0 * (7 + 2 * round)) % 8191);
            assert_eq!(Blocks::new(shuffled.clone()).0[&ANN].records, in_order.0[&ANN].records);
        }
        shuffled.reverse();
        let shuffled = Blocks::new(shuffled);
        let all = &shuffled.0[&ANN];
        assert_eq!(all.records, in_order.0[&ANN].records);
        assert_eq!(all.on, all.records.values().filter(|record| record.on).count());
    }

    #[test]
    fn those_who_are_deleted_make_room() {
        let mut blocks = Blocks::new((1..=1000).map(|n| record(n, n.into(), true)).collect());
        assert!(blocks.is_full(ANN, 0, |_| false));
        assert!(blocks.is_full(ANN, 0, |_| panic!("nobody was deleted since: nobody is looked at")));
        assert!(!blocks.is_full(ANN, 1, |whom| whom == AccountId(7)));
        blocks.take(record(1001, 2000, true));
        assert!(blocks.is_full(ANN, 1, |_| panic!("nobody was deleted since")));
        blocks.take(record(1002, 2000, false));
        assert!(!blocks.is_full(ANN, 1, |_| panic!("there is room")));
    }

    #[test]
    fn the_latest_word_counts() {
        let mut blocks = Blocks::default();
        assert!(blocks.take(record(5, 9, true)).is_some() && blocks.is_blocked(ANN, AccountId(9)));
        assert!(blocks.take(record(4, 9, false)).is_none() && blocks.is_blocked(ANN, AccountId(9)));
        assert!(!blocks.is_blocked(AccountId(9), ANN), "it is no matter of both");
        assert!(blocks.take(record(6, 9, false)).is_some() && !blocks.is_blocked(ANN, AccountId(9)));
        assert_eq!(blocks.of(ANN).count(), 0);
    }
}
