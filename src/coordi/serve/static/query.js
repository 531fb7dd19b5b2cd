// The card that shows what is searched with besides words: the photo or the chosen item.

import { cropBox } from "./crop.js";
import { h, icon } from "./dom.js";
import { nameOf } from "./format.js";

function balance(state, left, onBalance) {
  const slider = h("input", { type: "range", id: "balance", min: 5, max: 95, step: 5, value: state.words, "aria-label": `Weight of your words against ${left.toLowerCase()}` });
  const say = () => slider.setAttribute("aria-valuetext", `${left} ${100 - slider.value}%, words ${slider.value}%`);
  say();
  slider.addEventListener("input", say);
  slider.addEventListener("change", () => onBalance(Number(slider.value)));
  return h("div", { class: "balance", "data-left": left }, h("span", {}, left), slider, h("span", {}, "Words"));
}

const head = (title, label, onRemove) =>
  h("div", { class: "query-head" }, h("h2", {}, title), h("button", { type: "button", class: "round", "aria-label": label, title: label, onclick: onRemove }, icon("close")));

// `on` has removePhoto(), crop(box), balance(words), removeLike().
export function showQuery(place, state, photo, liked, on) {
  place.hidden = !photo && !state.like;
  if (place.hidden) {
    place.replaceChildren();
    delete place.dataset.shows;
    return;
  }
  // The same photo keeps its crop box, and with it the keyboard's focus.
  const shows = photo ? `photo ${photo.key}` : `item ${state.like} ${liked ? "" : "…"}`;
  if (place.dataset.shows !== shows) {
    place.dataset.shows = shows;
    place.replaceChildren(photo ? h("div", {}, ...photoParts(photo, on)) : h("div", {}, ...itemParts(liked, on)));
  }
  showBalance(place, state, photo ? "Photo" : "Item", on.balance);
}

// The slider stays where it can, so that arrow keys do not lose it.
function showBalance(place, state, left, onBalance) {
  const old = place.querySelector(".balance");
  if (old && state.q && old.dataset.left === left) {
    old.querySelector("input").value = state.words;
    return;
  }
  old?.remove();
  if (state.q) place.append(balance(state, left, onBalance));
}

function photoParts(photo, on) {
  const top = head("Your photo", "Remove the photo", on.removePhoto);
  return photo.width ? [top, cropBox(photo, on.crop)] : [top, h("p", { class: "crop-help" }, "This browser cannot show the file.")];
}

function itemParts(liked, on) {
  const top = head("More like this", "Stop searching with this item", on.removeLike);
  if (!liked) return [top];
  const shown = liked.thumbnail ? h("img", { class: "query-item", src: liked.thumbnail, alt: "" }) : null;
  return [top, shown, h("p", { class: "query-name" }, nameOf(liked))].filter(Boolean);
}
