// A crop box over a photo: dragged by mouse or finger, moved and sized with the arrow keys.

import { h } from "./dom.js";

const SMALLEST = 0.08; // share of the photo's side
const STEP = 0.02;
const LEAP = 0.1;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CORNERS = { "top left": [0, 1], "top right": [2, 1], "bottom left": [0, 3], "bottom right": [2, 3] };

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const round = (value) => Math.round(value * 1000) / 1000;

function moved([left, top, right, bottom], dx, dy) {
  const x = clamp(dx, -left, 1 - right);
  const y = clamp(dy, -top, 1 - bottom);
  return [left + x, top + y, right + x, bottom + y].map(round);
}

function sized(box, [across, down], dx, dy) {
  const next = [...box];
  next[across] = across === 0 ? clamp(box[0] + dx, 0, box[2] - SMALLEST) : clamp(box[2] + dx, box[0] + SMALLEST, 1);
  next[down] = down === 1 ? clamp(box[1] + dy, 0, box[3] - SMALLEST) : clamp(box[3] + dy, box[1] + SMALLEST, 1);
  return next.map(round);
}

const percent = (share) => `${Math.round(share * 100)}%`;

// { element, stage, help, put(box) }: `put` moves the box without a word.
export function cropBox(photo, first, onChange) {
  let box = first;
  const said = h("p", { class: "unseen", role: "status" });
  const frame = h("div", {
    class: "crop-box",
    tabindex: "0",
    role: "group",
    "aria-roledescription": "crop box",
    "aria-label": "Part of the photo to search with",
    "aria-describedby": "crop-help",
  });
  const stage = h("div", { class: "crop" }, h("img", { src: photo.url, alt: "Your photo" }), frame);
  stage.style.setProperty("--ratio", photo.width / photo.height);

  function show() {
    const [left, top, right, bottom] = box;
    frame.style.left = percent2(left);
    frame.style.top = percent2(top);
    frame.style.width = percent2(right - left);
    frame.style.height = percent2(bottom - top);
  }
  const percent2 = (share) => `${share * 100}%`;

  function set(next) {
    if (next.every((side, index) => side === box[index])) return;
    box = next;
    show();
    said.textContent = `Box from ${percent(box[0])} to ${percent(box[2])} across and ${percent(box[1])} to ${percent(box[3])} down`;
    onChange(box);
  }

  function steer(element, change) {
    element.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (!arrow || event.target !== element) return;
      event.preventDefault();
      const step = event.shiftKey ? LEAP : STEP;
      set(change(box, arrow[0] * step, arrow[1] * step));
    });
    element.addEventListener("pointerdown", (event) => {
      if (event.target !== element || event.button !== 0) return;
      event.preventDefault();
      element.focus({ preventScroll: true });
      element.setPointerCapture(event.pointerId);
      const size = stage.getBoundingClientRect();
      const start = box;
      const drag = (now) =>
        set(change(start, (now.clientX - event.clientX) / size.width, (now.clientY - event.clientY) / size.height));
      const listening = new AbortController();
      const { signal } = listening;
      element.addEventListener("pointermove", drag, { signal });
      for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => listening.abort(), { signal });
    });
  }

  steer(frame, moved);
  for (const [name, sides] of Object.entries(CORNERS)) {
    const handle = h("button", {
      type: "button",
      class: `crop-handle ${name.replace(" ", "-")}`,
      "aria-label": `${name.charAt(0).toUpperCase()}${name.slice(1)} corner of the box`,
      "aria-describedby": "crop-help",
    });
    steer(handle, (from, dx, dy) => sized(from, sides, dx, dy));
    frame.append(handle);
  }
  show();
  const help = h("p", { class: "crop-help", id: "crop-help" }, "Drag a corner to frame one garment.", h("span", { class: "only-mouse" }, " Arrow keys work too."));
  return {
    stage,
    help,
    element: h("div", { class: "crop-place" }, stage, help, said),
    put(next) {
      box = next;
      show();
    },
  };
}
