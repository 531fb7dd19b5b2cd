// What is done with a photo before it is searched: its garments are found, and the service keeps it.

import * as api from "./api.js";
import { takeIn } from "./photo.js";

const PATIENCE = 6000; // milliseconds; a photo is searched whole rather than waited for
const MARGIN = 0.05; // cut out with a garment on each side, as the service does

let blind = false; // the service has no finder

// Sets the photo's `garments`, top to bottom, and its `id`; "" where it was not kept. Never fails.
export async function prepare(photo) {
  const [garments, id] = await Promise.all([garmentsOf(photo), api.keep(photo).catch(() => "")]);
  Object.assign(photo, { garments, id, ready: true });
}

// Fetches the photo that the service keeps under `photo.id`, and finds its garments.
export async function restore(photo) {
  Object.assign(photo, await takeIn(await api.keptPhoto(photo.id)));
  photo.garments = await garmentsOf(photo);
}

async function garmentsOf(photo) {
  if (blind || !photo.width) return [];
  try {
    const found = await api.find(photo, AbortSignal.timeout(PATIENCE));
    return found.map(framed).sort((a, b) => middle(a) - middle(b));
  } catch (error) {
    blind = error.code === "encoder" || error.code === "not_found";
    return [];
  }
}

const middle = ({ box }) => box[1] + box[3];

// The garment with the part of the photo that is searched for it, as it stands in the address.
function framed(garment) {
  const [left, top, right, bottom] = garment.box;
  const [x, y] = [MARGIN * (right - left), MARGIN * (bottom - top)];
  return { ...garment, frame: boxText([left - x, top - y, right + x, bottom + y]) };
}

const inside = (side) => Math.round(Math.min(1, Math.max(0, side)) * 1000) / 1000;

// [0.1, 0.2, 0.9, 1] → "0.1,0.2,0.9,1"; all of the photo → "".
export function boxText(box) {
  const text = box.map(inside).join(",");
  return text === "0,0,1,1" ? "" : text;
}

export function boxOf(text) {
  const box = text.split(",").map(Number);
  const right = box.length === 4 && box.every((side) => side >= 0 && side <= 1) && box[0] < box[2] && box[1] < box[3];
  return right ? box : [0, 0, 1, 1];
}

const SAME = 0.75; // intersection over union from which a box is a garment's own

// The garment that a part of the photo shows: its box may have been moved a little, and is found a
// little elsewhere on the small picture that the service keeps.
export function chosenGarment(photo, box) {
  if (!box) return null;
  const shared = (photo?.garments ?? []).map((garment) => [overlap(boxOf(garment.frame), boxOf(box)), garment]);
  const [most, garment] = shared.sort(([a], [b]) => b - a)[0] ?? [0, null];
  return most >= SAME ? garment : null;
}

function overlap(a, b) {
  const area = ([left, top, right, bottom]) => Math.max(0, right - left) * Math.max(0, bottom - top);
  const both = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
  return both / (area(a) + area(b) - both);
}
