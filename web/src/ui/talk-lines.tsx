interface Props {
  readonly name: string;
  readonly blocked: boolean;
  readonly deleted: boolean;
  readonly busy: boolean;
  readonly onUnblock: () => void;
}

/** What is to be known of the other one, above the messages. */
export function TalkLines({ name, blocked, deleted, busy, onUnblock }: Props) {
  return (
    <div class="quiet-lines" role="status">
      {deleted && (
        <p>
          <span>
            <bdi>{name}</bdi> has deleted this account. You can still read what was written.
          </span>
        </p>
      )}
      {blocked && !deleted && (
        <p>
          <span>
            You blocked <bdi>{name}</bdi>.
          </span>
          <button type="button" class="small" disabled={busy} onClick={onUnblock}>
            Unblock
          </button>
        </p>
      )}
    </div>
  );
}
