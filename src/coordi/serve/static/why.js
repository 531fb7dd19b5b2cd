// Why an item was found: what it has of the words, and how alike it is.

import { h } from "./dom.js";
import { fieldName, formatScore, formatShare } from "./format.js";

const PARTS = { image: "Your photo", text: "Your words", item: "The item you chose" };
const FUSION = { words: "Your words that it has", likeness: "More alike than most", code: "Its code or id" };

const row = (name, value, kind = "why-row") => h("div", { class: kind }, h("dt", {}, name), h("dd", {}, value));
const total = (name, value) => row(name, h("span", {}, value), "why-row total");

// Shares as bars; they add up to what stands below them.
function bars(shares, names) {
  const largest = Math.max(...shares.map(([, share]) => Math.abs(share)), 0.01);
  return shares.map(([part, share]) => {
    const bar = h("span", { class: "why-bar", "aria-hidden": "true" }, h("span", {}));
    bar.firstChild.style.width = `${(Math.abs(share) / largest) * 100}%`;
    return row(names[part] ?? part, [bar, h("span", {}, formatScore(share))]);
  });
}

// “sneakers” (for “trainers”) in title, brand
function matched(words) {
  const lines = words.map(({ word, found, fields }) =>
    h("li", {}, `“${found}”`, found === word ? "" : ` for “${word}”`, fields.length ? ` in ${fields.map((name) => fieldName(name).toLowerCase()).join(", ")}` : ""),
  );
  return [h("h3", {}, "It has your words"), h("ul", { class: "why-words" }, lines)];
}

// A small disclosure; null where nothing was searched.
export function reasons(hit) {
  if (typeof hit?.score !== "number") return null;
  const parts = Object.entries(hit.parts ?? {});
  const fusion = Object.entries(hit.fusion ?? {}).filter(([, share]) => share);
  const sure = typeof hit.match === "number";
  const fused = typeof hit.fused === "number" && fusion.length > 0;
  return h(
    "details",
    { class: "why" },
    h("summary", {}, "Why this?"),
    hit.words?.length ? matched(hit.words) : null,
    h("dl", {}, bars(parts, PARTS), total("Likeness", formatScore(hit.score)), sure ? total("Match", formatShare(hit.match)) : null),
    h("p", {}, "Likeness is the cosine similarity of the two: 1 is the same, 0 has nothing to do with it."),
    sure ? h("p", {}, "Match is how sure the re-ranker is that both show the same garment; it orders the first hits.") : null,
    fused ? h("dl", {}, bars(fusion, FUSION), total("Together", formatScore(hit.fused))) : null,
    fused ? h("p", {}, "Both together give it its place among the hits.") : null,
  );
}
