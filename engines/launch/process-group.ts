import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Clock } from "../clock.ts";
import { LogLines, type LogListener } from "./log-lines.ts";

/** How a process came to its end. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface GroupOptions {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Its container, which outlives the program that started it and must be stopped by name. */
  readonly container?: string;
  /** How long the guard lets it clean up should we die. */
  readonly orphanGraceMs?: number;
  readonly clock: Clock;
  readonly log: LogListener;
}

/** Between looks at whether the group is gone. */
const GONE_POLL_MS = 50;
/** After SIGKILL only the kernel can hold a process, for instance while it frees a GPU. */
const KILLED_LIMIT_MS = 10_000;
/** The last words of a process that ended are in its pipes already. */
const LOG_LIMIT_MS = 1_000;
/** An engine whose owner died gets this long to free its GPUs. */
const ORPHAN_GRACE_MS = 10_000;

/**
 * Waits on a pipe whose other end only we hold. A line disarms it; the pipe's end without one means that we died, however that came,
 * and it takes the group down in our place. `$1` group, `$2` seconds, `$3` container or nothing.
 */
const GUARD = `
if read -r _; then exit 0; fi
if [ -n "$3" ]; then docker stop -t "$2" "$3" >/dev/null 2>&1; fi
kill -s TERM -- "-$1" 2>/dev/null || exit 0
left="$2"
while [ "$left" -gt 0 ] && kill -s 0 -- "-$1" 2>/dev/null; do sleep 1; left=$((left - 1)); done
kill -s KILL -- "-$1" 2>/dev/null
exit 0
`;

/**
 * A program and everything it starts, as one process group: engines fork a worker per GPU, which outlive them when only the parent
 * is killed and keep the GPU's memory. A guard process takes the group down should we die ourselves, even by SIGKILL.
 */
export class ProcessGroup {
  readonly #child: ChildProcess;
  readonly #guard: ChildProcess | null;
  readonly #clock: Clock;
  readonly #container: string | null;
  readonly #ended: Promise<Ending>;
  readonly #logEnded: Promise<unknown>;

  /** Starts it at once; {@link ended} rejects when the program cannot be run. */
  constructor(options: GroupOptions) {
    const [program = "", ...args] = options.command;
    this.#clock = options.clock;
    this.#container = options.container ?? null;
    this.#child = spawn(program, args, {
      // A group of its own: Ctrl-C in our terminal reaches us alone, and we stop the group in order.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      const lines = new LogLines(options.log);
      stream?.on("data", (chunk: Buffer) => {
        lines.write(chunk);
      });
      stream?.on("end", () => {
        lines.end();
      });
    }
    this.#logEnded = new Promise((resolve) => {
      this.#child.once("close", resolve);
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("exit", (code, signal) => {
        // Workers without their parent serve nobody.
        this.#signal("SIGKILL");
        this.#disarm();
        resolve({ code, signal });
      });
    });
    // Everyone who waits hears of a failure; nobody waiting must not end the process.
    this.#ended.catch(() => {});
    this.#guard = this.#watch(options.orphanGraceMs ?? ORPHAN_GRACE_MS);
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  /** Resolves when the program itself ended; rejects when it could not be started. */
  get ended(): Promise<Ending> {
    return this.#ended;
  }

  /** Resolves when everything it wrote has been heard, or after a moment: what it left running may hold its pipes. */
  async logEnded(): Promise<void> {
    const stop = new AbortController();
    await Promise.race([this.#logEnded, this.#clock.after(LOG_LIMIT_MS, stop.signal)]);
    stop.abort();
  }

  /**
   * Asks the whole group to end, and after `graceMs` ends it. Resolves when none of it runs any more.
   * Rejects when the kernel does not let go of it.
   */
  async stop(graceMs: number): Promise<void> {
    if (this.#child.pid === undefined) return;
    if (this.#container !== null) await stopContainer(this.#container, graceMs);
    this.#signal("SIGTERM");
    if (!(await this.#goneWithin(graceMs))) {
      this.#signal("SIGKILL");
      if (!(await this.#goneWithin(KILLED_LIMIT_MS)))
        throw new Error(
          `process group ${this.#child.pid} is still there ${KILLED_LIMIT_MS / 1000} s after SIGKILL: look for processes in state D.`,
        );
    }
    this.#disarm();
    await this.#ended.catch(() => {});
    // Pipes a stranger inherited would keep us alive.
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  async #goneWithin(limitMs: number): Promise<boolean> {
    const untilMs = this.#clock.nowMs() + limitMs;
    while (isAlive(this.#child.pid ?? 0)) {
      if (this.#clock.nowMs() >= untilMs) return false;
      await this.#clock.after(GONE_POLL_MS);
    }
    return true;
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // Nobody of the group is left.
    }
  }

  #watch(graceMs: number): ChildProcess | null {
    const { pid } = this.#child;
    if (pid === undefined) return null;
    const seconds = String(Math.ceil(graceMs / 1000));
    const args = ["-c", GUARD, "pitot-guard", String(pid), seconds, this.#container ?? ""];
    const guard = spawn("/bin/sh", args, { detached: true, stdio: ["pipe", "ignore", "ignore"] });
    // It ends with us, not we with it.
    guard.unref();
    guard.on("error", () => {});
    guard.stdin.on("error", () => {});
    if ("unref" in guard.stdin && typeof guard.stdin.unref === "function") guard.stdin.unref();
    return guard;
  }

  #disarm(): void {
    this.#guard?.stdin?.end("\n");
  }
}

/** A container ends by name: killing `docker run` only detaches from it. */
function stopContainer(name: string, graceMs: number): Promise<void> {
  const child = spawn("docker", ["stop", "-t", String(Math.ceil(graceMs / 1000)), name], {
    stdio: "ignore",
  });
  return new Promise((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
}

/** Whether any process of a group still runs. One that ended but was not yet collected by its parent does not. */
function isAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  return membersOf(group)?.some((state) => state !== "Z" && state !== "X") ?? true;
}

/** States of a group's processes (proc(5)), or `null` where there is no /proc. */
function membersOf(group: number): readonly string[] | null {
  let entries: readonly string[];
  try {
    entries = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return null;
  }
  return entries.flatMap((pid) => {
    const [state = "", , processGroup] = statOf(pid);
    return Number(processGroup) === group ? [state] : [];
  });
}

/** Fields of /proc/PID/stat after the program's name, which may itself hold blanks and brackets; empty when it just ended. */
function statOf(pid: string): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}
