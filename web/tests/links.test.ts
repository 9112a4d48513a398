import { describe, expect, it } from "vitest";
import { splitLinks, visible } from "../src/ui/links";

const linked = (text: string) => splitLinks(text).flatMap((part) => (part.href === undefined ? [] : [part.text]));

describe("links", () => {
  it("are http and https only", () => {
    expect(linked("see http://a.example/x and HTTPS://b.example")).toEqual(["http://a.example/x", "HTTPS://b.example"]);
    const others = ["javascript:alert(1)", "data:text/html,x", "ftp://a.example", "www.a.example", "xhttp://a", "http://"];
    for (const text of others) expect(linked(text), text).toEqual([]);
  });

  it("end before the punctuation of the sentence", () => {
    expect(linked("Read https://a.example/x.")).toEqual(["https://a.example/x"]);
    expect(linked("(https://a.example/x)")).toEqual(["https://a.example/x"]);
    expect(linked("(https://a.example/x_(y))!")).toEqual(["https://a.example/x_(y)"]);
    expect(linked("https://a.example/?a=1&b=2?!…")).toEqual(["https://a.example/?a=1&b=2"]);
    expect(linked("<https://a.example/>")).toEqual(["https://a.example/"]);
    expect(linked("“https://a.example/”")).toEqual(["https://a.example/"]);
  });

  it("end where the direction of writing is turned", () => {
    expect(linked("https://a.example/\u202egpj.exe")).toEqual(["https://a.example/"]);
  });

  it("lose nothing of the text", () => {
    const texts = ["", "plain", "https://a.example", "a https://b.example. c\nhttps://d.example", "http://[", "https://:::"];
    for (const text of texts) {
      expect(splitLinks(text).map((part) => part.text).join(""), text).toBe(text);
    }
  });

  it("take no longer for a text that is made to be slow", () => {
    const text = `https://a.example/${")".repeat(16_000)}`;
    const start = performance.now();
    expect(linked(text)).toEqual(["https://a.example/"]);
    expect(linked(`https://a.example/${"(".repeat(8_000)}${")".repeat(8_000)}`)).toHaveLength(1);
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe("control characters", () => {
  it("can be seen, but for line feed and tab", () => {
    expect(visible("a\u0000b\u0007c\u001bd\u007fe\u0085f")).toBe("a␀b␇c␛d␡e\ufffdf");
    expect(visible("one\r\ntwo\tthree\rfour")).toBe("one\ntwo\tthree␍four");
  });
});
