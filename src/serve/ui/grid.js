// A window on a list of pictures: only what is in view, and some around it, is in the document.
import { beforePaint } from "./dom.js";
import { bottom, Placement } from "./placement.js";
import { isSelected, onSelect, toggle } from "./selection.js";
import { number, period } from "./text.js";
import { caption, describe, make } from "./tile.js";

const AROUND = 700;
const MOST_TILES = 400;
const HEIGHTS = { S: 110, M: 190, L: 300 };

export class Grid {
  constructor(root, { onOpen, onFocus }) {
    Object.assign(this, { root, onOpen, onFocus, list: null, tiles: new Map(), headings: new Map(), placement: null, focused: 0, isMoved: false, top: 0 });
    this.draw = beforePaint(() => this.drawNow());
    addEventListener("scroll", () => { this.isMoved = true; this.draw(); }, { passive: true });
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
    // Read once, before anything is written: a second look would have the page laid out in between.
    const { start } = this;
    const grown = this.placement.update(scrollY - start - innerHeight);
    if (this.height !== this.placement.height) {
      this.height = this.placement.height;
      this.root.style.height = `${this.height}px`;
    }
    // What turned out higher or lower above the reader moves the window with it.
    if (grown) scrollBy(0, grown);
    const top = scrollY - start;
    const [from, to] = [top - AROUND, top + innerHeight + AROUND];
    const wanted = new Map();
    const headings = new Set();
    for (const section of this.list.sections) {
      const layout = this.placement.layouts.get(section);
      if (layout.top > to || layout.top + layout.height < from) continue;
      if (layout.heading) this.head(section, layout, headings);
      const first = layout.top + layout.heading;
      for (const row of layout.rows) {
        if (first + row.bottom < from || first + row.top > to || wanted.size >= MOST_TILES) continue;
        for (const tile of row.tiles) wanted.set(layout.before + tile.at, { ...tile, top: first + row.top, height: row.height, item: section.items[tile.at] });
      }
      const laidOut = first + bottom(layout);
      if (layout.next < section.count && to > laidOut) this.ask(section, layout, to - laidOut);
    }
    for (const [at, tile] of this.tiles) {
      const next = wanted.get(at);
      if (next?.item.id === tile.item.id || (at === this.focused && tile.contains(document.activeElement))) continue;
      tile.remove();
      this.tiles.delete(at);
    }
    for (const [at, tile] of wanted) this.put(at, tile);
    this.load(top, this.isMoved ? to : top + innerHeight);
    for (const [section, heading] of this.headings) {
      if (!headings.has(section)) { heading.remove(); this.headings.delete(section); }
    }
  }

  // Pictures around those in view come before they are scrolled to, but not before anybody scrolls. Whoever flies past them sees their
  // colours, and waits for none of them where the flight ends.
  load(top, to) {
    const isFlying = Math.abs(top - this.top) > innerHeight / 5;
    this.top = top;
    if (isFlying) { this.draw(); return; }
    for (const tile of this.tiles.values()) if (tile.top < to) tile.load();
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
      tile = make(item, at, this.list.count, this.rowHeight);
      this.tiles.set(at, tile);
      this.insert(at, tile);
      if (isFocused) tile.link.focus({ preventScroll: true });
    }
    if (tile.top === top && tile.left === left && tile.width === width && tile.height === height) return;
    Object.assign(tile, { left, top, width, height });
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
    else this.onOpen(tile.item, tile.at);
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
    // Nothing is there yet to be focused.
    if (!this.list?.count) return;
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
