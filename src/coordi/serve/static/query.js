// The card that shows what is searched with besides words: the photo or the chosen item.

import { h, icon } from "./dom.js";
import { nameOf } from "./format.js";
import { createPanel } from "./panel.js";

let panel = null; // the photo's, so that it keeps its crop box and the keyboard's focus

function balance(state, left, onBalance) {
  const slider = h("input", { type: "range", id: "balance", min: 5, max: 95, step: 5, value: state.words, "aria-label": `Weight of your words against ${left.toLowerCase()}` });
  const say = () => slider.setAttribute("aria-valuetext", `${left} ${100 - slider.value}%, words ${slider.value}%`);
  say();
  slider.addEventListener("input", say);
  slider.addEventListener("change", () => onBalance(Number(slider.value)));
  return h("div", { class: "balance", "data-left": left, "data-words": state.words }, h("span", {}, left), slider, h("span", {}, "Words"));
}

// `on` has removePhoto(), choose(box), crop(box), balance(words), removeLike().
export function showQuery(place, state, photo, liked, on) {
  place.hidden = !photo && !state.like;
  if (place.hidden) {
    place.replaceChildren();
    delete place.dataset.shows;
    return;
  }
  const shows = photo ? `photo ${photo.key} ${photo.width || photo.fetching}` : `item ${state.like} ${liked ? "" : "…"}`;
  if (place.dataset.shows !== shows) {
    place.dataset.shows = shows;
    panel = photo ? createPanel(photo, state.box, on) : null;
    place.replaceChildren(panel?.element ?? h("div", {}, ...itemParts(liked, on)));
  }
  panel?.show(state.box);
  showBalance(place, state, photo ? "Photo" : "Item", on.balance);
}

// The slider stays where it can, so that arrow keys do not lose it; and while it is dragged, only a
// balance that was chosen otherwise moves it.
function showBalance(place, state, left, onBalance) {
  const old = place.querySelector(".balance");
  if (old && state.q && old.dataset.left === left) {
    if (old.dataset.words !== String(state.words)) old.querySelector("input").value = state.words;
    old.dataset.words = state.words;
    return;
  }
  old?.remove();
  if (state.q) place.append(balance(state, left, onBalance));
}

function itemParts(liked, on) {
  const label = "Stop searching with this item";
  const close = h("button", { type: "button", class: "round", "aria-label": label, title: label, onclick: on.removeLike }, icon("close"));
  const top = h("div", { class: "query-head" }, h("h2", {}, "More like this"), close);
  if (!liked) return [top];
  const shown = liked.thumbnail ? h("img", { class: "query-item", src: liked.thumbnail, alt: "" }) : null;
  return [top, shown, h("p", { class: "query-name" }, nameOf(liked))].filter(Boolean);
}
