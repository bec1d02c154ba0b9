import type { ServerResponse } from "node:http";
import type { Clock } from "../../engines/clock.ts";
import type { Members } from "../upstream/members.ts";

export interface OwnRoutesOptions {
  readonly clock: Clock;
  readonly replicas: Members;
  readonly isDraining: () => boolean;
}

interface OwnAnswer {
  readonly status: number;
  readonly value: object;
}

/** What the data plane answers itself: whether it lives, whether it can serve, and what. */
export class OwnRoutes {
  readonly #options: OwnRoutesOptions;
  readonly #answers: ReadonlyMap<string, () => OwnAnswer>;

  constructor(options: OwnRoutesOptions) {
    this.#options = options;
    this.#answers = new Map([
      ["/healthz", () => ({ status: 200, value: { status: "ok" } })],
      ["/readyz", () => this.#ready()],
      ["/v1/models", () => this.#models()],
    ]);
  }

  has(path: string): boolean {
    return this.#answers.has(path);
  }

  /** Answers a GET or HEAD of a path that {@link has} says is ours. */
  answer(path: string, response: ServerResponse, requestId: string): void {
    const { status, value } = this.#answers.get(path)?.() ?? { status: 404, value: {} };
    const text = JSON.stringify(value);
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      "x-request-id": requestId,
    });
    // Node leaves a HEAD's body out by itself.
    response.end(text);
  }

  #ready(): OwnAnswer {
    const available = [...this.#options.replicas.all()].filter(
      (replica) => replica.available,
    ).length;
    const draining = this.#options.isDraining();
    const ready = available > 0 && !draining;
    return { status: ready ? 200 : 503, value: { ready, available, draining } };
  }

  /** The union over replicas that are up, each model once. */
  #models(): OwnAnswer {
    const created = Math.floor(this.#options.clock.nowMs() / 1000);
    const ids = new Set(
      [...this.#options.replicas.all()]
        .filter((replica) => replica.available)
        .flatMap((replica) => replica.models),
    );
    const data = [...ids].map((id) => ({ id, object: "model", created, owned_by: "pitot" }));
    return { status: 200, value: { object: "list", data } };
  }
}
