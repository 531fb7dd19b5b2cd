// The photo that is searched with: dots, crop box, all of it. On a phone a strip that opens.

import { cropBox } from "./crop.js";
import { h, icon } from "./dom.js";
import { createDots } from "./dots.js";
import { sentence } from "./format.js";
import { boxOf, boxText, chosenGarment } from "./prepare.js";

// What of the photo is searched, in words.
export function partOf(photo, box) {
  if (!box) return "Whole photo";
  const garment = chosenGarment(photo, box);
  return garment ? sentence(garment.kind) : "A part of it";
}

// The part that is searched, small: the photo moved and magnified behind a window of its shape.
function createThumb(photo) {
  const image = h("img", { src: photo.url, alt: "" });
  const thumb = h("span", { class: "thumb" }, image);
  return {
    element: thumb,
    show([left, top, right, bottom]) {
      const [across, down] = [right - left, bottom - top];
      thumb.style.aspectRatio = (across * photo.width) / (down * photo.height);
      Object.assign(image.style, { width: `${100 / across}%`, height: `${100 / down}%`, left: `${(-100 * left) / across}%`, top: `${(-100 * top) / down}%` });
    },
  };
}

// { element, show(box) }; `on` has removePhoto(), choose(box) and crop(box).
export function createPanel(photo, box, on) {
  const title = h("h2", {}, "Your photo");
  const part = h("p", { class: "query-part" });
  const close = h("button", { type: "button", class: "round", "aria-label": "Remove the photo", title: "Remove the photo", onclick: on.removePhoto }, icon("close"));
  if (!photo.width) {
    const words = photo.fetching ? "Fetching the photo …" : photo.blob ? "This browser cannot show the file." : "The photo cannot be shown any more.";
    return { element: h("div", {}, h("div", { class: "query-head" }, h("div", { class: "query-words" }, title), close), h("p", { class: "crop-help" }, words)), show() {} };
  }
  const element = h("div", { class: "panel" });
  const change = h("button", { type: "button", class: "button quiet panel-change", "aria-expanded": "false", "aria-controls": "panel-open" }, "Change");
  const open = (opened) => {
    element.toggleAttribute("data-open", opened);
    change.setAttribute("aria-expanded", String(opened));
    change.textContent = opened ? "Done" : "Change";
  };
  change.addEventListener("click", () => open(!element.hasAttribute("data-open")));
  const choose = (frame) => {
    on.choose(frame);
    if (!change.checkVisibility()) return;
    open(false); // the results are what was asked for
    change.focus({ preventScroll: true });
  };
  const crop = cropBox(photo, boxOf(box), (next) => on.crop(boxText(next)));
  // Garments come when they are found; the box stays what it is, it may be in somebody's hand.
  let dots = null;
  const addDots = () => {
    dots = createDots(photo, choose);
    crop.stage.append(dots.element);
    crop.help.textContent = "Tap a dot, or drag a corner.";
  };
  const whole = h("button", { type: "button", class: "button quiet whole", onclick: () => choose("") }, "Whole photo");
  const thumb = createThumb(photo);
  const found = h("p", { class: "unseen", role: "status" });
  element.append(
    h("div", { class: "query-head" }, thumb.element, h("div", { class: "query-words" }, title, part), change, close),
    h("div", { class: "panel-open", id: "panel-open" }, crop.element, whole),
    found,
  );
  return {
    element,
    show(next) {
      if (!dots && photo.garments?.length) addDots();
      crop.put(boxOf(next));
      thumb.show(boxOf(next));
      dots?.mark(chosenGarment(photo, next));
      whole.setAttribute("aria-pressed", String(!next));
      whole.hidden = !dots && !next;
      part.textContent = photo.garments ? partOf(photo, next) : "Looking for garments …";
      if (dots) found.textContent = `Garments found: ${photo.garments.map(({ kind }) => kind).join(", ")}. Searched: ${partOf(photo, next).toLowerCase()}.`;
    },
  };
}
