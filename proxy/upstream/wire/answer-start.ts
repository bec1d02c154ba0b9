import { malformed } from "./wire-error.ts";

/** Status line and headers of an answer, read strictly, and what they say of its body and its connection. */
export interface AnswerStart {
  readonly status: number;
  readonly message: string;
  /** Flat list of names and values as they came, in latin-1 (RFC 9110 §5.5). */
  readonly raw: string[];
  /** Bytes of the body; `null` where it comes in chunks or ends with the connection. */
  readonly bodyBytes: number | null;
  readonly isChunked: boolean;
  /** Whether the connection may carry another request (RFC 9112 §9.3). */
  readonly keepsAlive: boolean;
  /** How long the engine says it keeps an idle connection (`Keep-Alive: timeout=5`), in ms; `Infinity` when it does not. */
  readonly idleMsMax: number;
}

/** What the fields say so far. */
interface Framing {
  bodyBytes: number | null;
  isChunked: boolean;
  hasCoding: boolean;
  keepsAlive: boolean;
  idleMsMax: number;
}

/** Controls nowhere, line breaks only in pairs: what llhttp refuses when it is strict, and with reason (RFC 9112 §2.2). */
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const DIGITS = /^\d{1,15}$/;

/** Reads everything before the empty line. @throws {WireError} for what is no answer, or one whose end two readers would see apart. */
export function readAnswerStart(text: string): AnswerStart {
  if (FORBIDDEN.test(text)) throw malformed("its head holds control characters");
  const lineEnd = endOfLine(text, 0);
  const minor = text.charCodeAt(7) - 48;
  const status = Number(text.slice(9, 12));
  const isLine = text.startsWith("HTTP/1.") && (minor === 0 || minor === 1) && text[8] === " ";
  const isStatus = status >= 100 && (lineEnd === 12 || text[12] === " ");
  if (!isLine || !isStatus) throw malformed("it does not begin with a status line");
  const framing: Framing = {
    bodyBytes: null,
    isChunked: false,
    hasCoding: false,
    keepsAlive: minor === 1,
    idleMsMax: Infinity,
  };
  const raw = readFields(text, lineEnd + 2, framing);
  if (framing.hasCoding && framing.bodyBytes !== null)
    throw malformed("it states both a length and a transfer coding");
  const { bodyBytes, isChunked, keepsAlive, idleMsMax } = framing;
  const message = text.slice(13, Math.max(13, lineEnd));
  return { status, message, raw, bodyBytes, isChunked, keepsAlive, idleMsMax };
}

function readFields(text: string, from: number, framing: Framing): string[] {
  const raw: string[] = [];
  for (let start = from; start < text.length;) {
    const end = endOfLine(text, start);
    const colon = text.indexOf(":", start);
    const name = colon === -1 || colon > end ? "" : text.slice(start, colon);
    // A folded line begins with a space, which no name does (RFC 9112 §5.2).
    if (!TOKEN.test(name)) throw malformed("it holds a line that is no header field");
    const value = trimmed(text, colon + 1, end);
    raw.push(name, value);
    if (name.length === 14 || name.length === 17 || name.length === 10)
      takeFraming(name.toLowerCase(), value, framing);
    start = end + 2;
  }
  return raw;
}

function takeFraming(name: string, value: string, framing: Framing): void {
  if (name === "content-length") {
    if (!DIGITS.test(value) || framing.bodyBytes !== null)
      throw malformed("its length is stated twice, or is no number");
    framing.bodyBytes = Number(value);
  } else if (name === "transfer-encoding") {
    framing.hasCoding = true;
    // Only as the last coding does it say where the body ends (RFC 9112 §6.3).
    framing.isChunked = /(?:^|,)[ \t]*chunked$/i.test(value);
  } else if (name === "connection") {
    if (/\bclose\b/i.test(value)) framing.keepsAlive = false;
    else if (/\bkeep-alive\b/i.test(value)) framing.keepsAlive = true;
  } else if (name === "keep-alive") {
    const [, seconds] = /\btimeout=(\d+)/i.exec(value) ?? [];
    if (seconds !== undefined) framing.idleMsMax = Number(seconds) * 1_000;
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\r\n", from);
  return end === -1 ? text.length : end;
}

/** Without spaces and tabs at either end. */
function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
