import { describe, expect, test } from "vitest";
import { SweepError } from "../../../proxy/synthetic/sweep-error.ts";
import { readSweepRequest } from "../../../proxy/synthetic/sweep-request.ts";

const sentenceOf = (body: unknown): string => {
  try {
    readSweepRequest(body);
    return "";
  } catch (error) {
    expect(error).toBeInstanceOf(SweepError);
    return (error as SweepError).message;
  }
};

describe("a body that asks for a sweep", () => {
  test("needs no more than a replica", () => {
    expect(readSweepRequest({ replica: "vllm-0" })).toEqual({ replica: "vllm-0" });
  });

  test.each([
    [null, "the body must be an object"],
    [[], "the body must be an object"],
    [{}, "replica must name a replica"],
    [{ replica: "" }, "replica must name a replica"],
    [{ replica: 7 }, "replica must name a replica"],
    [
      { replica: "a", path: "sideways" },
      'path must be one of direct, routed, both, not "sideways"',
    ],
    [{ replica: "a", traffic: "alone" }, "traffic must be one of drained, beside"],
    [{ replica: "a", shapes: "1024x128" }, "shapes must be a list of shapes"],
    [{ replica: "a", shapes: [] }, "shapes is empty"],
    [{ replica: "a", shapes: Array(33).fill("1x1") }, "shapes has more than 32"],
    [{ replica: "a", objectives: [1] }, "objectives.0 must be a list of objectives"],
    [
      { replica: "a", limits: { share: 2 } },
      "limits.share must be a share above 0, up to 1, not 2",
    ],
    [{ replica: "a", limits: { share: 0 } }, "limits.share"],
    [{ replica: "a", limits: { tokens: 1.5 } }, "limits.tokens must be a whole number"],
    [{ replica: "a", limits: { minutes: -1 } }, "limits.minutes must be minutes from"],
    [{ replica: "a", guards: { ttftP95Ms: "1s" } }, "guards.ttftP95Ms must be milliseconds"],
    [{ replica: "a", seed: -1 }, "seed must be a whole number"],
    [{ replica: "a", confirm: "yes" }, "confirm must be true or false"],
    [{ replica: "a", leaseSeconds: 1 }, "leaseSeconds must be a whole number from 2 to 3600"],
    [{ replica: "a", url: "http://169.254.169.254/" }, "url is no field of a sweep: leave it out"],
    [{ replica: "a", limits: { gpus: 1 } }, "limits.gpus is no field of a sweep"],
  ])("%j is refused in a sentence that names the field", (body, sentence) => {
    expect(sentenceOf(body)).toContain(sentence);
  });

  test("S16 names a replica of the fleet by its id: no field takes an address", () => {
    for (const field of ["url", "target", "host", "address"])
      expect(sentenceOf({ replica: "a", [field]: "http://169.254.169.254/" })).toBe(
        `${field} is no field of a sweep: leave it out.`,
      );
  });

  test("says every field that is wrong at once", () => {
    const sentence = sentenceOf({ replica: "", path: "x", seed: "1" });
    for (const field of ["replica", "path", "seed"]) expect(sentence).toContain(field);
  });

  test("never says a long value back", () => {
    expect(sentenceOf({ replica: "x".repeat(5_000) }).length).toBeLessThan(200);
  });
});
