import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { ConfigError } from "../../../proxy/config/config-error.ts";
import { envLayer } from "../../../proxy/config/env-layer.ts";
import { parseLayer } from "../../../proxy/config/file-layer.ts";
import { redact } from "../../../proxy/config/redact.ts";
import { replicaSpecs } from "../../../proxy/config/replica-specs.ts";
import { settingsJsonSchema, settingsSchema } from "../../../proxy/config/schema.ts";
import { resolveSecret } from "../../../proxy/config/secret.ts";
import { checkSettings } from "../../../proxy/config/settings.ts";

function problems(text: string, environment: Record<string, string> = {}): readonly string[] {
  try {
    checkSettings([parseLayer("pitot.yaml", text), envLayer(environment)]);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ where, message }) => `${where}: ${message}`);
  }
}

describe("a configuration file", () => {
  test("that is empty gives every default", () => {
    const settings = checkSettings([parseLayer("pitot.yaml", "")]);
    expect(settings).toMatchObject({
      listen: { host: "0.0.0.0", port: 8080 },
      admin: { host: "127.0.0.1", port: 8081 },
      replicas: [],
      routing: { policy: "least-in-flight" },
      timeouts: { firstTokenMs: 300_000, stallMs: 120_000, models: {} },
      requests: { bodyBytesMax: 33_554_432, connectionsMax: 10_000, trustedPeers: [] },
    });
  });

  test("is frozen once read", () => {
    const settings = checkSettings([parseLayer("pitot.yaml", "replicas: [http://a]")]);
    expect(() => Object.assign(settings.timeouts, { stallMs: 1 })).toThrow(TypeError);
    expect(Object.isFrozen(settings.replicas[0])).toBe(true);
  });

  test("names replicas as a URL, as name=URL and as a mapping", () => {
    const text = "replicas:\n  - http://a:1\n  - b=http://b:2\n  - {url: http://c:3, weight: 2}\n";
    const { replicas } = checkSettings([parseLayer("pitot.yaml", text)]);
    expect(replicas).toEqual([
      { url: "http://a:1" },
      { url: "http://b:2", name: "b" },
      { url: "http://c:3", weight: 2 },
    ]);
  });

  test.each([
    ["a misspelt section", "timeout: {}", "pitot.yaml:1:10: timeout is not a setting"],
    [
      "a misspelt field",
      "timeouts:\n  stall: 1",
      "pitot.yaml:2:10: timeouts.stall is not a setting",
    ],
    [
      "a negative time",
      "timeouts:\n  stallMs: -1",
      "pitot.yaml:2:12: timeouts.stallMs (-1) must be more than 0.",
    ],
    [
      "a word for a number",
      "timeouts:\n  stallMs: soon",
      'pitot.yaml:2:12: timeouts.stallMs ("soon") must be a number.',
    ],
    [
      "an unknown policy",
      "routing:\n  policy: best",
      'pitot.yaml:2:11: routing.policy ("best") must be one of least-in-flight',
    ],
    [
      "a network that is none",
      "requests:\n  trustedPeers: [lb]",
      'pitot.yaml:2:18: requests.trustedPeers[0] ("lb")',
    ],
    ["a port beyond the last", "listen: 0.0.0.0:70000", "pitot.yaml:1:9: listen"],
    [
      "a replica that is no URL",
      "replicas:\n  - {url: 'ftp://x'}",
      'pitot.yaml:2:11: replicas[0].url ("ftp://x") is not right: "ftp://x" is neither http nor https',
    ],
    [
      "a replica twice",
      "replicas:\n  - http://a:1\n  - http://a:1/",
      "pitot.yaml:3:5: replicas[1].url",
    ],
    ["a name twice", "replicas: [x=http://a:1, x=http://a:2]", "replicas[1].name"],
    ["a list at the top", "- 1", "pitot.yaml:1:1: must be a mapping"],
    ["a tab for indentation", "timeouts:\n\tstallMs: 1", "pitot.yaml:2:1: not valid YAML"],
    ["a key twice", "listen: ':1'\nlisten: ':2'", "pitot.yaml:2:1: not valid YAML"],
  ])("with %s is refused at its line and column", (_what, text, said) => {
    expect(problems(text).join("\n")).toContain(said);
  });

  test("with several problems names them all", () => {
    expect(problems("listen: x\nadmin: y\nrouting: {policy: z}")).toHaveLength(3);
  });

  test("full of aliases is refused before it is built", () => {
    const bomb = `a: &a [1]\n${Array.from({ length: 12 }, (_, at) => `b${at}: &b${at} [${`*${at === 0 ? "a" : `b${at - 1}`},`.repeat(9)}]`).join("\n")}`;
    expect(problems(bomb).join()).toContain("alias");
  });

  test("I15 that names __proto__ changes no prototype", () => {
    problems("__proto__: {polluted: 1}\ntimeouts: {__proto__: {polluted: 1}}");
    problems("", { PITOT___PROTO____POLLUTED: "1" });
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("I21 of any text is settings or problems, never a crash", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        expect(Array.isArray(problems(text))).toBe(true);
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});

describe("a promise in a sentence", () => {
  test.each([
    [
      "95 % of chat requests: first token < 300 ms over 28 days",
      {
        name: "chat first token",
        objective: 0.95,
        windowMs: 28 * 86_400_000,
        match: { route: "chat" },
        targets: [{ metric: "ttft", belowMs: 300 }],
      },
    ],
    ["99.9% of all requests", { name: "all success", objective: 0.999, windowMs: 28 * 86_400_000 }],
    [
      "90 % of my-model requests: ttft < 1 s and tpot below 50ms over 7 days",
      {
        name: "my-model ttft, tpot",
        objective: 0.9,
        windowMs: 7 * 86_400_000,
        match: { model: "my-model" },
        targets: [
          { metric: "ttft", belowMs: 1000 },
          { metric: "tpot", belowMs: 50 },
        ],
      },
    ],
  ])("%s", (sentence, wanted) => {
    const { slos } = checkSettings([parseLayer("pitot.yaml", `slos: ["${sentence}"]`)]);
    expect(slos[0]).toMatchObject(wanted);
    expect(slos[0]!.objective).toBeCloseTo(wanted.objective, 10);
  });

  test.each([
    ["most requests are fast", "is not a promise such as"],
    ["95 % of chat requests: speed < 300 ms", "is not a target such as"],
    ["95 % of chat requests: first token < 300", "is not a target such as"],
  ])("that says nothing measurable is refused: %s", (sentence, said) => {
    expect(problems(`slos: ["${sentence}"]`).join()).toContain(said);
  });

  test("twice is told apart or refused", () => {
    const twice = '["99 % of all requests", "95 % of all requests"]';
    expect(problems(`slos: ${twice}`).join()).toContain('"all success" is taken');
  });
});

describe("sections of the data path", () => {
  test("keep every default that is not named", () => {
    const { retries, health, hedging, admission } = checkSettings([
      parseLayer(
        "pitot.yaml",
        "retries: {attemptsMax: 2}\nhealth: {openMs: 9}\nadmission: {queue: {queueMax: 0}}",
      ),
    ]);
    expect(retries).toMatchObject({ attemptsMax: 2, budgetRatio: 0.2, onReset: true });
    expect(health).toMatchObject({ openMs: 9, consecutiveMax: 5 });
    expect(hedging).toMatchObject({ afterMs: null, shareMax: 0.02 });
    expect(admission.queue).toEqual({ queueMax: 0, queueMs: 30_000 });
  });

  test.each([
    ["hedging: {shareMax: 0.5}", "hedging.shareMax (0.5) must be at most 0.1"],
    ["retries: {attemptsMax: 0}", "retries.attemptsMax (0) must be at least 1"],
    ["telemetry: {otlp: {endpoint: collector}}", "telemetry.otlp.endpoint"],
    [
      "telemetry: {webhooks: [{kind: pager, url: http://x}]}",
      "must be one of generic, slack, alertmanager",
    ],
  ])("%s is refused", (text, said) => {
    expect(problems(text).join()).toContain(said);
  });
});

describe("the environment", () => {
  test("beats the file, leaf by leaf", () => {
    const file = parseLayer("pitot.yaml", "timeouts: {stallMs: 1, connectMs: 2}");
    const env = envLayer({ PITOT_TIMEOUTS__STALL_MS: "9" });
    expect(checkSettings([file, env]).timeouts).toMatchObject({ stallMs: 9, connectMs: 2 });
  });

  test("is named by its variable when it is wrong", () => {
    expect(problems("", { PITOT_TIMEOUTS__STALL_MS: "x" })).toEqual([
      'PITOT_TIMEOUTS__STALL_MS: timeouts.stallMs ("x") must be a number.',
    ]);
  });

  test("leaves variables alone that are no settings", () => {
    expect(problems("", { PITOT_ADMIN_TOKEN: "t", PITOT_API_KEY: "k", PATH: "/" })).toEqual([]);
  });
});

describe("secrets", () => {
  test("S14 are redacted wherever settings are shown, with a fingerprint that tells two apart", () => {
    const shown = JSON.stringify(
      redact({
        replicas: [
          { url: "http://user:pass@a:1", headers: { authorization: "Bearer sk-1", "x-org": "o" } },
          { url: "http://b", headers: { authorization: "env:KEY" } },
        ],
        telemetry: { token: "sk-2" },
      }),
    );
    for (const secret of ["sk-1", "sk-2", "pass", '"o"']) expect(shown).not.toContain(secret);
    expect(shown).toContain("env:KEY");
    expect(shown.match(/\*\*\* \(sha256 [0-9a-f]{8}\)/g)).toHaveLength(3);
  });

  test("are taken from a variable, and its absence is said", () => {
    expect(resolveSecret("env:KEY", { KEY: "sk" })).toBe("sk");
    expect(() => resolveSecret("env:KEY", {})).toThrow("KEY is not set");
    expect(() => resolveSecret("file:/nowhere/key", {})).toThrow("/nowhere/key cannot be read");
  });
});

describe("a replica's secrets", () => {
  test("S10 are read for it alone, from where the file says", () => {
    const specs = replicaSpecs(
      [
        { url: "http://a", apiKey: "env:A_KEY" },
        { url: "http://b", headers: { "x-api-key": "b" } },
      ],
      { A_KEY: "sk-a" },
    );
    expect(specs).toEqual([
      { url: "http://a", apiKey: "sk-a" },
      { url: "http://b", headers: { "x-api-key": "b" } },
    ]);
  });

  test("that lead nowhere are all named, and no value is shown", () => {
    const replicas = [{ url: "http://a", apiKey: "env:GONE", tls: { ca: "/nowhere/ca.pem" } }];
    expect(() => replicaSpecs(replicas, {})).toThrow(
      /replicas\[0\].apiKey: .*GONE is not set[^]*replicas\[0\].tls.ca: \/nowhere\/ca.pem/,
    );
  });
});

test("the published schema knows every section", () => {
  const { properties } = settingsJsonSchema() as { properties: object };
  expect(Object.keys(properties)).toEqual(Object.keys(settingsSchema.shape));
});
