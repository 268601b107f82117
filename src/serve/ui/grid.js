// A window on a list of pictures: only what is in view, and some around it, is in the document.
import { aspect, estimated, GAP, rows } from "./layout.js";
import { beforePaint, fileName, isVideo, tagName, thumbnail } from "./dom.js";
import { href, now } from "./address.js";
import { isSelected, onSelect, toggle } from "./selection.js";
import { minutes, month, number, t } from "./text.js";

const AROUND = 700;
const HEADING = 44;
const MOST_TILES = 400;
const HEIGHTS = { S: 110, M: 190, L: 300 };

export class Grid {
  constructor(root, { onOpen, onFocus }) {
    Object.assign(this, { root, onOpen, onFocus, list: null, tiles: new Map(), headings: new Map(), layouts: new Map(), focused: 0 });
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
      this.layouts = new Map();
      this.focused = 0;
      this.clear();
    }
    this.draw();
  }

  clear() {
    [...this.tiles.values(), ...this.headings.values()].forEach((node) => node.remove());
    this.tiles.clear();
    this.headings.clear();
  }

  resize() {
    if (this.width === this.root.clientWidth) return;
    const anchor = this.anchor();
    this.layouts = new Map();
    this.drawNow();
    if (anchor) this.scrollTo(anchor, true);
  }

  // The picture at the top of the window.
  anchor() {
    const top = scrollY - this.start;
    for (const [at, tile] of this.tiles) if (tile.top + tile.height > top) return at;
    return null;
  }

  // Where each section lies, as far as it is known: its rows, and room for those of its pictures that were not asked for yet.
  place() {
    const { list } = this;
    this.width = this.root.clientWidth;
    const height = this.rowHeight;
    let top = 0;
    let before = 0;
    const changes = [];
    for (const section of list.sections) {
      const known = this.layouts.get(section) ?? { rows: [], next: 0, height: 0, top };
      const wasHeight = known.height;
      const { items, isWhole, count } = section;
      if (known.seen !== items) {
        // A section whose start was replaced is laid out anew.
        if (known.first !== items[0]) Object.assign(known, { rows: [], next: 0 });
        const made = rows(items, known.next, this.width, height, isWhole);
        let y = known.rows.length ? known.rows.at(-1).bottom : 0;
        for (const row of made) {
          row.top = y;
          y += row.height + GAP;
          row.bottom = y;
          known.next += row.tiles.length;
        }
        known.rows = known.rows.concat(made);
        Object.assign(known, { seen: items, first: items[0] });
      }
      const heading = section.month ? HEADING : 0;
      const rest = count - known.next;
      const bottom = known.rows.at(-1)?.bottom ?? 0;
      known.height = heading + bottom + (rest > 0 ? estimated(rest, this.width, height) : 0);
      if (wasHeight && wasHeight !== known.height) changes.push([known.top, known.height - wasHeight]);
      Object.assign(known, { top, heading, before });
      this.layouts.set(section, known);
      top += known.height;
      before += count;
    }
    this.root.style.height = `${top}px`;
    // What turned out higher or lower above the reader moves the window with it.
    const seen = scrollY - this.start;
    const moved = changes.filter(([at]) => at < seen - innerHeight).reduce((sum, [, change]) => sum + change, 0);
    if (moved) scrollBy(0, moved);
  }

  drawNow() {
    if (!this.list?.isLoaded || this.list.error || !this.root.isConnected) return;
    this.place();
    const top = scrollY - this.start;
    const [from, to] = [top - AROUND, top + innerHeight + AROUND];
    const wanted = new Map();
    const headings = new Set();
    for (const section of this.list.sections) {
      const layout = this.layouts.get(section);
      if (layout.top > to || layout.top + layout.height < from) continue;
      if (layout.heading) this.head(section, layout, headings);
      const start = layout.top + layout.heading;
      for (const row of layout.rows) {
        if (start + row.bottom < from || start + row.top > to || wanted.size >= MOST_TILES) continue;
        for (const tile of row.tiles) wanted.set(layout.before + tile.at, { ...tile, top: start + row.top, height: row.height, item: section.items[tile.at] });
      }
      const laidOut = start + (layout.rows.at(-1)?.bottom ?? 0);
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
    const each = this.width / (this.rowHeight * 1.4);
    this.list.need(section, layout.next + Math.ceil((room / this.rowHeight) * each));
  }

  head(section, layout, headings) {
    headings.add(section);
    let heading = this.headings.get(section);
    if (!heading) {
      heading = document.createElement("h2");
      heading.textContent = `${month(section.month)} · ${number(section.count)}`;
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

  // Where a picture lies, or will.
  topOf(at) {
    const found = this.list.find(at);
    if (!found) return null;
    const layout = this.layouts.get(found.section);
    const row = layout.rows.find((one) => one.tiles.at(-1).at >= found.at);
    const beyond = () => (layout.rows.at(-1)?.bottom ?? 0) + estimated(found.at - layout.next + 1, this.width, this.rowHeight) - this.rowHeight;
    return { top: layout.top + layout.heading + (row ? row.top : beyond()), height: row?.height ?? this.rowHeight, row, layout };
  }

  scrollTo(at, toTop = false) {
    const place = this.topOf(at);
    if (!place) return;
    const bar = document.getElementById("bar").offsetHeight + 8;
    const top = this.start + place.top;
    if (toTop || top - bar < scrollY) scrollTo(0, top - bar);
    else if (top + place.height > scrollY + innerHeight) scrollTo(0, top + place.height - innerHeight + 8);
    this.drawNow();
  }

  // The month at the top of a section.
  scrollToMonth(value) {
    const section = this.list.sections.find((one) => one.month === value);
    const layout = this.layouts.get(section);
    if (layout) scrollTo(0, this.start + layout.top - document.getElementById("bar").offsetHeight);
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
      ArrowUp: () => this.beside(at, -1), ArrowDown: () => this.beside(at, 1),
      PageUp: () => this.beside(at, -page), PageDown: () => this.beside(at, page),
    };
    return ways[key]?.();
  }

  // The picture under or over another, so many rows away.
  beside(at, away) {
    const place = this.topOf(at);
    if (!place?.row) return at + Math.sign(away);
    const tile = place.row.tiles.find((one) => place.layout.before + one.at === at);
    const middle = tile.left + tile.width / 2;
    const all = [...this.layouts.values()].flatMap((layout) => layout.rows.map((row) => ({ row, layout })));
    const here = all.findIndex(({ row }) => row === place.row);
    const next = all[Math.max(0, Math.min(here + away, all.length - 1))];
    const under = next.row.tiles.find((one) => one.left + one.width >= middle) ?? next.row.tiles.at(-1);
    const found = next.layout.before + under.at;
    return found === at ? at + Math.sign(away) * place.row.tiles.length : found;
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
    badge.textContent = `▶ ${item.z === undefined ? minutes(item.duration_ms) : minutes(item.time_ms ?? 0)}`;
    node.append(badge);
  }
  return node;
}
