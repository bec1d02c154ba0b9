import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { JsonPeek } from "../../../../proxy/http/json-peek.ts";
import { MODEL } from "../../../harness/fleet.ts";
import { type Answer, codeOf } from "../../../harness/http-answer.ts";
import { chat, type RawPair, startRawPair } from "../../../harness/raw-pair.ts";

let pair: RawPair;
beforeAll(async () => {
  pair = await startRawPair();
});
afterAll(() => pair.stop());

const last = () => pair.upstream.seen.at(-1)!;

async function send(body: string | Buffer): Promise<Answer> {
  const bytes = Buffer.from(body);
  const head = chat("", "").replace("content-length: 0", `content-length: ${bytes.length}`);
  return (await pair.ask(Buffer.concat([Buffer.from(head), bytes])))[0]!;
}

describe("deep and wide", () => {
  test.each([100_000, 5_000_000])("I08 %i brackets are refused with the reason", async (levels) => {
    const answer = await send(`{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`);
    expect([answer.status, codeOf(answer)]).toEqual([400, "invalid_json"]);
    expect(answer.body.toString()).toContain("nested deeper than 64");
  });

  const wide = Buffer.from(
    `{"model":"${MODEL}","rows":[${'{"a":1,"b":"c"},'.repeat(1_250_000)}{}]}`,
  );

  test("I09 20 MB of small objects arrive byte for byte", async () => {
    expect((await send(wide)).status).toBe(200);
    expect(last().body.equals(wide)).toBe(true);
  });

  test("I08 I09 no piece of a body holds the loop for a twentieth of what parsing it whole would", () => {
    const since = (start: number): number => performance.now() - start;
    const ratios = Array.from({ length: 3 }, () => {
      const start = performance.now();
      JSON.parse(wide.toString());
      const parsing = since(start);
      const peek = new JsonPeek(new Set(["model"]));
      let longest = 0;
      // Node hands out at most this much at once.
      for (let at = 0; at < wide.length; at += 65_536) {
        const began = performance.now();
        peek.push(wide.subarray(at, at + 65_536));
        longest = Math.max(longest, since(began));
      }
      expect(peek.result().kind).toBe("object");
      return longest / parsing;
    });
    // The best of three: whatever else runs on this machine can only make a round worse.
    expect(Math.min(...ratios)).toBeLessThan(1 / 20);
  });
});

describe("the model asked for", () => {
  test.each([
    ["said twice, the last is served", `{"model":"nope","model":"${MODEL}"}`, 200],
    ["said twice, the last is not served", `{"model":"${MODEL}","model":"nope"}`, 404],
    ["under an escaped key", '{"mod\\u0065l":"nope"}', 404],
    ["in an escaped value", `{"model":"${MODEL.replace("m", "\\u006d")}"}`, 200],
    ["within a message only", '{"messages":[{"model":"nope"}]}', 200],
    ["as a list", '{"model":["nope"]}', 200],
    ["as a number", '{"model":7}', 200],
    ["as null", '{"model":null}', 200],
    ["as an object", '{"model":{"model":"nope"}}', 200],
    ["in 64 KiB", `{"model":"${"x".repeat(65_536)}"}`, 200],
    ["with a line break", '{"model":"a\\nb"}', 404],
    ["as __proto__", '{"model":"__proto__"}', 404],
    ["as constructor", '{"model":"constructor"}', 404],
  ])("I10 %s", async (_name, body, status) => {
    expect((await send(body)).status).toBe(status);
    const [newest] = pair.proxy.telemetry.ring.newest();
    expect(newest!.model.length).toBeLessThanOrEqual(1_024);
  });
});

describe("bytes that are no text", () => {
  const around = (bytes: readonly number[]): Buffer =>
    Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}')]);

  test.each([
    ["a lone continuation byte", around([0x80])],
    ["an overlong slash", around([0xc0, 0xaf])],
    ["a surrogate in UTF-8", around([0xed, 0xa0, 0x80])],
    ["a cut sequence", around([0xe2, 0x82])],
    ["NUL", around([0])],
    ["a lone surrogate escaped", Buffer.from('{"a":"\\ud800"}')],
    ["a BOM before it", Buffer.from('\ufeff{"a":1}')],
    ["UTF-16", Buffer.from('{"a":1}', "utf16le")],
  ])("I11 %s is refused or arrives byte for byte", async (_name, body) => {
    const before = pair.upstream.seen.length;
    const answer = await send(body);
    const seen = pair.upstream.seen.slice(before).map((request) => request.body.toString("hex"));
    expect([answer.status, seen]).toEqual(
      answer.status === 200 ? [200, [body.toString("hex")]] : [400, []],
    );
  });
});

/** Values as the JSON grammar (RFC 8259) has them, and near misses of it; two spaces part them. */
const VALUES = [
  ...String.raw`
  1  -0  1e5  1E+2  0.5  -1.25e-3  123456789012345678901234567890  1e999  ""  "a"  "\""  "\\"  "\u0041"  "\ud83d\ude00"
  "/"  "\/"  true  false  null  []  {}  [1,2]  {"a":1}  [{"a":[1,{"b":null}]}]  "}{]["  ":,"  [ ]  { }  {"":0}
  {"a":1,"a":2}  {"__proto__":1}  "\b\f\n\r\t"  01  +1  .5  5.  1e  0x1  NaN  Infinity  -  1_000  'a'  "\x41"  "\u12"
  "a  "\"  tru  True  undefined  [1,]  [,1]  [1 2]  [  ]  [}  {"a"}  {"a":}  {"a":1,}  {a:1}  {"a" 1}  {,}  {"a":1 "b":2}
  {1:2}  }  {  /**/1  1//  #  (1)  \  "\  [[]  {{}}`
    .trim()
    .split(/\s{2,}/),
  "[\n1\t]",
  '"\u2028"',
  '"\u0001"',
  '"\t"',
  "\u00a01",
];
const CONTEXTS: readonly ((value: string) => string)[] = [
  (value) => value,
  (value) => `{"model":"${MODEL}","a":${value}}`,
  (value) => `{"a":[${value}],"model":"${MODEL}"}`,
  (value) => `{"messages":[{"content":${value}}],"stream":false}`,
  (value) => ` {\n"x" : ${value} , "model" : "${MODEL}" } `,
];
const CORPUS = VALUES.flatMap((value) => CONTEXTS.map((context) => context(value)));

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

test(`I12 of ${CORPUS.length} edge cases the valid arrive, the others do or are refused, and none is altered`, async () => {
  expect(CORPUS.length).toBeGreaterThanOrEqual(300);
  const client = await pair.client();
  for (const body of CORPUS) {
    const before = pair.upstream.seen.length;
    client.write(Buffer.from(chat("", body)));
    const { status } = (await client.answers())[0]!;
    client.forget();
    const seen = pair.upstream.seen.slice(before).map((request) => request.body.toString());
    expect([body, status, seen]).toEqual(status === 200 ? [body, 200, [body]] : [body, 400, []]);
    const value = parsed(body);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    expect([body, isObject && status !== 200]).toEqual([body, false]);
  }
  client.destroy();
});

test("I15 __proto__ and constructor in body, query and headers pollute nothing", async () => {
  const evil = '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"a":1}';
  const lines = "__proto__: 1\r\nconstructor: 1\r\nprototype: 1\r\n";
  const bytes = chat(lines, evil).replace(
    "/completions",
    "/completions?__proto__[x]=1&constructor.x=1",
  );
  expect((await pair.ask(bytes))[0]?.status).toBe(200);
  expect(last().body.toString()).toBe(evil);
  expect(({} as { x?: number }).x).toBeUndefined();
  // A name with underscores is not passed on; the others are names like any other.
  expect(last().headers.map(([name]) => name)).toEqual(
    expect.arrayContaining(["constructor", "prototype"]),
  );
});
