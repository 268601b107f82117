// A picture as it stands among others: its colours until it is there, its name and what it shows, and a way to select it.
import { href, now } from "./address.js";
import { fileName, isVideo, tagName, thumbnail } from "./dom.js";
import { aspect } from "./layout.js";
import { minutes, t } from "./text.js";

// The picture at a place of so many, to be shown at about this height. It is fetched when `load` is called.
export function make(item, at, count, row) {
  const tile = document.createElement("div");
  const link = document.createElement("a");
  const image = document.createElement("img");
  const pick = document.createElement("button");
  Object.assign(tile, { className: "tile", at, item, link, role: "listitem" });
  tile.setAttribute("aria-posinset", at + 1);
  tile.setAttribute("aria-setsize", count);
  link.href = href({ ...now(), view: "image", image: item.id });
  link.dataset.id = item.id;
  const height = row * devicePixelRatio;
  const size = Math.max(height, height * aspect(item)) <= 340 ? 320 : 640;
  Object.assign(image, { alt: describe(item), decoding: "async", draggable: false });
  tile.load = () => { if (!image.src) image.src = thumbnail(item, size); };
  image.onload = () => { tile.classList.add("loaded"); tile.style.background = ""; };
  image.onerror = () => tile.classList.add("broken");
  link.append(image, caption(item));
  link.draggable = true;
  Object.assign(pick, { className: "pick", type: "button", tabIndex: -1, ariaLabel: t("select", fileName(item.path)) });
  tile.append(link, pick);
  if (item.colours) tile.style.background = blended(item.colours);
  return tile;
}

// The colours of a picture's quarters, flowing into each other.
function blended([topLeft, topRight, bottomLeft, bottomRight]) {
  return `linear-gradient(to bottom right, ${topLeft}, color-mix(in srgb, ${topRight}, ${bottomLeft}), ${bottomRight})`;
}

export function describe(item) {
  const tags = [...new Set(item.tags.map((tag) => tag.label))].join(", ");
  return tags ? `${fileName(item.path)}: ${tags}` : fileName(item.path);
}

export function caption(item) {
  const node = document.createElement("span");
  node.className = "caption";
  const name = document.createElement("bdi");
  name.textContent = fileName(item.path);
  const tags = document.createElement("span");
  tags.className = "tags";
  tags.textContent = [...new Set(item.tags.map(tagName))].map((tag) => tag.split("/").slice(1).join("/")).slice(0, 6).join(" · ");
  node.append(name, tags);
  node.ariaHidden = true;
  if (isVideo(item)) {
    const badge = document.createElement("span");
    badge.className = "badge";
    badge.textContent = `▶ ${item.z == null ? minutes(item.duration_ms) : minutes(item.time_ms ?? 0)}`;
    node.append(badge);
  }
  return node;
}
