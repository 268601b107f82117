// A window on a list of pictures: only what is in view, and some around it, is in the document.
import { aspect } from "./layout.js";
import { beforePaint, fileName, isVideo, tagName, thumbnail } from "./dom.js";
import { href, now } from "./address.js";
import { bottom, Placement } from "./placement.js";
import { isSelected, onSelect, toggle } from "./selection.js";
import { minutes, number, period, t } from "./text.js";

const AROUND = 700;
const MOST_TILES = 400;
const HEIGHTS = { S: 110, M: 190, L: 300 };

export class Grid {
  constructor(root, { onOpen, onFocus }) {
    Object.assign(this, { root, onOpen, onFocus, list: null, tiles: new Map(), headings: new Map(), placement: null, focused: 0 });
    this.draw = beforePaint(() => this.drawNow());
    addEventListener("scroll", this.draw, { passive: true });
    new ResizeObserver(() => this.resize()).observe(root);
    root.addEventListener("click", (event) => this.click(event));
    root.addEventListener("focusin", (event) => this.focusIn(event));
    root.addEventListener("dragstart", (event) => this.drag(event));
    onSelect(() => this.tiles.forEach((tile) => this.mark(tile)));
  }

  // Where the list begins in the document.
  get start() {
    return this.root.getBoundingClientRect().top + scrollY;
  }

  get rowHeight() {
    const size = HEIGHTS[localStorage.getItem("density")] ?? HEIGHTS.M;
    return innerWidth < 700 ? Math.min(size, innerWidth / 3) : Math.max(size, size * Math.min(1.4, innerWidth / 2000));
  }

  show(list) {
    if (this.list !== list) {
      this.list = list;
      this.focused = 0;
      this.again();
    }
    this.draw();
  }

  // Places all anew: another list, another width, another size.
  again() {
    this.placement = null;
    this.clear();
  }

  clear() {
    [...this.tiles.values(), ...this.headings.values()].forEach((node) => node.remove());
    this.tiles.clear();
    this.headings.clear();
  }

  resize() {
    if (!this.placement || [0, this.placement.width].includes(this.root.clientWidth)) return;
    const anchor = this.anchor();
    this.placement = null;
    this.drawNow();
    if (anchor) this.scrollTo(anchor, true);
  }

  // The picture at the top of the window.
  anchor() {
    const top = scrollY - this.start;
    for (const [at, tile] of this.tiles) if (tile.top + tile.height > top) return at;
    return null;
  }

  drawNow() {
    if (!this.list?.isLoaded || this.list.error || !this.root.clientWidth) return;
    this.placement ??= new Placement(this.list, this.root.clientWidth, this.rowHeight);
    const grown = this.placement.update(scrollY - this.start - innerHeight);
    this.root.style.height = `${this.placement.height}px`;
    // What turned out higher or lower above the reader moves the window with it.
    if (grown) scrollBy(0, grown);
    const top = scrollY - this.start;
    const [from, to] = [top - AROUND, top + innerHeight + AROUND];
    const wanted = new Map();
    const headings = new Set();
    for (const section of this.list.sections) {
      const layout = this.placement.layouts.get(section);
      if (layout.top > to || layout.top + layout.height < from) continue;
      if (layout.heading) this.head(section, layout, headings);
      const start = layout.top + layout.heading;
      for (const row of layout.rows) {
        if (start + row.bottom < from || start + row.top > to || wanted.size >= MOST_TILES) continue;
        for (const tile of row.tiles) wanted.set(layout.before + tile.at, { ...tile, top: start + row.top, height: row.height, item: section.items[tile.at] });
      }
      const laidOut = start + bottom(layout);
      if (layout.next < section.count && to > laidOut) this.ask(section, layout, to - laidOut);
    }
    for (const [at, tile] of this.tiles) {
      const next = wanted.get(at);
      if (next?.item.id === tile.item.id || (at === this.focused && tile.contains(document.activeElement))) continue;
      tile.remove();
      this.tiles.delete(at);
    }
    for (const [at, tile] of wanted) this.put(at, tile);
    for (const [section, heading] of this.headings) {
      if (!headings.has(section)) { heading.remove(); this.headings.delete(section); }
    }
  }

  ask(section, layout, room) {
    const each = this.placement.width / (this.rowHeight * 1.4);
    this.list.need(section, layout.next + Math.ceil((room / this.rowHeight) * each));
  }

  head(section, layout, headings) {
    headings.add(section);
    let heading = this.headings.get(section);
    if (!heading) {
      heading = document.createElement("h2");
      heading.textContent = `${period(section.month)} · ${number(section.count)}`;
      this.root.previousElementSibling.append(heading);
      this.headings.set(section, heading);
    }
    heading.style.top = `${layout.top}px`;
  }

  put(at, { left, top, width, height, item }) {
    let tile = this.tiles.get(at);
    if (!tile || tile.item !== item) {
      const isFocused = tile?.contains(document.activeElement);
      tile?.remove();
      tile = this.make(at, item);
      this.tiles.set(at, tile);
      this.insert(at, tile);
      if (isFocused) tile.link.focus({ preventScroll: true });
    }
    Object.assign(tile, { top, height });
    Object.assign(tile.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
    tile.link.tabIndex = at === this.focused ? 0 : -1;
    this.mark(tile);
  }

  // In the order of the list, which is the one that is read aloud.
  insert(at, tile) {
    const last = this.root.lastElementChild;
    if (!last || last.at < at) this.root.append(tile);
    else this.root.insertBefore(tile, [...this.root.children].find((other) => other.at > at));
  }

  make(at, item) {
    const tile = document.createElement("div");
    const link = document.createElement("a");
    const image = document.createElement("img");
    const pick = document.createElement("button");
    Object.assign(tile, { className: "tile", at, item, link, role: "listitem" });
    tile.setAttribute("aria-posinset", at + 1);
    tile.setAttribute("aria-setsize", this.list.count);
    link.href = href({ ...now(), view: "image", image: item.id });
    link.dataset.id = item.id;
    const height = this.rowHeight * devicePixelRatio;
    const size = Math.max(height, height * aspect(item)) <= 340 ? 320 : 640;
    Object.assign(image, { src: thumbnail(item, size), alt: describe(item), decoding: "async", draggable: false });
    image.onload = () => tile.classList.add("loaded");
    image.onerror = () => tile.classList.add("broken");
    link.append(image, caption(item));
    link.draggable = true;
    Object.assign(pick, { className: "pick", type: "button", tabIndex: -1, ariaLabel: t("select", fileName(item.path)) });
    tile.append(link, pick);
    if (item.colours) tile.style.background = item.colours;
    return tile;
  }

  mark(tile) {
    const selected = isSelected(tile.item.id);
    tile.classList.toggle("selected", selected);
    tile.classList.toggle("gone", Boolean(tile.item.isGone));
    tile.lastElementChild.ariaPressed = selected;
  }

  // A picture of which something changed.
  refresh(id) {
    for (const tile of this.tiles.values()) {
      if (tile.item.id !== id) continue;
      tile.link.lastElementChild.replaceWith(caption(tile.item));
      tile.link.firstElementChild.alt = describe(tile.item);
      this.mark(tile);
    }
  }

  tileOf(event) {
    return event.target.closest(".tile");
  }

  click(event) {
    const tile = this.tileOf(event);
    if (!tile || event.metaKey || event.ctrlKey) return;
    const isPick = event.target.closest(".pick") || event.shiftKey;
    event.preventDefault();
    if (isPick) toggle(this.list, tile.at, event.shiftKey);
    else this.onOpen(tile.at);
  }

  focusIn(event) {
    const tile = this.tileOf(event);
    if (tile && tile.at !== this.focused) this.setFocused(tile.at);
    this.onFocus?.(tile?.item);
  }

  setFocused(at) {
    const before = this.tiles.get(this.focused);
    if (before) before.link.tabIndex = -1;
    this.focused = at;
    const tile = this.tiles.get(at);
    if (tile) tile.link.tabIndex = 0;
  }

  drag(event) {
    const tile = this.tileOf(event);
    if (!tile) return;
    event.dataTransfer.setData("application/x-pixdex-image", tile.item.id);
    event.dataTransfer.effectAllowed = "copy";
  }

  scrollTo(at, toTop = false) {
    const place = this.placement?.of(at);
    if (!place) return;
    const bar = document.getElementById("bar").offsetHeight + 8;
    const top = this.start + place.top;
    const isFirstRow = place.top - (place.layout.heading) <= 0;
    if (toTop || top - bar < scrollY) scrollTo(0, isFirstRow ? 0 : top - bar);
    else if (top + place.height > scrollY + innerHeight) scrollTo(0, top + place.height - innerHeight + 8);
    this.drawNow();
  }

  // The month at the top of a section.
  scrollToMonth(value) {
    const top = this.placement?.topOfMonth(value);
    if (top !== undefined) scrollTo(0, this.start + top - document.getElementById("bar").offsetHeight);
  }

  async focus(at) {
    const place = Math.max(0, Math.min(at, this.list.count - 1));
    this.setFocused(place);
    this.scrollTo(place);
    if (!this.tiles.has(place)) {
      await this.list.itemAt(place);
      this.drawNow();
      this.scrollTo(place);
    }
    this.tiles.get(place)?.link.focus({ preventScroll: true });
  }

  // The place that a key leads to.
  step(key) {
    const at = this.focused;
    const { count } = this.list;
    const page = Math.max(1, Math.floor(innerHeight / this.rowHeight) - 1);
    const ways = {
      ArrowLeft: () => at - 1, ArrowRight: () => at + 1, Home: () => 0, End: () => count - 1,
      ArrowUp: () => this.placement.beside(at, -1), ArrowDown: () => this.placement.beside(at, 1),
      PageUp: () => this.placement.beside(at, -page), PageDown: () => this.placement.beside(at, page),
    };
    return ways[key]?.();
  }
}

export function describe(item) {
  const tags = [...new Set(item.tags.map((tag) => tag.label))].join(", ");
  return tags ? `${fileName(item.path)}: ${tags}` : fileName(item.path);
}

function caption(item) {
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
