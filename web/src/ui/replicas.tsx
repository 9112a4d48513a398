import type { Replica } from "../chat/model";

const WORDS: Readonly<Record<Replica["health"], string>> = {
  leads: "up, this page speaks with it",
  up: "up",
  behind: "up, catching up with the others",
  down: "does not answer",
};

/** A small dot for each server: full, half or hollow. */
export function ReplicaDots({ replicas }: { replicas: readonly Replica[] }) {
  if (replicas.length === 0) return null;
  return (
    <ul class="replica-dots" aria-label="Servers">
      {replicas.map((replica) => (
        <li key={replica.address} title={`Server ${replica.name}: ${WORDS[replica.health]}`}>
          <Dot health={replica.health} />
          <span class="unseen">
            {replica.name}: {WORDS[replica.health]}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** The same in words, for where there is room. */
export function ReplicaList({ replicas }: { replicas: readonly Replica[] }) {
  return (
    <ul class="replica-list">
      {replicas.map((replica) => (
        <li key={replica.address}>
          <Dot health={replica.health} />
          <span>
            <b>{replica.name}</b> {WORDS[replica.health]}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Dot({ health }: { health: Replica["health"] }) {
  return (
    <svg class={`replica ${health}`} viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" focusable="false">
      <circle cx="6" cy="6" r="4.25" />
      {health === "behind" && <path d="M6 1.75a4.25 4.25 0 0 1 0 8.5z" />}
    </svg>
  );
}
