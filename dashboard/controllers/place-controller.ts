import type { ReactiveController, ReactiveControllerHost } from "lit";
import { type Place, place } from "../state/place.ts";

/** Renders its host anew whenever the reader goes somewhere else. */
export class PlaceController implements ReactiveController {
  readonly place: Place = place;
  readonly #host: ReactiveControllerHost;

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  hostConnected(): void {
    this.place.addEventListener("change", this.#changed);
  }

  hostDisconnected(): void {
    this.place.removeEventListener("change", this.#changed);
  }

  readonly #changed = (): void => {
    this.#host.requestUpdate();
  };
}
