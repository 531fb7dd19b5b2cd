// Words to start from, out of the catalogue's own kinds and colours.

import { h } from "./dom.js";
import { offered } from "./filters.js";
import { leafOf } from "./format.js";

export function showIdeas(place, facets, onIdea) {
  const text = offered(facets).filter((facet) => facet.kind === "text");
  const kinds = ["type", "articleType", "category", "label"].map((name) => text.find((facet) => facet.name === name)).find(Boolean);
  const colors = text.find((facet) => /colou?r/i.test(facet.name));
  if (!kinds) return;
  const names = [...new Set(kinds.values.map(({ value }) => leafOf(value)))];
  const short = names.filter((value) => /^[\p{L} -]{3,18}$/u.test(value));
  const ideas = short.slice(0, 6).map((value, index) => {
    const color = colors && colors !== kinds ? colors.values[(index * 3 + 1) % colors.values.length].value : "";
    return `${color} ${value}`.trim().toLowerCase();
  });
  place.replaceChildren(
    ...ideas.map((idea) => h("li", {}, h("button", { type: "button", class: "idea", onclick: () => onIdea(idea) }, idea))),
  );
}
