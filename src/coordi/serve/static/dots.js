// Dots on a photo, one a garment: a tap searches it. Buttons from top to bottom.

import { h } from "./dom.js";
import { sentence } from "./format.js";

const NEAR = 0.13; // shares of the photo's width; dots keep this far from one another

// Ways out of a dot's place, the shortest first.
const STEPS = [0, 1, -1, 2, -2, 3, -3].flatMap((down) => [0, 1, -1, 2, -2].map((across) => [across, down])).sort((a, b) => Math.hypot(...a) - Math.hypot(...b));

const within = (share) => share > 0.06 && share < 0.94;

// Where each garment's dot lies: the middle of its box, or as near to it as there is room.
export function places(garments, ratio) {
  const taken = [];
  for (const { box } of garments) {
    const middle = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    const free = ([x, y]) => within(x) && within(y) && taken.every(([a, b]) => Math.hypot(a - x, (b - y) / ratio) >= NEAR);
    const ways = STEPS.map(([across, down]) => [middle[0] + across * NEAR, middle[1] + down * NEAR * ratio]);
    taken.push(ways.find(free) ?? middle);
  }
  return taken;
}

// { element, mark(garment) }: `mark` shows which is searched.
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
    button.toggleAttribute("data-low", y > 0.85);
    return button;
  });
  return {
    element: h("div", { class: "dots", role: "group", "aria-label": "Garments in your photo" }, buttons),
    mark: (chosen) => buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(photo.garments[index] === chosen))),
  };
}
