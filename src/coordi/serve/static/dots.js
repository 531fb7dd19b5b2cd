// Dots on a photo, one a garment: a tap searches it. Buttons from top to bottom.

import { h } from "./dom.js";
import { sentence } from "./format.js";

const NEAR = 0.13; // shares of the photo's width; dots keep this far from one another

// Where each garment's dot lies: the middle of its box, or as near to it as there is room.
export function places(garments, ratio) {
  const taken = [];
  for (const { box } of garments) {
    const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    const crowded = (at) => taken.some(([a, b]) => Math.hypot(a - x, (b - at) / ratio) < NEAR);
    const steps = [0, 1, -1, 2, -2, 3, -3, 4, -4].map((step) => y + step * NEAR * ratio * 0.75);
    taken.push([x, steps.find((at) => at > 0.05 && at < 0.95 && !crowded(at)) ?? y]);
  }
  return taken;
}

// { element, mark(frame) }: `mark` shows which is searched.
export function createDots(photo, onChoose) {
  const at = places(photo.garments, photo.width / photo.height);
  const buttons = photo.garments.map((garment, index) => {
    const name = sentence(garment.kind);
    const [x, y] = at[index];
    const label = h("span", { class: "dot-label", "aria-hidden": "true" }, name);
    const button = h("button", { type: "button", class: "dot", "aria-label": name, onclick: () => onChoose(garment.frame) }, label);
    button.style.left = `${x * 100}%`;
    button.style.top = `${y * 100}%`;
    button.dataset.side = x > 0.66 ? "left" : x < 0.34 ? "right" : "middle";
    return button;
  });
  return {
    element: h("div", { class: "dots", role: "group", "aria-label": "Garments in your photo" }, buttons),
    mark: (frame) => buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(photo.garments[index].frame === frame))),
  };
}
