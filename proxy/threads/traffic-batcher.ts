import { type Cancel, type Clock, every } from "../../engines/clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import type { ExchangeStart } from "../../engines/exchange-timer.ts";
import { Feed, type UnderWay } from "../telemetry/feed.ts";
import type { FleetEvent } from "../upstream/fleet.ts";
import type { Members } from "../upstream/members.ts";
import type { Report, TrafficBatch } from "./message.ts";

/** How often a thread tells what happened: well within the second in which figures are drawn. */
const BATCH_MS = 200;
/** Beginnings are told sooner: a request whose thread dies before it was told of would leave no record. */
const BEGAN_MS = 1;

/** Gathers what happens on a thread and tells it in batches: nothing crosses threads per event or per request. */
export class TrafficBatcher {
  readonly feed: Feed;
  readonly #members: Members;
  readonly #report: (report: Report, transfer: readonly ArrayBuffer[]) => void;
  readonly #cancel: Cancel;
  #cancelSoon: Cancel = () => {};
  #began: ExchangeStart[] = [];
  #ended: Exchange[] = [];

  constructor(
    clock: Clock,
    members: Members,
    report: (report: Report, transfer: readonly ArrayBuffer[]) => void,
  ) {
    this.#members = members;
    this.#report = report;
    this.feed = new Feed([
      {
        began: ({ start }: UnderWay) => {
          this.#began.push(start);
          if (this.#began.length === 1)
            this.#cancelSoon = clock.schedule(BEGAN_MS, this.#tellBegan);
        },
        ended: (exchange) => {
          this.#ended.push(exchange);
        },
        happened: (event: FleetEvent) => {
          report({ kind: "event", event }, []);
        },
      },
    ]);
    this.#cancel = every(clock, BATCH_MS, () => {
      this.flush();
    });
  }

  readonly #tellBegan = (): void => {
    if (this.#began.length === 0) return;
    this.#report({ kind: "began", starts: this.#began }, []);
    this.#began = [];
  };

  /** Tells what there is now. */
  flush(): void {
    this.#tellBegan();
    const batch: TrafficBatch = {
      ended: this.#ended,
      views: [...this.feed.inFlight()].map((request) => request.view()),
      lastByteMs: [...this.#members.all()].map((replica) => [replica.id, replica.lastByteMs]),
    };
    // Answers without output share one empty array, which must stay where it is.
    const transfer = this.#ended
      .filter(({ outputOffsetsMs }) => outputOffsetsMs.length > 0)
      .map(({ outputOffsetsMs }) => outputOffsetsMs.buffer as ArrayBuffer);
    this.#ended = [];
    this.#report({ kind: "traffic", batch }, transfer);
  }

  stop(): void {
    this.#cancel();
    this.#cancelSoon();
    this.flush();
  }
}
