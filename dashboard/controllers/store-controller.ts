import type { ReactiveController, ReactiveControllerHost } from "lit";
import { type LiveStore, store } from "../state/live-store.ts";

/** Renders its host anew whenever the store took a frame. */
export class StoreController implements ReactiveController {
  readonly store: LiveStore = store;
  readonly #host: ReactiveControllerHost;

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  hostConnected(): void {
    this.store.addEventListener("change", this.#changed);
  }

  hostDisconnected(): void {
    this.store.removeEventListener("change", this.#changed);
  }

  readonly #changed = (): void => {
    this.#host.requestUpdate();
  };
}
