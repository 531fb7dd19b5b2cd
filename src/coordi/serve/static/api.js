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
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== "" && one !== null && one !== undefined) out.append(key, one);
    }
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
    spelling: state.typed ? false : "",
    drop: state.drop,
    collapse: state.fold ? ALIKE : "",
    text_weight: state.q ? words : "",
    item_weight: state.like ? 1 - words : "",
  };
  if (!photo) return call(`/v1/search?${query(fields)}`, { signal });
  const part = { ...fields, image_weight: 1 - words, box: state.box };
  // The service has the photo already, or it is sent along.
  return photo.id ? call(`/v1/search?${query({ ...part, query: photo.id })}`, { signal }) : call("/v1/search", { method: "POST", body: formOf(photo, part), signal });
}

async function browse(page, signal) {
  const asked = [page, ...(page.fold && !page.offset ? [{ where: page.where, limit: 1 }] : [])];
  const [found, apart] = await Promise.all(asked.map((one) => call(`/v1/items?${query(one)}`, { signal })));
  const hits = found.items.map((one, at) => ({ item: one, score: null, parts: null, duplicates: [], variants: found.variants[at] }));
  return { hits, total: found.total, apart: apart?.total ?? found.total, filtered_out: 0, more: found.more, browse: true };
}

function formOf(photo, fields = {}) {
  const form = new FormData();
  for (const [key, value] of query(fields)) form.append(key, value);
  form.set("image", photo.blob, "photo");
  return form;
}

// The garments of a photo: [{ kind, family, box, score, best }].
export const find = async (photo, signal) => (await call("/v1/find", { method: "POST", body: formOf(photo), signal })).garments;

// Leaves a photo with the service for a while → the id to search with.
export const keep = async (photo) => (await call("/v1/queries", { method: "POST", body: formOf(photo) })).id;

export async function keptPhoto(id) {
  const response = await fetch(`/v1/queries/${encodeURIComponent(id)}/image`).catch(() => null);
  if (response?.ok) return response.blob();
  throw new ApiError(response?.status === 410 ? "gone" : "unreachable", "The photo cannot be had.");
}
