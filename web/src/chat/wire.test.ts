import { expect, it } from "vitest";
import { newKey } from "./keys";
import { readLine, readMessage, readReplicas } from "./protocol";

it("a key is a UUID of version 7 that begins with the time", () => {
  const key = newKey(0x0198f0a1b2c3, new Uint8Array(16).fill(0xff));
  expect(key).toBe("0198f0a1-b2c3-7fff-bfff-ffffffffffff");
  expect(newKey(1, new Uint8Array(16)) < newKey(2, new Uint8Array(16))).toBe(true);
});

it("nothing that a server says can throw", () => {
  for (const text of ["", "x", "1", "null", "[]", "{}", '{"id":1}', '"text"']) expect(readLine(text), text).toBeUndefined();
  expect(readLine('{"id":"x","ok":null}')).toEqual({ id: -1, result: { ok: {} } });
  expect(readLine('{"id":1,"error":7}')).toEqual({ id: 1, result: { error: { code: "internal", text: "The server refused." } } });
  expect(readMessage({ message: 1, from_account: "a" })).toBeUndefined();
  expect(readReplicas([null, 1, { name: "a" }, { name: 2 }])).toEqual([{ name: "a", address: "", state: "" }]);
});
