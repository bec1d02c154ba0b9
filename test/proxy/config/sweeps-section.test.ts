import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../proxy/config/config-error.ts";
import { parseLayer } from "../../../proxy/config/file-layer.ts";
import type { Settings } from "../../../proxy/config/schema.ts";
import { checkSettings } from "../../../proxy/config/settings.ts";

const read = (text: string): Settings => checkSettings([parseLayer("pitot.yaml", text)]);

function problem(text: string): string {
  try {
    read(text);
    return "";
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

describe("the section sweeps", () => {
  test("says what every sweep keeps to, in the words of a request for one", () => {
    const text =
      "sweeps:\n  preset: smoke\n  shapes: [almanac-9, my-traffic]\n  limits: {minutes: 30}\n  runsMax: 50\n";
    const { sweeps } = read(text);
    expect(sweeps).toEqual({
      preset: "smoke",
      shapes: ["almanac-9", "my-traffic"],
      limits: { minutes: 30 },
      guards: {},
      runsMax: 50,
    });
    expect(read("").sweeps).toEqual({
      limits: {},
      guards: {},
    });
  });

  test.each([
    [
      "a shape of sweeps that is none",
      "sweeps:\n  shapes: [tall]",
      'pitot.yaml:2:12: sweeps.shapes[0] ("tall") is not right: "tall" is no list of shapes',
    ],
    [
      "an objective of sweeps that is none",
      "sweeps:\n  objectives: [ttft<1s, fast]",
      'sweeps.objectives[1] ("fast") is not right: "fast" is not an objective',
    ],
    [
      "a preset of sweeps that is none",
      "sweeps: {preset: gigantic}",
      'sweeps.preset ("gigantic") must be one of smoke, quick, standard, full',
    ],
    [
      "more of a replica for sweeps than there is",
      "sweeps:\n  limits: {share: 2}",
      "pitot.yaml:2:19: sweeps.limits.share (2) must be at most 1.",
    ],
    [
      "a guard of sweeps nobody has",
      "sweeps:\n  guards: {ttft: 300}",
      "sweeps.guards.ttft is not a setting",
    ],
  ])("with %s is refused at its line and column", (_what, text, said) => {
    expect(problem(text)).toContain(said);
  });
});
