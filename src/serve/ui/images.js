// The pictures that a query finds, as far as they were asked for: in sections of a month or a year each where they stand by date,
// else of a thousand, so that whoever jumps to the end waits for the end alone.
// What was asked for stays, so that "back" finds the list as it was.
import { ask, isAborted, params } from "./api.js";

const FIRST = 120;
const PAGE = 400;
const BLOCK = 1000;
const KEPT_LISTS = 6;
const FEW = 12;
const kept = new Map();
const everyone = new Set();

// Whoever shows pictures wants to know when something about one of them changed.
export const onChange = (listener) => everyone.add(listener);
const changed = (list, change) => everyone.forEach((listener) => listener(list, null, change));

// Only what is shown of a picture: a hundred thousand of them must fit.
const slim = ({ id, path, width, height, tags, format, z, score, is_named, time_ms, duration_ms, taken_at, colours, paths }) => ({
  id, path, width, height, tags, format, z, score, is_named, time_ms, duration_ms, taken_at, colours, files: paths.length,
});

// A month has an end of its own; a block but the last goes on in the next.
class Section {
  constructor({ month = null, offset = 0, count, q, goesOn = false }) {
    Object.assign(this, { month, offset, count, q, goesOn, items: [], cursor: undefined, isWhole: count === 0, loading: null });
  }
}

class List {
  constructor(q, order) {
    Object.assign(this, { q, order, sections: [], total: 0, facets: null, fits: undefined, isRanked: false, error: null, isLoaded: false });
    this.ready = this.load();
  }

  url(q, rest) {
    const { order } = this;
    return `${this.isRanked ? "search" : "images"}?${params({ q, order: this.isRanked ? "" : order || "-taken", ...rest })}`;
  }

  // The start of it, and what all of it has in common.
  async load() {
    this.controller = new AbortController();
    const { signal } = this.controller;
    try {
      const { parts, error } = await ask(`parse?${params({ q: this.q })}`, { signal });
      if (error) throw new Error(error.mistake);
      this.parts = parts;
      this.isRanked = parts.some((part) => part.kind !== "filter");
      // A list by date has its months from the counts; a ranking is shown before all that it finds is counted.
      this.take(await ask(this.url(this.q, { limit: FIRST, ...(this.isRanked ? { total: true } : { facets: true }) }), { signal }));
    } catch (error) {
      if (isAborted(error)) { kept.delete(key(this)); return this; }
      this.error = error;
      kept.delete(key(this));
    }
    this.isLoaded = true;
    changed(this);
    if (this.isRanked && !this.error) this.askCounts(signal).catch(() => {});
    return this;
  }

  // What all of it has in common now, and how many there are.
  async askCounts(signal) {
    const { facets, total } = await ask(this.url(this.q, { limit: 1, facets: true }), { signal });
    this.facets = facets;
    changed(this);
    return total;
  }

  take({ items, total, facets, fits, cursor }) {
    Object.assign(this, { total, facets, fits });
    const months = facets?.months ?? [];
    const inMonths = months.reduce((sum, month) => sum + month.count, 0);
    const isDated = !this.isRanked && (!this.order || this.order.endsWith("taken")) && inMonths === total && total > items.length;
    if (!isDated) {
      for (let offset = 0; offset < total || !offset; offset += BLOCK) {
        const rest = total - offset;
        this.sections.push(new Section({ offset, count: Math.min(BLOCK, rest), q: this.q, goesOn: rest > BLOCK }));
      }
      this.add(this.sections[0], items, cursor);
      return;
    }
    // Months of few pictures each would be mostly empty rows.
    const periods = total / months.length < FEW ? facets.years : months;
    const inOrder = this.order === "taken" ? periods.toReversed() : periods;
    this.sections = inOrder.map(({ value, count }) => new Section({ month: value, count, q: `${this.q} taken:${value}`.trim() }));
    for (const section of this.sections) {
      const own = items.filter((item) => item.taken_at.startsWith(section.month));
      section.items = own.map(slim);
      section.isWhole = own.length === section.count;
      if (!section.isWhole) break;
    }
  }

  add(section, items, cursor) {
    section.items = section.items.concat(items.map(slim)).slice(0, section.goesOn ? section.count : undefined);
    section.cursor = cursor;
    section.isWhole = !cursor || (section.goesOn && section.items.length === section.count);
    // What came or went meanwhile.
    if (section.isWhole) section.count = section.items.length;
  }

  // More of a section, up to the picture at this place.
  async need(section, upTo) {
    if (section.loading) { await section.loading; return; }
    if (section.isWhole || section.items.length > upTo) return;
    const { count } = this;
    section.loading = (async () => {
      try {
        // The start of a month came with the start of the list, which knows no way on within the month.
        if (section.month && section.cursor === undefined) section.items = [];
        const place = section.cursor ? { cursor: section.cursor } : { offset: section.offset || undefined };
        const answer = await ask(this.url(section.q, { limit: PAGE, ...place }));
        this.add(section, answer.items, answer.cursor);
      } catch {
        // The daemon is away: who looks again asks again.
        await new Promise((done) => { setTimeout(done, 1000); });
      }
      section.loading = null;
      changed(this, { isMore: count === this.count });
    })();
    await section.loading;
  }

  get count() {
    return this.sections.reduce((sum, section) => sum + section.count, 0);
  }

  // The section and the place in it of the picture at a place of the whole.
  find(at) {
    let rest = at;
    for (const section of this.sections) {
      if (rest < section.count) return { section, at: rest };
      rest -= section.count;
    }
    return null;
  }

  at(place) {
    const found = this.find(place);
    return found?.section.items[found.at];
  }

  async itemAt(place) {
    const found = this.find(place);
    while (found && !found.section.isWhole && !found.section.items[found.at]) await this.need(found.section, found.at);
    return found?.section.items[found.at];
  }

  placeOf(id) {
    let before = 0;
    for (const section of this.sections) {
      const at = section.items.findIndex((item) => item.id === id);
      if (at >= 0) return before + at;
      before += section.count;
    }
    return -1;
  }

  // The loaded pictures from one place to another.
  between(from, to) {
    const items = [];
    for (let place = Math.min(from, to); place <= Math.max(from, to); place += 1) items.push(this.at(place));
    return items.filter(Boolean);
  }

  stop() {
    if (!this.isLoaded || !this.facets) this.controller.abort();
  }
}

const key = ({ q, order }) => JSON.stringify([q, order]);

// The list of a query; one that was shown a while ago, as it was.
export function list(q, order) {
  const wanted = key({ q, order });
  let found = kept.get(wanted);
  kept.delete(wanted);
  found ??= new List(q, order);
  // It was left before it was counted.
  if (found.isLoaded && !found.facets) found.askCounts().catch(() => {});
  kept.set(wanted, found);
  for (const oldest of [...kept.keys()].slice(0, -KEPT_LISTS)) kept.delete(oldest);
  return found;
}

export const forget = () => kept.clear();

// What is known now of a picture, wherever it is shown.
export function patch(id, change) {
  for (const other of kept.values()) {
    for (const section of other.sections) {
      const item = section.items.find((one) => one.id === id);
      if (item) Object.assign(item, change);
    }
  }
  everyone.forEach((listener) => listener(null, id, change));
}

export async function refresh(id) {
  try {
    const item = await ask(`images/${id}`);
    patch(id, { tags: item.tags, isGone: false });
    return item;
  } catch {
    return null;
  }
}
