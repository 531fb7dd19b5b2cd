// Small helpers for making elements; text only ever goes in as text.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  search: ["M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14Z", "m20 20-4-4"],
  photo: ["M4 8h3.2L9 5.5h6L16.8 8H20v11H4Z", "M12 10.2a3.1 3.1 0 1 1 0 6.2 3.1 3.1 0 0 1 0-6.2Z"],
  sliders: ["M4 7h9m4 0h3M4 17h3m4 0h9", "M15 5v4M9 15v4"],
  close: ["m6 6 12 12M18 6 6 18"],
  plus: ["M12 5v14M5 12h14"],
  alike: ["M4 4h11v11H4Z", "M9 19.5h10.5V9"],
  open: ["M13 5h6v6M19 5l-9 9", "M17 14v5H5V7h5"],
  copy: ["M8 8h11v12H8Z", "M5 16V4h11"],
  hanger: ["M12 9.5V8.2a2.1 2.1 0 1 0-2.1-2.1", "m12 9.5 9 6.3c.8.6.4 1.7-.5 1.7h-17c-.9 0-1.3-1.1-.5-1.7Z"],
  broken: ["M4 5h16v14H4Z", "m4 15 4-4 3 3 2-5 7 6"],
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

// h("a", { href: "/", class: "brand", onclick: go }, "coordi")
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

// `action` once it was last called for so long; cancel() calls it off.
export function debounce(action, milliseconds) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

export function fillIcons(root) {
  for (const place of root.querySelectorAll("[data-icon]")) place.replaceChildren(icon(place.dataset.icon));
}
