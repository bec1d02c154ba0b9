import type { Exchange } from "../../engines/exchange.ts";
import { forkRandom, integer, type Random } from "../../engines/random.ts";
import type { FollowUp } from "../stage.ts";
import type { Prompts } from "../sweep/point-run.ts";
import type { Prompt } from "../target.ts";
import type { DatasetRow } from "./dataset.ts";
import type { Material, Piece } from "./material.ts";
import { agedShape, type Shape } from "./shape.ts";
import type { Workload } from "./workload.ts";

/** A conversation under way. */
interface Conversation {
  readonly shape: Shape;
  readonly pieces: Piece[];
  turn: number;
}

/**
 * The prompts of a workload. Each differs from all others from its first token on, unless the workload says what share of
 * it is common; turns of a conversation hold everything before them.
 */
export function workloadPrompts(
  workload: Workload,
  material: Material,
  options: { readonly seed: number; readonly rows: readonly DatasetRow[] },
): Prompts {
  const { turns, thinkMs } = workload;
  const { seed, rows } = options;
  // Bounded by the conversations under way, which the stage bounds.
  const talks = new Map<string, Conversation>();
  const prefixes = commonPrefixes(workload, material, seed);
  return {
    next(random, index, age = 0) {
      const row =
        rows.length === 0 ? undefined : rows[(index + integer(random, rows.length)) % rows.length];
      if (row !== undefined) return rowPrompt(row, age);
      const shape = pickShape(workload, random);
      const sent = agedShape(shape, age);
      const first = userPiece({ workload, material, prefixes }, sent.inputTokens, random);
      const session = turns > 1 ? `pitot-${nameOf(random)}` : null;
      if (session !== null) talks.set(session, { shape, pieces: [first], turn: 1 });
      return promptOf(material, [first], { shape: sent, session });
    },
    follow: (exchange, prompt) => {
      const talk = prompt.session === null ? undefined : talks.get(prompt.session);
      if (talk === undefined || prompt.session === null) return null;
      if (talk.turn >= turns || exchange.outcome.kind !== "completed") {
        talks.delete(prompt.session);
        return null;
      }
      return nextTurn({ material, talk, seed, thinkMs }, prompt.session);
    },
    answered: (exchange, prompt) => {
      learnFrom(material, exchange, prompt);
    },
  };
}

function promptOf(
  material: Material,
  pieces: readonly Piece[],
  about: { readonly shape: Shape; readonly session: string | null },
): Prompt {
  const turns = Math.ceil(pieces.length / 2);
  const tokens = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const isFirst = pieces.length === 1;
  return {
    route: material.route,
    body: material.body(pieces),
    inputTokens: isFirst ? about.shape.inputTokens : tokens + material.overheadTokens(turns),
    outputTokens: about.shape.outputTokens,
    session: about.session,
  };
}

/** The next turn of a user: what was said, an answer of the length that came, and as much again as the first time. */
function nextTurn(
  about: { material: Material; talk: Conversation; seed: number; thinkMs: number },
  session: string,
): FollowUp {
  const { material, talk, seed, thinkMs } = about;
  const random = forkRandom(seed, `${session}/${talk.turn}`);
  const { inputTokens, outputTokens } = talk.shape;
  talk.turn++;
  // The engine's own words are not kept: an answer of equal length stands for them, so caches hit what was sent before.
  talk.pieces.push(material.piece(random, outputTokens), material.piece(random, inputTokens));
  return {
    afterMs: thinkMs,
    prompt: promptOf(material, talk.pieces, { shape: talk.shape, session }),
  };
}

function userPiece(
  from: { workload: Workload; material: Material; prefixes: readonly Piece[] },
  inputTokens: number,
  random: Random,
): Piece {
  const { workload, material, prefixes } = from;
  const wanted = Math.max(1, inputTokens - material.overheadTokens(1));
  const prefix = prefixes[integer(random, Math.max(1, prefixes.length))];
  if (prefix === undefined) return material.piece(random, wanted);
  const shared = prefix.slice(0, Math.round(wanted * workload.prefixShare));
  return [...shared, ...material.piece(random, Math.max(1, wanted - shared.length))] as Piece;
}

/** Beginnings that several prompts share on purpose, long enough for the longest. */
function commonPrefixes(workload: Workload, material: Material, seed: number): readonly Piece[] {
  if (workload.prefixShare === 0) return [];
  const longest = Math.max(...workload.parts.map(({ shape }) => shape.inputTokens));
  return Array.from({ length: workload.prefixes }, (_, index) =>
    material.piece(forkRandom(seed, `prefix-${index}`), longest),
  );
}

function pickShape({ parts }: Workload, random: Random): Shape {
  let left = parts.length > 1 ? random.next() : 0;
  for (const { shape, weight } of parts) {
    left -= weight;
    if (left < 0) return shape;
  }
  return parts.at(-1)?.shape ?? { inputTokens: 1, outputTokens: 1 };
}

/** The text is what it is: only the answer of a row can be shortened. */
function rowPrompt(row: DatasetRow, age: number): Prompt {
  const { body, route, inputTokens } = row;
  const { outputTokens } = agedShape({ inputTokens: 0, outputTokens: row.outputTokens }, age);
  return { route, body, inputTokens: inputTokens ?? 0, outputTokens, session: null };
}

function learnFrom(material: Material, exchange: Exchange, prompt: Prompt): void {
  const { input, countedBy } = exchange.tokens;
  const isFirstTurn = prompt.session === null;
  if (input !== null && prompt.inputTokens > 0 && countedBy !== "events" && isFirstTurn) {
    material.learn(prompt.inputTokens, input);
  }
}

function nameOf(random: Random): string {
  return integer(random, 2 ** 32).toString(36);
}
