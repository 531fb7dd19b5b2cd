// The dialog of one item: large picture, every field, why it was found, what is like it.

import * as api from "./api.js";
import { h, icon } from "./dom.js";
import { fieldName, fieldValue, isAside, lineOf, nameOf, pricesOf, sentence, sizesOf, variantName, variantWord as wordOf } from "./format.js";
import { before } from "./gallery.js";
import { reasons } from "./why.js";

const MOST_TWINS = 12;

const FIRST = ["color", "sizes", "category", "brand", "price"]; // what is asked for first
const SWIPE = 40; // pixels

const isAddress = (value) => typeof value === "string" && /^https?:\/\//.test(value);

function fieldList(item) {
  // The currency stands with the price.
  const told = ([name, value]) => value !== null && value !== "" && !isAside(name) && !isAddress(value) && !(name === "currency" && typeof item.fields.price === "number");
  const place = ([name]) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const rows = Object.entries(item.fields).filter(told).sort((a, b) => place(a) - place(b));
  const pairs = rows.map(([name, value]) => h("div", { class: "fact" }, h("dt", {}, fieldName(name)), h("dd", {}, fieldValue(name, value, item))));
  pairs.push(h("div", { class: "fact" }, h("dt", {}, "Id"), h("dd", { class: "fact-id" }, item.id)));
  return h("dl", { class: "facts" }, pairs);
}

// The garment's colours side by side, this one among them, so that one looks from one to another.
function colors(item, variants, on) {
  const all = [item, ...variants].sort((a, b) => (a.id < b.id ? -1 : 1)); // they keep their places
  const row = strip(sentence(wordOf(item, all.length)), all, { ...on, open: on.change }, variantName, "strip colors");
  row.querySelectorAll("a")[all.indexOf(item)].setAttribute("aria-current", "true");
  return row;
}

const mini = (address) => h("img", { src: address, alt: "", loading: "lazy", decoding: "async", onerror: ({ target }) => target.replaceWith(icon("broken")) });

function strip(title, items, on, named = nameOf, kind = "strip") {
  const cards = items.map((item) => {
    const onclick = (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      on.open(item.id);
    };
    const frame = h("span", { class: "mini-frame" }, item.thumbnail ? mini(item.thumbnail) : icon("hanger"));
    return h("li", {}, h("a", { class: "mini", href: on.addressOf(item.id), onclick }, frame, h("span", { class: "mini-name" }, named(item))));
  });
  return h("section", { class: kind }, h("h3", {}, title), h("ul", { class: "strip-row" }, cards));
}

const gone = () => h("span", { class: "bare" }, icon("broken"), "The picture cannot be shown");

function large(item, address, label) {
  const main = address === item.image;
  const size = main ? { width: item.width, height: item.height } : {};
  return h("img", { src: address, alt: label, ...size, onerror: ({ target }) => target.replaceWith(gone()) });
}

// The large picture and, where there are more than one, a strip to choose from.
function pictures(item) {
  const name = nameOf(item);
  if (!item.image) return h("div", { class: "detail-picture" }, h("span", { class: "bare" }, icon("hanger"), "No picture"));
  const frame = h("div", { class: "detail-picture" }, large(item, item.image, name));
  const more = item.more ?? [];
  if (!more.length) return frame;
  const all = [{ image: item.image, thumbnail: item.thumbnail }, ...more];
  const labels = all.map((_, index) => `Picture ${index + 1} of ${all.length}`);
  let shown = 0;
  const choose = (index) => {
    shown = (index + all.length) % all.length;
    frame.replaceChildren(large(item, all[shown].image, `${name}, ${labels[shown].toLowerCase()}`));
    buttons.forEach((one, at) => one.setAttribute("aria-pressed", String(at === shown)));
    buttons[shown].scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const buttons = all.map(({ thumbnail }, index) =>
    h("button", { type: "button", class: "angle", "aria-label": labels[index], "aria-pressed": String(!index), onclick: () => choose(index) }, mini(thumbnail)),
  );
  const list = h("ul", { class: "angles", "aria-label": "Pictures" }, buttons.map((button) => h("li", {}, button)));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(shown + step);
    buttons[shown].focus();
  });
  swiped(frame, (step) => choose(shown + step));
  return h("div", { class: "detail-pictures" }, frame, list);
}

// Calls `turn` with 1 for a finger drawn to the left over `place`, -1 for one to the right.
function swiped(place, turn) {
  let start = null;
  place.addEventListener("touchstart", ({ touches: [touch, second] }) => (start = second ? null : touch), { passive: true });
  place.addEventListener("touchend", ({ changedTouches: [touch] }) => {
    if (!start) return;
    const [across, down] = [touch.clientX - start.clientX, touch.clientY - start.clientY];
    start = null;
    if (Math.abs(across) > SWIPE && Math.abs(across) > 2 * Math.abs(down)) turn(across < 0 ? 1 : -1);
  });
}

function copyButton(id) {
  const label = h("span", {}, "Copy id");
  const button = h("button", { type: "button", class: "button quiet" }, icon("copy"), label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(id);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Copying is not allowed here";
    }
    setTimeout(() => (label.textContent = "Copy id"), 2000);
  });
  return button;
}

// `on` has addressOf(id), open(id), change(id) to another of the same garment, like(id), closed().
export function createDetail(dialog, on) {
  let asked = null;

  const close = h("button", { type: "button", class: "round detail-close", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => {
    asked?.abort();
    on.closed();
  });

  function body(item, hit) {
    const link = Object.values(item.fields).find(isAddress);
    const line = lineOf(item);
    const price = pricesOf(item);
    const sizes = sizesOf(item);
    return h(
      "div",
      { class: "detail-body" },
      pictures(item),
      h(
        "div",
        { class: "detail-words" },
        line ? h("p", { class: "detail-line" }, line) : null,
        h("h2", { id: "detail-title", tabindex: "-1" }, nameOf(item)),
        price.now ? h("p", { class: "detail-price" }, h("span", {}, price.now), before(price)) : null,
        sizes.length ? h("ul", { class: "sizes", "aria-label": "Sizes" }, sizes.map((size) => h("li", {}, size))) : null,
        h("div", { class: "detail-colors" }),
        item.description ? h("p", { class: "detail-description" }, item.description) : null,
        h(
          "div",
          { class: "detail-actions" },
          h("button", { type: "button", class: "button", onclick: () => on.like(item.id) }, icon("alike"), "More like this"),
          link ? h("a", { class: "button quiet", href: link, target: "_blank", rel: "noopener noreferrer" }, icon("open"), "See it in the shop") : null,
          item.image ? h("a", { class: "button quiet", href: item.image, target: "_blank", rel: "noopener" }, icon("open"), "Open picture") : null,
          copyButton(item.id),
        ),
        hit ? reasons(hit) : null,
        fieldList(item),
      ),
    );
  }

  async function strips(item, hit, place, signal) {
    const twins = (hit?.duplicates ?? []).slice(0, MOST_TWINS);
    const asked = [Promise.all(twins.map((id) => api.item(id, signal))), api.variants(item, signal), api.similar(item, signal)];
    // One strip that cannot be had is no reason to show none.
    const [same, variants, alike] = (await Promise.allSettled(asked)).map(({ value }) => value ?? []);
    if (signal.aborted) return;
    if (variants.length) dialog.querySelector(".detail-colors").replaceChildren(colors(item, variants, on));
    place.replaceChildren(
      ...(same.length ? [strip("Looks the same", same, on)] : []),
      ...(alike.length ? [strip("Similar", alike.map((one) => one.item), on)] : []),
    );
  }

  return {
    async show(id, hit) {
      asked?.abort();
      asked = new AbortController();
      const { signal } = asked;
      if (!dialog.open) dialog.showModal();
      try {
        const item = hit?.item ?? (await api.item(id, signal));
        const place = h("div", { class: "detail-strips" });
        dialog.replaceChildren(close, body(item, hit), place);
        dialog.scrollTop = 0;
        dialog.querySelector("#detail-title").focus({ preventScroll: true });
        await strips(item, hit, place, signal);
      } catch (error) {
        if (error.name === "AbortError") return;
        if (dialog.querySelector(".detail-body")) return; // the item is shown; only its strips are missing
        const say = error.code === "not_found" ? "This item is no longer in the catalogue." : error.message;
        dialog.replaceChildren(close, h("div", { class: "detail-gone" }, icon("hanger"), h("h2", { id: "detail-title" }, say)));
      }
    },
    hide() {
      if (dialog.open) dialog.close();
    },
    get open() {
      return dialog.open;
    },
  };
}
