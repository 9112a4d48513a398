/** The machine's times, in milliseconds, and limits: those of the Rust client (`crates/client`). */
export const CONFIG = {
  /** How long a command may take in all, failovers included. (A message may take for ever.) */
  requestTimeout: 30_000,
  /** How long at the start a later replica waits for an earlier one that is still being dialled. */
  settle: 300,
  /** After how long without any answer a replica that owes a quick one is given up. */
  silence: 1_000,
  /** After how long a replica that answers other things, but not this one, is given up. */
  stuck: 8_000,
  /** After how long a replica that owes an answer is asked whether it is there. */
  pingOwing: 500,
  /** How long the leader may be quiet before it is asked whether it is there. */
  pingLeader: 1_000,
  /** The same for the others. */
  pingFollower: 5_000,
  /** How long a dial may take. */
  dialLimit: 5_000,
  /** The wait before the first new dial; it doubles with each that fails. */
  redialFirst: 100,
  /** The longest wait between dials. */
  redialMost: 2_000,
  /** When a timer comes later than this, the page was frozen or held back, and silence may be nobody's fault. */
  frozen: 500,
  /** When at the start nobody has answered by then, nobody can be reached. */
  startPatience: 1_000,
  /** For how long a session without a password that all who can be reached refuse is tried again. */
  sessionPatience: 10_000,
  /** For how long a replica is given acknowledged messages whose receivers it does not know, or has no room for. */
  keptPatience: 10_000,
  /** After how long a message that holds up all others is tried again. */
  holdUp: 500,
  /** A wait for `listen` that is longer is told. */
  shortWait: 1_000,
  /** How often a command is tried again that a replica refused for now. */
  retries: 5,
  /** How many answered deeds are kept for the next replica, because not every disk had them. */
  uncoveredMost: 1_000,
  /** How many questions may be unanswered; more fail at once. */
  readsMost: 200,
  /** How many messages are remembered, to drop them when they come again. */
  rememberedMost: 100_000,
  /** How many receivers are remembered that a leader knows. Beyond, they are asked about again. */
  knownMost: 10_000,
  /** How many addresses are dialled. */
  addressesMost: 16,
} as const;
