import { useRef, useState } from "preact/hooks";
import { sentence } from "./sentence";

/** Something that is asked of the server by a form: one at a time, and in words what becomes of it. */
export interface Task {
  readonly busy: boolean;
  readonly run: (words: string, work: () => Promise<void>) => Promise<void>;
  readonly fail: (fault: string) => void;
  /** What is said next to the form. */
  readonly words: string;
  readonly fault: string;
}

export function useTask(): Task {
  const [words, setWords] = useState("");
  const [fault, setFault] = useState("");
  const running = useRef(false);
  const run = async (doing: string, work: () => Promise<void>) => {
    if (running.current) return;
    running.current = true;
    setFault("");
    setWords(doing);
    try {
      await work();
    } catch (reason) {
      setFault(sentence(reason));
    } finally {
      running.current = false;
      setWords("");
    }
  };
  return { busy: words !== "", run, fail: setFault, words, fault };
}

export function TaskWords({ task }: { task: Task }) {
  return (
    <>
      <p class="hint" role="status">
        {task.words}
      </p>
      {task.fault !== "" && (
        <p class="fault" role="alert">
          {task.fault}
        </p>
      )}
    </>
  );
}
