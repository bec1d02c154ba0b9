import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JSON_DEPTH_MAX, peekJson } from "../../../proxy/http/json-peek.ts";

const WANTED = new Set(["model", "stream"]);
const peek = (text: string): ReturnType<typeof peekJson> => peekJson(Buffer.from(text), WANTED);
const fields = (text: string): unknown => {
  const result = peek(text);
  return result.kind === "object" ? Object.fromEntries(result.fields) : result.why;
};

describe("a look at a JSON body", () => {
  test.each([
    ['{"model":"a","stream":true}', { model: '"a"', stream: "true" }],
    ['{ "stream" : false , "model" : "b" }', { model: '"b"', stream: "false" }],
    ['{"messages":[{"model":"inner"}],"model":"outer"}', { model: '"outer"' }],
    ['{"prompt":"say \\"model\\": \\"x\\"","model":"y"}', { model: '"y"' }],
    ['{"a":"\\\\","model":"z"}', { model: '"z"' }],
    ["{}", {}],
  ])("finds top-level fields and no others in %s", (text, wanted) => {
    expect(fields(text)).toEqual(wanted);
  });

  test.each(["", "[]", '"text"', "{", '{"a":"', '{"a":[}', '{"a":1}}', "{} {}", '{"a":{]}'])(
    "refuses %j",
    (text) => {
      expect(peek(text).kind).toBe("broken");
    },
  );

  test("refuses nesting beyond the limit and takes it up to there", () => {
    const nested = (levels: number): string => `{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`;
    expect(peek(nested(JSON_DEPTH_MAX - 1)).kind).toBe("object");
    expect(peek(nested(JSON_DEPTH_MAX)).kind).toBe("broken");
    expect(peek(`{"a":${"[".repeat(10_000_000)}`).kind).toBe("broken");
  });

  test("agrees with a real parser on whatever that parser accepts", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })),
        fc.string(),
        fc.boolean(),
        (rest, model, stream) => {
          const text = JSON.stringify({ ...rest, model, stream });
          expect(fields(text)).toMatchObject({
            model: JSON.stringify(model),
            stream: String(stream),
          });
        },
      ),
    );
  });

  test("refuses every truncation of a valid body", () => {
    const text = JSON.stringify({
      model: "m",
      messages: [{ role: "user", content: 'a "quoted" thing \\' }],
      stream: true,
    });
    for (let end = 0; end < text.length; end++)
      expect(peek(text.slice(0, end)).kind).toBe("broken");
  });
});
