import { useRef, useState } from "preact/hooks";
import type { Chat, Snapshot } from "../chat/model";
import { Avatar } from "./avatar";
import { CloseIcon, Logo } from "./icons";
import { ReplicaDots } from "./replicas";
import { NAME_RULE, nameFault, PASSWORD_RULE, passwordFault } from "./rules";
import { TaskWords, useTask } from "./task";

interface Props {
  readonly chat: Chat;
  readonly snapshot: Snapshot;
}

/** The first screen: log in, create an account, or go on as somebody who was here before. */
export function Entrance({ chat, snapshot }: Props) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const nameField = useRef<HTMLInputElement>(null);
  const passwordField = useRef<HTMLInputElement>(null);
  const task = useTask();

  const enter = (create: boolean) => {
    // Only new names and passwords follow the rules: the server may have renamed somebody.
    const badName = create ? nameFault(name) : name === "" ? "Please type your name." : undefined;
    const badPassword = create ? passwordFault(password) : password === "" ? "Please type your password." : undefined;
    const fault = badName ?? badPassword;
    if (fault !== undefined) {
      task.fail(fault);
      (badName !== undefined ? nameField : passwordField).current!.focus();
      return;
    }
    if (create) void task.run("Creating the account…", () => chat.create(name, password));
    else void task.run("Logging in…", () => chat.login(name, password));
  };

  return (
    <main class="entrance">
      <div class="card">
        <header class="entrance-head">
          <Logo />
          <h1>Lastword</h1>
          <ReplicaDots replicas={snapshot.replicas} />
        </header>
        <Remembered chat={chat} snapshot={snapshot} onGoOn={(work) => void task.run("Going on…", work)} busy={task.busy} />
        <form
          class="fields"
          onSubmit={(event) => {
            event.preventDefault();
            enter(false);
          }}
        >
          <label>
            Name
            <input
              ref={nameField}
              type="text"
              name="name"
              autocomplete="username"
              autocapitalize="none"
              spellcheck={false}
              aria-describedby="name-rule"
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
            <small id="name-rule">{NAME_RULE}</small>
          </label>
          <label>
            Password
            <input
              ref={passwordField}
              type="password"
              name="password"
              autocomplete="current-password"
              aria-describedby="password-rule"
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
            <small id="password-rule">{PASSWORD_RULE}</small>
          </label>
          <TaskWords task={task} />
          <div class="buttons wide">
            <button type="submit" class="primary" disabled={task.busy}>
              Log in
            </button>
            <button type="button" disabled={task.busy} onClick={() => enter(true)}>
              Create account
            </button>
          </div>
        </form>
      </div>
    </main>
  );
}

interface RememberedProps extends Props {
  readonly busy: boolean;
  readonly onGoOn: (work: () => Promise<void>) => void;
}

function Remembered({ chat, snapshot, busy, onGoOn }: RememberedProps) {
  if (snapshot.remembered.length === 0) return null;
  return (
    <ul class="remembered" aria-label="People who were here before">
      {snapshot.remembered.map(({ account, name }) => (
        <li key={account}>
          <button type="button" class="go-on" disabled={busy} onClick={() => onGoOn(() => chat.goOn(account))}>
            <Avatar name={name} />
            <span>
              Go on as <bdi>{name}</bdi>
            </span>
          </button>
          <button
            type="button"
            class="plain"
            aria-label={`Forget ${name}`}
            title={`Forget ${name}`}
            onClick={() => chat.forget(account)}
          >
            <CloseIcon />
          </button>
        </li>
      ))}
    </ul>
  );
}
