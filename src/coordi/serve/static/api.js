// The service's routes, and its failures as one kind of error.

import { sameAs, whereOf } from "./where.js";

export const PAGE = 36;
export const GARMENT = "model"; // the field whose equal values are one garment in several colours
const MOST_VARIANTS = 24;
const ALIKE = 0.98; // cosine from which two photos show the same garment

export class ApiError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

async function call(address, options = {}) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("unreachable", "The shop cannot be reached.");
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  throw new ApiError(body?.error?.code ?? "internal", body?.error?.message ?? "The shop gave no answer.");
}

const query = (values) => {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== "" && value !== null && value !== undefined) out.set(key, value);
  }
  return out;
};

export const limits = () => call("/v1/limits");
// The fields, counted over what passes the filters; `search` looks inside one of them.
export const facets = async (filters = {}, search = {}, signal) =>
  (await call(`/v1/facets?${query({ where: whereOf(filters), ...search })}`, { signal })).facets;
// As a parameter any id can be asked for; in a path, clients take "." and ".." for steps.
export const item = (id, signal) => call(`/v1/items/?${query({ id })}`, { signal });
// What is like an item: other garments, not its own colours, which `variants` gives.
export async function similar(item, signal) {
  const model = item.fields[GARMENT];
  const others = isKey(model) ? { where: `not ${sameAs(GARMENT, model)}`, fold: GARMENT } : {};
  return (await call(`/v1/similar/?${query({ id: item.id, limit: 12, collapse: ALIKE, ...others })}`, { signal })).hits;
}
export async function variants(item, signal) {
  const model = item.fields[GARMENT];
  if (!isKey(model)) return [];
  const page = query({ where: sameAs(GARMENT, model), limit: MOST_VARIANTS + 1 });
  const found = await call(`/v1/items?${page}`, { signal });
  return found.items.filter((one) => one.id !== item.id).slice(0, MOST_VARIANTS);
}
const isKey = (value) => (typeof value === "string" && value !== "") || typeof value === "number";

// One page for the state: browse without a query, search with one.
export function results(state, photo, garments, offset, signal) {
  const page = { where: whereOf(state.filters), limit: PAGE, offset, sort: state.sort, fold: garments ? GARMENT : "" };
  if (!photo && !state.q && !state.like) return browse(page, signal);
  const words = state.words / 100;
  const fields = {
    ...page,
    text: state.q,
    item: state.like,
    explain: true,
    collapse: state.fold ? ALIKE : "",
    text_weight: state.q ? words : "",
    item_weight: state.like ? 1 - words : "",
  };
  return photo ? byPhoto(photo, words, fields, signal) : call(`/v1/search?${query(fields)}`, { signal });
}

async function browse(page, signal) {
  const asked = [page, ...(page.fold && !page.offset ? [{ where: page.where, limit: 1 }] : [])];
  const [found, apart] = await Promise.all(asked.map((one) => call(`/v1/items?${query(one)}`, { signal })));
  const hits = found.items.map((one, at) => ({ item: one, score: null, parts: null, duplicates: [], variants: found.variants[at] }));
  return { hits, total: found.total, apart: apart?.total ?? found.total, filtered_out: 0, more: found.more, browse: true };
}

function byPhoto(photo, words, fields, signal) {
  const form = new FormData();
  for (const [key, value] of query(fields)) form.set(key, value);
  form.set("image", photo.blob, "photo");
  form.set("image_weight", 1 - words);
  if (photo.box.some((side, index) => side !== [0, 0, 1, 1][index])) form.set("box", photo.box.join(","));
  return call("/v1/search", { method: "POST", body: form, signal });
}
