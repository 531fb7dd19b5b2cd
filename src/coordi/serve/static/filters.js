// Filters made from the catalogue's own fields.

import * as api from "./api.js";
import { debounce, h, icon } from "./dom.js";
import { calm, DATED, fieldName, formatCount, formatDay, isAside, isMoney, money, pathOf } from "./format.js";
import { countFilters, withFilter } from "./state.js";

const FIRST = ["category", "color", "sizes", "price", "currency", "brand", "type", "family", "sale"];
const KEYS = /(^|_)(id|ids|sku|ean|gtin|code|key|uuid|model|number|index|image|link|url)$/i;
const CHIPS = 8; // up to this many short values are chips, more become a list
const FIND = 8; // a list longer than this can be searched
const SHORT = 20; // letters
const SHOWN = 4; // fields that are open at first
const MOST = 14;
const MOST_ORDERS = 6; // numbers besides the price

// Fields that tell nothing (one value) or everything (a key) help nobody.
function useful(facet, most) {
  if (KEYS.test(facet.name) || isAside(facet.name) || facet.name === "auto_color") return false; // auto_colors has it too
  if (isDated(facet)) return true;
  if (facet.kind === "text") return facet.distinct > 1 && facet.values.length > 1 && facet.values[0].count > 1;
  if (facet.kind === "boolean") return facet.values.some(({ value, count }) => value.toLowerCase() === "true" && (facet.distinct > 1 || count < most));
  return spread(facet);
}

const isDated = (facet) => facet.kind === "text" && !facet.many && facet.distinct > 1 && facet.values.length > 0 && facet.values.every(({ value }) => DATED.test(value));
const sumOf = (facet) => facet.values.reduce((sum, { count }) => sum + count, 0);

// The currencies of the prices under the filters; one of them where the prices can be compared.
export const currenciesOf = (facets) => facets.find(({ name }) => name === "currency")?.values.filter(({ count }) => count).map(({ value }) => value) ?? [];

const plain = (name) => (name === "auto_colors" ? "color" : name.replace(/^auto_/, ""));
const rank = ({ name }) => (FIRST.includes(plain(name)) ? FIRST.indexOf(plain(name)) : FIRST.length);

export function offered(facets) {
  const most = Math.max(0, ...facets.filter(({ many }) => !many).map(sumOf)); // at least so many items
  return facets
    .filter((facet) => useful(facet, most))
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, MOST);
}

const SIZES = ["XXXS", "XXS", "XS", "S", "M", "L", "XL", "XXL", "2XL", "XXXL", "3XL", "4XL", "5XL"];
const sizeAt = ({ value }) => (SIZES.includes(value.toUpperCase()) ? SIZES.indexOf(value.toUpperCase()) : Number(value.replace(",", ".")));

// Sizes stand from small to large where all of them are there; everything else by how often it is.
function inOrder(facet) {
  if (!/^sizes?$/i.test(facet.name) || facet.more || facet.values.some((one) => Number.isNaN(sizeAt(one)))) return facet;
  return { ...facet, values: [...facet.values].sort((a, b) => sizeAt(a) - sizeAt(b)) };
}

const swatchable = (facet) => /colou?r/i.test(facet.name);

function swatch(value) {
  const color = value.toLowerCase().replace(/[\s-]/g, "");
  if (!CSS.supports("color", color)) return null;
  const dot = h("span", { class: "swatch", "aria-hidden": "true" });
  dot.style.backgroundColor = color;
  return dot;
}

// What results can be ordered by besides relevance: [the service's parameter, words].
export function orders(facets) {
  const found = [];
  const named = (test) => facets.filter((facet) => !KEYS.test(facet.name) && !isAside(facet.name) && test(facet));
  const paid = ({ name }) => name === "price" || isMoney(name);
  for (const { name } of named((facet) => paid(facet) && spread(facet)).sort((a, b) => rank(a) - rank(b))) {
    found.push([name, `${fieldName(name)}, lowest first`], [`-${name}`, `${fieldName(name)}, highest first`]);
  }
  const dated = named(isDated);
  for (const [place, { name }] of dated.entries()) found.push([`-${name}`, place ? `${fieldName(name)}, newest first` : "Newest first"]);
  for (const { name } of named((facet) => !paid(facet) && spread(facet)).slice(0, MOST_ORDERS)) {
    found.push([`-${name}`, `${fieldName(name)}, highest first`]);
  }
  for (const { name } of offered(facets).filter((facet) => facet.kind === "text" && !facet.many && !isDated(facet))) {
    found.push([name, `${fieldName(name)}, A to Z`]);
  }
  return found;
}

// `inside(text)` asks for the values with this text in them, where the service has more.
// It opens with what was typed there before, `typed`.
function values(facet, chosen, change, inside, typed = "") {
  const place = h("div", {});
  const draw = (shown) => place.replaceChildren(choices(shown, chosen, change));
  draw(facet);
  if (facet.values.length <= FIND && !facet.more) return place;
  const name = fieldName(facet.name);
  const find = h("input", { type: "search", class: "choice-find", placeholder: `Find in ${name.toLowerCase()}`, "aria-label": `Find in ${name}`, value: typed });
  const local = (wanted) => facet.values.filter(({ value }) => value.toLowerCase().includes(wanted));
  let latest = 0;
  const look = debounce(async () => {
    const mine = ++latest;
    const found = await inside(find.value.trim()).catch(() => null);
    if (found && mine === latest) draw(found);
  }, 200);
  const narrow = () => {
    if (facet.more) look();
    else draw({ ...facet, values: local(find.value.trim().toLowerCase()) });
  };
  find.addEventListener("input", narrow);
  if (typed) narrow();
  return h("div", {}, find, place);
}

// How values read: ways to categories without the part that all of them share.
function namesOf(facet, rows) {
  if (facet.many || facet.name === "currency") return (value) => value;
  const paths = rows.map(({ value }) => pathOf(value));
  let shared = 0;
  while (paths.length > 1 && paths.every((path) => path.length > shared + 1 && path[shared] === paths[0][shared])) shared += 1;
  return (value) => pathOf(value).slice(shared).map((part) => calm(part.trim())).join(" › ");
}

function choices(facet, chosen, change) {
  const taken = new Set(chosen.values ?? []);
  // A value from a shared address may be missing among the most frequent ones.
  const known = new Set(facet.values.map(({ value }) => value));
  const rows = [...[...taken].filter((value) => !known.has(value)).map((value) => ({ value, count: null })), ...facet.values];
  const chips = rows.length <= CHIPS && rows.every(({ value }) => value.length <= SHORT);
  const named = namesOf(facet, rows);
  const options = rows.map(({ value, count }) => {
    const box = h("input", { type: "checkbox", value, checked: taken.has(value) });
    box.addEventListener("change", () => {
      if (box.checked) taken.add(value);
      else taken.delete(value);
      chosen = { ...chosen, values: [...taken] };
      change({ values: [...taken], many: facet.many || undefined });
    });
    return h(
      "label",
      { class: "choice" },
      box,
      swatchable(facet) ? swatch(value) : null,
      h("span", { class: "choice-name" }, named(value)),
      count === null ? null : h("span", { class: "choice-count" }, formatCount(count)),
    );
  });
  if (!options.length) return h("p", { class: "choice-none" }, "No value fits");
  const rest = facet.more ? h("p", { class: "choice-none" }, `The most frequent of ${formatCount(facet.distinct)}`) : null;
  const list = h("div", { class: `choices ${chips ? "chips" : "list"} ${rows.length > FIND ? "long" : ""}`, role: "group", "aria-label": fieldName(facet.name) }, options);
  return h("div", {}, list, rest);
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

// Two days, the calendar being the browser's.
function days(facet, chosen, change) {
  const name = fieldName(facet.name);
  const field = (label, bound) => {
    const input = h("input", { type: "date", value: chosen[bound], "aria-label": `${name} ${label.toLowerCase()}` });
    input.addEventListener("change", () => change({ [bound]: input.value || undefined }));
    return h("label", { class: "bound" }, h("span", {}, label), input);
  };
  return h("div", { class: "bounds days" }, field("From", "min"), field("To", "max"));
}

function toggle(facet, chosen, change) {
  const box = h("input", { type: "checkbox", role: "switch", checked: Boolean(chosen.yes) });
  box.addEventListener("change", () => change({ yes: box.checked || undefined }));
  const yes = facet.values.find(({ value }) => value.toLowerCase() === "true");
  return h("label", { class: "switch" }, box, h("span", {}, fieldName(facet.name)), h("span", { class: "choice-count" }, formatCount(yes?.count ?? 0)));
}

// Draws the filters into `place`: the fields that the whole catalogue offers, with the values and
// counts that `live` has of them now. `on` has chosen(), change(filters) and inside(name, text).
export function showFilters(place, facets, live, on) {
  const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.field));
  const fresh = !place.childElementCount;
  const held = heldBy(place);
  const typed = new Map([...place.querySelectorAll(".choice-find")].map((one) => [one.closest("[data-field]").dataset.field, one.value]));
  const currencies = currenciesOf(chosenCurrencies(live, on.chosen()));
  place.replaceChildren(
    ...offered(facets).map((whole, index) => {
      const now = live.find((facet) => facet.name === whole.name) ?? whole;
      const chosen = on.chosen()[whole.name] ?? {};
      const change = (next) => on.change(withFilter(on.chosen(), whole.name, next));
      if (whole.kind === "boolean") return h("div", { class: "filter lone", "data-field": whole.name }, toggle(now, chosen, change));
      // Sliders and their numbers stay while they are in use.
      if ((whole.kind !== "text" || isDated(whole)) && held?.field === whole.name) return held.filter;
      const used = whole.name in on.chosen();
      const title = isMoney(whole.name) && currencies.length ? `${fieldName(whole.name)} (${currencies.join(", ")})` : fieldName(whole.name);
      const mixed = isMoney(whole.name) && currencies.length > 1 ? h("p", { class: "choice-none" }, MIXED) : null;
      return h(
        "details",
        { class: "filter", "data-field": whole.name, open: used || open.has(whole.name) || (fresh && (index < SHOWN || (whole.name === "currency" && currencies.length > 1))) },
        h("summary", {}, title),
        control(whole, now, chosen, change, on, typed.get(whole.name)),
        mixed,
      );
    }),
  );
  held?.again();
}

function control(whole, now, chosen, change, on, typed) {
  if (isDated(whole)) return days(whole, chosen, change);
  if (whole.kind === "text") return values(inOrder(now), chosen, change, (text) => on.inside(whole.name, text), typed);
  return range(spread(now) ? now : whole, chosen, change);
}

const MIXED = "Prices in several currencies count as their bare numbers here. Choose one under Currency.";

// A field's own filter leaves its counts alone, so the currencies chosen are put in their place.
export function chosenCurrencies(facets, filters) {
  const { values } = filters.currency ?? {};
  if (!values?.length) return facets;
  return facets.map((facet) => (facet.name === "currency" ? { ...facet, values: facet.values.filter(({ value }) => values.includes(value)) } : facet));
}

const spread = (facet) => facet.minimum !== null && facet.minimum < facet.maximum;

// What has the focus in `place`, and how to give it back once the filters are drawn anew.
function heldBy(place) {
  const active = document.activeElement;
  const filter = active?.closest?.("[data-field]");
  if (!filter || !place.contains(filter)) return null;
  const { field } = filter.dataset;
  const again = () => {
    if (document.activeElement === active) return;
    const now = [...place.querySelectorAll("[data-field]")].find((one) => one.dataset.field === field);
    const inputs = [...(now?.querySelectorAll("input") ?? [])];
    const alike = { checkbox: (one) => one.type === "checkbox" && one.value === active.value, search: (one) => one.type === "search" }[active.type];
    const same = alike ? inputs.find(alike) : active;
    (same?.isConnected ? same : now?.querySelector("summary, input"))?.focus({ preventScroll: true });
    if (same?.type === "search") same.setSelectionRange(active.selectionStart, active.selectionEnd);
  };
  return { field, filter, again };
}

const pill = (label, remove) =>
  h("li", {}, h("button", { class: "pill", type: "button", "aria-label": `Remove filter ${label}`, onclick: remove }, label, icon("close")));

// `currency` is that of all prices, where there is one.
export function showPills(place, filters, currency, onChange) {
  const pills = [];
  for (const [name, choice] of Object.entries(filters)) {
    for (const value of choice.values ?? []) {
      const rest = choice.values.filter((one) => one !== value);
      pills.push(pill(`${fieldName(name)}: ${choice.many || name === "currency" ? value : calm(value)}`, () => onChange(withFilter(filters, name, { values: rest }))));
    }
    if (choice.yes) pills.push(pill(fieldName(name), () => onChange(withFilter(filters, name, { yes: undefined }))));
    if (choice.min !== undefined || choice.max !== undefined) {
      const read = (bound) => (typeof bound === "string" ? formatDay(bound) : isMoney(name) ? money(bound, currency) : bound);
      const bounds = [choice.min === undefined ? "" : `from ${read(choice.min)}`, choice.max === undefined ? "" : `up to ${read(choice.max)}`];
      const label = `${fieldName(name)} ${bounds.filter(Boolean).join(" ")}`;
      pills.push(pill(label, () => onChange(withFilter(filters, name, { min: undefined, max: undefined }))));
    }
  }
  if (countFilters(filters) > 1) {
    pills.push(h("li", {}, h("button", { class: "pill clear", type: "button", onclick: () => onChange({}) }, "Clear all")));
  }
  place.replaceChildren(...pills);
}
