import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { EngineName, EngineStats, ProbeAnswer, Recognition } from "../../engines/engine.ts";
import type { CountedBy, InferenceRoute, OutcomeKind } from "../../engines/exchange.ts";

/** One kept answer and how it must be read. */
export interface Conversation {
  readonly name: string;
  readonly route: InferenceRoute;
  /** Its bytes, beside the `fixture.json`. */
  readonly file: string;
  readonly type: string;
  readonly status?: number;
  readonly expect: {
    readonly outcome: OutcomeKind;
    /** Finish reason of a completed answer, code of any other. */
    readonly ends: string | null;
    readonly input: number | null;
    readonly output: number | null;
    readonly cachedInput?: number | null;
    readonly reasoning?: number | null;
    readonly countedBy: CountedBy;
    readonly outputEvents: number;
    /** Index of the event block (comments and pings included) that brought the first output; `null` for none. */
    readonly firstOutput: number | null;
  };
}

/** A `fixture.json`: what one version of one engine says. */
export interface Fixture {
  readonly engine: EngineName;
  readonly version: string;
  /** `recorded` from a running server, or written after its source. */
  readonly origin: "recorded" | "written";
  /** Files of the engine's repository the bytes follow, with the commit or tag read. */
  readonly follows: readonly { readonly file: string; readonly at: string }[];
  readonly pages: Readonly<Record<string, PageFixture>>;
  readonly recognised: Partial<Recognition>;
  readonly stats?: Readonly<Record<string, Partial<EngineStats> | null>>;
  readonly conversations: readonly Conversation[];
}

interface PageFixture {
  readonly file?: string;
  /** In place of a file. */
  readonly json?: unknown;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface LoadedFixture extends Fixture {
  /** `vllm/0.25.1` */
  readonly name: string;
  bytesOf(conversation: Conversation): Buffer;
  /** What a GET of the path answers; 404 when the fixture holds no such page. */
  page(path: string): ProbeAnswer;
}

const ROOT = join(import.meta.dirname, "../fixtures/engines");

/** Every fixture of every engine, in the order of their names. */
export function engineFixtures(): readonly LoadedFixture[] {
  return readdirSync(ROOT)
    .toSorted()
    .flatMap((engine) =>
      readdirSync(join(ROOT, engine))
        .toSorted()
        .map((one) => `${engine}/${one}`),
    )
    .map(load);
}

function load(name: string): LoadedFixture {
  const folder = join(ROOT, name);
  const fixture = JSON.parse(readFileSync(join(folder, "fixture.json"), "utf8")) as Fixture;
  return {
    ...fixture,
    name,
    bytesOf: (conversation) => readFileSync(join(folder, conversation.file)),
    page(path) {
      const page = fixture.pages[path];
      if (page === undefined) return { path, status: 404, headers: {}, body: "Not Found" };
      const body =
        page.file === undefined
          ? JSON.stringify(page.json)
          : readFileSync(join(folder, page.file), "utf8");
      return { path, status: page.status ?? 200, headers: page.headers ?? {}, body };
    },
  };
}
