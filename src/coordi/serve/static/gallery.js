// Results in justified rows: every row fills the width, and no picture is cut.

import { h, icon } from "./dom.js";
import { lineOf, nameOf, pricesOf, sizesOf as sizesOfItem, variantWord } from "./format.js";

const BARE = 0.75; // width over height of an item without a picture
const SLIMMEST = 0.42;
const WIDEST = 2.2;

const ratioOf = (item) =>
  item.width && item.height ? Math.min(WIDEST, Math.max(SLIMMEST, item.width / item.height)) : BARE;

const targetHeight = (width) => (width < 480 ? 225 : width < 900 ? 260 : 310);

// Widths and heights of tiles so that each row but the last fills `width`.
export function justify(ratios, width, gap, target) {
  const rows = [];
  let row = [];
  for (const ratio of ratios) {
    const before = rowHeight(row, width, gap);
    const after = rowHeight([...row, ratio], width, gap);
    if (row.length && after < target && target - after > before - target) {
      rows.push(row);
      row = [];
    }
    row.push(ratio);
    if (rowHeight(row, width, gap) <= target) {
      rows.push(row);
      row = [];
    }
  }
  const sizes = rows.flatMap((full) => sizesOf(full, rowHeight(full, width, gap)));
  return [...sizes, ...sizesOf(row, Math.min(target, rowHeight(row, width, gap)))];
}

const rowHeight = (row, width, gap) =>
  row.length ? (width - gap * (row.length - 1)) / row.reduce((sum, ratio) => sum + ratio, 0) : Infinity;

const sizesOf = (row, height) => row.map((ratio) => ({ width: Math.floor(ratio * height * 100) / 100, height }));

export function picture(item, width) {
  if (!item.thumbnail) return h("span", { class: "bare" }, icon("hanger"));
  const large = new URL(item.thumbnail, location.origin);
  large.searchParams.set("side", "640");
  const share = Math.min(1, ratioOf(item));
  return h("img", {
    alt: "",
    loading: "lazy",
    decoding: "async",
    width: item.width,
    height: item.height,
    srcset: `${item.thumbnail} ${Math.round(320 * share)}w, ${large.pathname}${large.search} ${Math.round(640 * share)}w`,
    sizes: `${Math.ceil(width)}px`,
    src: item.thumbnail,
    onload: ({ target }) => target.classList.add("here"),
    onerror: ({ target }) => target.replaceWith(h("span", { class: "bare" }, icon("broken"))),
  });
}

// What a reduced item cost before, struck out.
export const before = (price) => (price.before ? h("s", { class: "was" }, h("span", { class: "unseen" }, "before "), price.before) : null);

// `on` has addressOf(id), open(id, hit) and like(id).
export function createGallery(list, on) {
  let hits = [];

  const gap = () => parseFloat(getComputedStyle(list).columnGap) || 0;

  function layout() {
    const { width } = list.getBoundingClientRect(); // clientWidth would be rounded up
    if (!width || !hits.length) return;
    const sizes = justify(hits.map((hit) => ratioOf(hit.item)), width, gap(), targetHeight(width));
    hits.forEach((_, index) => {
      const tile = list.children[index];
      tile.style.width = `${sizes[index].width}px`;
      tile.style.setProperty("--height", `${sizes[index].height}px`);
      const image = tile.querySelector("img");
      if (image) image.sizes = `${Math.ceil(sizes[index].width)}px`;
    });
  }

  function tile(hit) {
    const { item, duplicates, variants = [] } = hit;
    const name = nameOf(item);
    const price = pricesOf(item);
    const sizes = sizesOfItem(item);
    const line = lineOf(item);
    const link = h(
      "a",
      { class: "tile-link", href: on.addressOf(item.id) },
      h("span", { class: "frame" }, picture(item, 320)),
      h("span", { class: "tile-name" }, name),
      h(
        "span",
        { class: "tile-line" },
        price.now ? h("span", { class: "tile-price" }, price.now) : null,
        before(price),
        line ? h("span", { class: "tile-kind" }, line) : null,
      ),
      sizes.length ? h("span", { class: "tile-sizes" }, h("span", { class: "unseen" }, "Sizes "), sizes.join(" · ")) : null,
    );
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      on.open(item.id, hit);
    });
    const like = h(
      "button",
      { class: "round tile-like", type: "button", "aria-label": `More like ${name}`, title: "More like this", onclick: () => on.like(item.id) },
      icon("alike"),
    );
    const badge = (words, label) =>
      h("button", { class: "tile-folded", type: "button", "aria-label": label, onclick: () => on.open(item.id, hit) }, words);
    const all = `${variants.length + 1} ${variantWord(item, variants.length + 1)}`;
    const garment = variants.length ? badge(all, `${all} of ${name}`) : null;
    const folded = duplicates.length ? badge(`+${duplicates.length} alike`, `${duplicates.length} more that look the same as ${name}`) : null;
    const badges = garment || folded ? h("div", { class: "tile-badges" }, garment, folded) : null;
    return h("li", { class: "tile" }, link, like, badges);
  }

  function ghost([width, height, whole]) {
    const one = h("li", { class: "tile ghost", "aria-hidden": "true" }, h("span", { class: "frame" }), h("span", { class: "ghost-line" }));
    one.style.width = width;
    if (whole) one.style.height = `${whole}px`;
    one.style.setProperty("--height", height);
    return one;
  }

  new ResizeObserver(layout).observe(list);

  return {
    show(next) {
      hits = next;
      list.replaceChildren(...hits.map(tile));
      layout();
    },
    add(further) {
      const from = hits.length;
      hits = [...hits, ...further];
      list.append(...further.map(tile));
      layout();
      list.children[from]?.querySelector("a").focus({ preventScroll: true });
    },
    // Skeletons where the last results stood, of their sizes, so that nothing moves; `count` of them
    // where nothing stood.
    wait(count) {
      if (list.querySelector(".ghost")) return;
      const width = list.getBoundingClientRect().width || 320;
      const old = [...list.children].map((one) => [one.style.width, one.style.getPropertyValue("--height"), one.offsetHeight]);
      const fresh = () => justify(Array(count).fill(BARE), width, gap(), targetHeight(width)).map((size) => [`${size.width}px`, `${size.height}px`, 0]);
      hits = [];
      list.replaceChildren(...(old.length ? old : fresh()).map(ghost));
    },
    clear() {
      hits = [];
      list.replaceChildren();
    },
    find: (id) => hits.find((hit) => hit.item.id === id),
    get length() {
      return hits.length;
    },
  };
}
