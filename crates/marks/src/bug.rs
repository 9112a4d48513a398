//! The bugs that can be planted: mistakes that somebody could make, one for each thing that the design
//! says must not be done.

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// A bug that can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug {
            $($(#[doc = $doc])+ $name,)+
        }

        /// All of them, with what each does.
        pub const BUGS: &[(Bug, &str)] = &[$((Bug::$name, concat!($($doc),+)),)+];
    };
}

bugs! {
    // Accepting.

    /// An own fact is answered before the own disk has it.
    AnswersBeforeSync,
    /// A fact pushed to a peer counts as a copy before the peer has confirmed it.
    CountsPushedCopies,
    /// A message of another replica is shown before the own disk has it.
    ShowsBeforeSync,
    /// A retry of what all have is answered as if it covered what was answered since.
    RetryCoversAll,
    /// A refusal that rests on the state does not wait for the own disk.
    RefusesBeforeSync,
    /// What is free is released before what waits in front of it in the log.
    ReleasesOutOfOrder,
    /// Nothing waits when the last peer in sync goes: answers in the moment of dying.
    LastBreath,
    /// A replica that has met nobody does not say that it is stale.
    NeverStale,
    /// A replica that may lack something is not stale any more when it has all that another one has that may lack
    /// something, too.
    BelievesStale,
    /// A replica that may lack accounts and sessions refuses those that it does not know.
    RefusesUnknown,
    /// A stale replica that is left by all keeps the mark of being the last one up.
    StaleCountsAsLast,
    /// The mark of being the last one up stays when others come.
    KeepsAloneMark,
    /// A full disk takes in what is new.
    TakesInOnFullDisk,
    /// A message is taken in although one that was sent before it was told to come later.
    LetsOvertake,
    /// People are let in, and the views asked, before those are made.
    AsksViewsTooEarly,

    // Positions, vectors, stamps.

    /// An incarnation is reopened after a restart.
    ReusesIncarnation,
    /// A fact is taken in although the one before it in its incarnation is missing.
    SkipsGap,
    /// A fact is taken in before what it rests on.
    AppliesBeforeCause,
    /// A fact that is held for what it rests on is confirmed.
    ConfirmsHeld,
    /// What was taken in is confirmed before it is on disk.
    ConfirmsBeforeSync,
    /// A fact does not name what its replica had taken in.
    NamesNoChanges,
    /// A stamp is not more than a minute ahead of the own clock.
    CapsStamps,
    /// A replica does not learn the stamps that it sees.
    ForgetsStamps,
    /// What somebody says that they have seen counts without a session.
    BelievesStrangers,
    /// A stamp that nothing can come after is believed.
    BelievesTheEnd,
    /// Of one message at two positions the largest stamp counts.
    LargestStamp,
    /// Of one message at two positions the stamp that came first counts.
    FirstStamp,

    // In sync.

    /// What a peer has confirmed is kept across links.
    KeepsPeerVector,
    /// A peer comes in sync as soon as it has said hello.
    InSyncAtHello,
    /// A peer comes in sync only when it has confirmed everything.
    InSyncOnlyWhenIdle,
    /// A slow peer stays in sync for as long as it confirms anything at all.
    KeepsSlowPeer,
    /// A peer is kept in sync for as long as anything comes from it.
    HeartbeatsConfirm,
    /// What becomes durable while a hello is on its way is not confirmed to that peer.
    ConfirmsAfterHelloOnly,
    /// What nobody waits for is confirmed with what somebody waits for only.
    OwesConfirms,

    // Catching up.

    /// Facts are pulled from the replica that made them only.
    PullsFromMakerOnly,
    /// On a new link facts are pushed from the log's end on, not from where the other stands.
    PushesFromEnd,
    /// What a peer has got in another way is pushed, and counted as in flight for ever.
    PushesWhatIsThere,
    /// What was dropped for want of room is not pulled while its replica is connected.
    ForgetsDropped,
    /// A fact that is not understood is not taken from others.
    DropsUnknown,
    /// A fact that can't be is believed.
    BelievesImpossible,

    // Damage.

    /// A damaged record goes on being claimed in the version vector.
    ClaimsDamaged,
    /// A damaged record is not asked for.
    LeavesDamaged,
    /// A lost fact is made as soon as one other replica says that it has not got it.
    GivesUpEarly,

    // Names.

    /// A claim is confirmed without asking the peers.
    ClaimsAlone,
    /// Verdicts are asked of the peers in sync only.
    AsksInSyncOnly,
    /// A claim does not stand in the way of others before it is confirmed.
    IgnoresUnconfirmed,
    /// A later claim that was confirmed already does not stand in the way.
    IgnoresLaterConfirmed,
    /// There is no second look after the confirm.
    LooksOnce,

    // Delivery, deletion.

    /// What was delivered is remembered as a stamp.
    CursorByStamp,
    /// What was delivered is remembered as one position.
    CursorAsPair,
    /// What waits is handed over in the order of positions.
    PendingByPosition,
    /// Messages are shown to their authors as well.
    ShowsToAuthor,
    /// A message at two positions is delivered only when both are.
    NeedsBothPositions,
    /// A deletion is forgotten at a restart.
    ForgetsTombstone,
    /// A message that comes after its receiver's deletion is missing in the history.
    DropsBesideDeletion,
    /// Of several passwords the one with the largest order is in force, whatever it replaces.
    LatestPassword,
    /// Sessions that were opened with another password stay good.
    LosersStayIn,
    /// A login too many ends the session that was used last, also where somebody uses it.
    EndsConnected,
    /// Of two hashes of one password the one that came last counts.
    LatestHash,
    /// Sessions are ended by a clock that nobody compared.
    BelievesClock,
    /// What somebody wrote whom the receiver blocks is shown like anything else.
    ShowsUnwanted,
    /// A token of what was seen says only its own message's stamp.
    SeenGoesBack,
    /// Who is online elsewhere is forgotten if their account is not known here yet.
    ForgetsUnknownOnline,

    // The client.

    /// The client does not send again what one replica alone had.
    ForgetsLonely,
    /// The client sends again what was not answered after what is new.
    ResendsLast,
    /// The client forgets to listen after redialling the same replica.
    ForgetsToListen,
    /// The client shows a message again when it comes again.
    ShowsAgain,
    /// The client does not hand in what it has seen when it moves.
    KeepsSeenToItself,
    /// The client draws a new key when it sends again.
    NewKeyOnResend,
    /// The client confirms messages as they come, not when they were seen.
    ConfirmsUnseen,
}
