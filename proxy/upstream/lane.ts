import { Client, type Dispatcher } from "undici";

/** Whoever wants to know which connection a request travels on. */
export interface Traveller {
  /** Called before the request is queued on the lane; again should the pool move it to another. */
  boards(lane: Lane): void;
}

/**
 * One connection to a replica. Knows whether its socket has carried a request before, which is what tells a stale
 * keep-alive (the engine closed an idle socket just as we wrote to it) from an engine that died over our request.
 */
export class Lane extends Client {
  #carried = 0;

  constructor(origin: string | URL, options: object) {
    super(origin, options);
    this.on("connect", () => {
      this.#carried = 0;
    });
  }

  override dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    if (isTraveller(handler)) handler.boards(this);
    return super.dispatch(options, handler);
  }

  /** A request is being written. Returns whether the socket had carried one before. */
  carry(): boolean {
    return this.#carried++ > 0;
  }
}

function isTraveller(handler: object): handler is Traveller {
  return "boards" in handler;
}
