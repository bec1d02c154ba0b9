import type { Clock } from "../../engines/clock.ts";
import type { SweepEvent } from "../../load/sweep/events.ts";
import { type Lines, plainLines } from "../commands/sweep-lines.ts";
import { Painter, type Screen } from "./painter.ts";
import { nothingYet, stateAfter } from "./sweep-state.ts";
import { sweepView } from "./sweep-view.ts";

/** A reader of a sweep's events on a terminal, and its end. */
export interface LiveLines {
  /** Lines that go above what is under way. */
  readonly lines: Lines;
  readonly take: (event: SweepEvent) => void;
  /** Gives the terminal back; harmless twice. */
  readonly close: () => void;
}

/** Writes finished points as plain lines do, and keeps what is under way at the bottom of the terminal. */
export function liveLines(lines: Lines, screen: Screen, clock: Clock): LiveLines {
  let state = nothingYet;
  const painter = new Painter(screen, clock, () => sweepView(state, clock.nowMs()));
  const above =
    (write: (line: string) => void) =>
    (line: string): void => {
      painter.above(() => {
        write(line);
      });
    };
  const lifted = { data: above(lines.data), progress: above(lines.progress) };
  const plain = plainLines(lifted);
  return {
    lines: lifted,
    take: (event) => {
      state = stateAfter(state, event);
      if (event.kind === "ended") painter.close();
      if (event.kind !== "progress") plain(event);
    },
    close: painter.close,
  };
}
