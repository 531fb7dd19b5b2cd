// Filters made from the catalogue's own fields.

import { debounce, h, icon } from "./dom.js";
import { calm, fieldName, formatCount } from "./format.js";
import { countFilters, withFilter } from "./state.js";

const FIRST = ["category", "color", "price", "brand", "type", "family", "sale"];
const KEYS = /(^|_)(id|ids|sku|ean|gtin|code|key|uuid|model|number|index|image|link|url)$/i;
const CHIPS = 8; // up to this many short values are chips, more become a list
const FIND = 8; // a list longer than this can be searched
const SHORT = 20; // letters
const SHOWN = 3; // fields that are open at first
const MOST = 14;

// Fields that tell nothing (one value) or everything (a key) help nobody.
function useful(facet) {
  if (KEYS.test(facet.name)) return false;
  if (facet.kind === "text") return facet.distinct > 1 && facet.values.length > 1 && facet.values[0].count > 1;
  if (facet.kind === "boolean") return facet.values.some(({ value }) => value.toLowerCase() === "true");
  return facet.minimum !== null && facet.minimum < facet.maximum;
}

const rank = (facet) => (FIRST.includes(facet.name) ? FIRST.indexOf(facet.name) : FIRST.length);

export const offered = (facets) =>
  facets
    .filter(useful)
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, MOST);

const swatchable = (facet) => /colou?r/i.test(facet.name);

function swatch(value) {
  const color = value.toLowerCase().replace(/[\s-]/g, "");
  if (!CSS.supports("color", color)) return null;
  const dot = h("span", { class: "swatch", "aria-hidden": "true" });
  dot.style.backgroundColor = color;
  return dot;
}

function values(facet, chosen, change) {
  const taken = new Set(chosen.values ?? []);
  // A value from a shared address may be missing among the most frequent ones.
  const known = new Set(facet.values.map(({ value }) => value));
  const rows = [...[...taken].filter((value) => !known.has(value)).map((value) => ({ value, count: null })), ...facet.values];
  const chips = rows.length <= CHIPS && rows.every(({ value }) => value.length <= SHORT);
  const options = rows.map(({ value, count }) => {
    const box = h("input", { type: "checkbox", value, checked: taken.has(value) });
    box.addEventListener("change", () => {
      if (box.checked) taken.add(value);
      else taken.delete(value);
      change({ values: [...taken] });
    });
    return h(
      "label",
      { class: "choice" },
      box,
      swatchable(facet) ? swatch(value) : null,
      h("span", { class: "choice-name" }, calm(value)),
      count === null ? null : h("span", { class: "choice-count" }, formatCount(count)),
    );
  });
  const list = h("div", { class: `choices ${chips ? "chips" : "list"} ${rows.length > FIND ? "long" : ""}`, role: "group", "aria-label": fieldName(facet.name) }, options);
  if (rows.length <= FIND) return list;
  const find = h("input", { type: "search", class: "choice-find", placeholder: `Find in ${fieldName(facet.name).toLowerCase()}`, "aria-label": `Find in ${fieldName(facet.name)}` });
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    for (const option of options) option.hidden = !option.querySelector("input").value.toLowerCase().includes(wanted);
  });
  return h("div", {}, find, list);
}

function range(facet, chosen, change) {
  const whole = facet.kind === "integer" || facet.maximum - facet.minimum > 20;
  const low = whole ? Math.floor(facet.minimum) : facet.minimum;
  const high = whole ? Math.ceil(facet.maximum) : facet.maximum;
  const step = whole ? 1 : (high - low) / 100;
  const name = fieldName(facet.name);
  const field = (label, value, placeholder) =>
    h("label", { class: "bound" }, h("span", {}, label), h("input", { type: "number", step: "any", value, placeholder, "aria-label": `${name} ${label.toLowerCase()}`, inputmode: "decimal" }));
  const slide = (label, value) => h("input", { type: "range", min: low, max: high, step, value, "aria-label": `${name}, ${label}` });
  const from = field("From", chosen.min, low);
  const to = field("To", chosen.max, high);
  const fromSlide = slide("lowest", chosen.min ?? low);
  const toSlide = slide("highest", chosen.max ?? high);
  const track = h("div", { class: "range" }, fromSlide, toSlide);

  const numberOf = (label) => {
    const text = label.querySelector("input").value.trim();
    return text === "" ? undefined : Number(text);
  };
  function paint() {
    const share = (value) => `${((value - low) / (high - low)) * 100}%`;
    track.style.setProperty("--from", share(Math.max(low, numberOf(from) ?? low)));
    track.style.setProperty("--to", share(Math.min(high, numberOf(to) ?? high)));
  }
  const send = () => {
    let [min, max] = [numberOf(from), numberOf(to)];
    if (min !== undefined && max !== undefined && min > max) [min, max] = [max, min];
    change({ min, max });
  };
  for (const label of [from, to]) label.addEventListener("change", () => (paint(), send()));
  fromSlide.addEventListener("input", () => {
    fromSlide.value = Math.min(Number(fromSlide.value), Number(toSlide.value));
    from.querySelector("input").value = Number(fromSlide.value) > low ? fromSlide.value : "";
    paint();
  });
  toSlide.addEventListener("input", () => {
    toSlide.value = Math.max(Number(fromSlide.value), Number(toSlide.value));
    to.querySelector("input").value = Number(toSlide.value) < high ? toSlide.value : "";
    paint();
  });
  const later = debounce(send, 250);
  for (const slider of [fromSlide, toSlide]) slider.addEventListener("change", later);
  paint();
  return h("div", {}, track, h("div", { class: "bounds" }, from, to));
}

function toggle(facet, chosen, change) {
  const box = h("input", { type: "checkbox", role: "switch", checked: Boolean(chosen.yes) });
  box.addEventListener("change", () => change({ yes: box.checked || undefined }));
  const yes = facet.values.find(({ value }) => value.toLowerCase() === "true");
  return h("label", { class: "switch" }, box, h("span", {}, fieldName(facet.name)), h("span", { class: "choice-count" }, formatCount(yes.count)));
}

// Draws the filters into `place`. `chosenNow()` gives the filters in use, `onChange` gets new ones.
export function showFilters(place, facets, chosenNow, onChange) {
  const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.field));
  const fresh = !place.childElementCount;
  place.replaceChildren(
    ...offered(facets).map((facet, index) => {
      const chosen = chosenNow()[facet.name] ?? {};
      const change = (next) => onChange(withFilter(chosenNow(), facet.name, next));
      if (facet.kind === "boolean") return h("div", { class: "filter lone" }, toggle(facet, chosen, change));
      const used = facet.name in chosenNow();
      return h(
        "details",
        { class: "filter", "data-field": facet.name, open: used || open.has(facet.name) || (fresh && index < SHOWN) },
        h("summary", {}, fieldName(facet.name)),
        facet.kind === "text" ? values(facet, chosen, change) : range(facet, chosen, change),
      );
    }),
  );
}

const pill = (label, remove) =>
  h("li", {}, h("button", { class: "pill", type: "button", "aria-label": `Remove filter ${label}`, onclick: remove }, label, icon("close")));

export function showPills(place, filters, onChange) {
  const pills = [];
  for (const [name, choice] of Object.entries(filters)) {
    for (const value of choice.values ?? []) {
      const rest = choice.values.filter((one) => one !== value);
      pills.push(pill(`${fieldName(name)}: ${calm(value)}`, () => onChange(withFilter(filters, name, { values: rest }))));
    }
    if (choice.yes) pills.push(pill(fieldName(name), () => onChange(withFilter(filters, name, { yes: undefined }))));
    if (choice.min !== undefined || choice.max !== undefined) {
      const bounds = [choice.min === undefined ? "" : `from ${choice.min}`, choice.max === undefined ? "" : `up to ${choice.max}`];
      const label = `${fieldName(name)} ${bounds.filter(Boolean).join(" ")}`;
      pills.push(pill(label, () => onChange(withFilter(filters, name, { min: undefined, max: undefined }))));
    }
  }
  if (countFilters(filters) > 1) {
    pills.push(h("li", {}, h("button", { class: "pill clear", type: "button", onclick: () => onChange({}) }, "Clear all")));
  }
  place.replaceChildren(...pills);
}
