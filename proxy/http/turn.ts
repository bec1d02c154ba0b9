import type { Place, Queue } from "../admission/queue.ts";
import type { Blocked, Routed, RouteRequest } from "../routing/policy.ts";
import type { Router } from "../routing/router.ts";
import type { Tried } from "../routing/tried.ts";

/** One request's way to a replica: at once, or by waiting for one when all that could take it are full. */
export class Turn {
  readonly #router: Router;
  readonly #queue: Queue;
  readonly #wish: RouteRequest;
  readonly #tried: Tried;
  #place: Place | null = null;
  #isOver = false;

  constructor(
    { router, queue }: { readonly router: Router; readonly queue: Queue },
    wish: RouteRequest,
    tried: Tried,
  ) {
    this.#router = router;
    this.#queue = queue;
    this.#wish = wish;
    this.#tried = tried;
  }

  /** A replica or why there is none; `null` when it has to {@link wait}. */
  now(): Routed | Blocked | null {
    // Whoever came earlier goes first, even when a replica has room again this very moment.
    const isNext = this.#wish.pinned !== undefined || this.#queue.lengthOf(this.#wish.model) === 0;
    return isNext ? this.#route() : null;
  }

  /** Queues up until a replica has room. */
  async wait(): Promise<Routed | Blocked> {
    for (let at: "end" | "front" = "end"; ; at = "front") {
      this.#place = this.#queue.join(this.#wish.model, at);
      if (this.#place === null) return { kind: "queue-full" };
      const how = await this.#place.ended;
      if (how === "timeout") return { kind: "queue-timeout" };
      if (how === "left") return { kind: "none" };
      const routed = this.#route();
      if (routed !== null) return routed;
    }
  }

  /** The request ends: gives its place up, and waits for none any more. */
  leave(): void {
    this.#isOver = true;
    this.#place?.leave();
  }

  #route(): Routed | Blocked | null {
    const routed = this.#router.route(this.#wish, this.#tried);
    return routed.kind === "full" && !this.#isOver ? null : routed;
  }
}
