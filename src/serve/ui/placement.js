// Where the pictures of a list lie: the rows of each section as far as they are known, and room for the rest.
import { estimated, GAP, rows } from "./layout.js";

const HEADING = 44;

export class Placement {
  constructor(list, width, rowHeight) {
    Object.assign(this, { list, width, rowHeight, layouts: new Map(), height: 0 });
  }

  // Places what came since; how much what lies above `top` grew.
  update(top) {
    const { list, width, rowHeight } = this;
    let y = 0;
    let before = 0;
    let grown = 0;
    for (const section of list.sections) {
      const known = this.layouts.get(section) ?? { rows: [], next: 0, height: null };
      const was = known.height;
      this.fill(known, section, width, rowHeight);
      const heading = section.month ? HEADING : 0;
      const rest = section.count - known.next;
      known.height = heading + bottom(known) + (rest > 0 ? estimated(rest, width, rowHeight) : 0);
      if (was !== null && known.top < top) grown += known.height - was;
      Object.assign(known, { top: y, heading, before });
      this.layouts.set(section, known);
      y += known.height;
      before += section.count;
    }
    this.height = y;
    return grown;
  }

  fill(known, { items, isWhole, goesOn }, width, rowHeight) {
    if (known.seen === items && known.wasWhole === isWhole) return;
    // A section whose start was replaced is laid out anew.
    if (known.first !== items[0]) Object.assign(known, { rows: [], next: 0 });
    let y = bottom(known);
    const made = rows(items, known.next, width, rowHeight, { isEnd: isWhole, goesOn });
    for (const row of made) {
      row.top = y;
      y += row.height + GAP;
      row.bottom = y;
      known.next += row.tiles.length;
    }
    Object.assign(known, { rows: known.rows.concat(made), seen: items, wasWhole: isWhole, first: items[0] });
  }

  // Where a picture lies, or will.
  of(at) {
    const found = this.list.find(at);
    const layout = found && this.layouts.get(found.section);
    if (!layout) return null;
    const row = layout.rows.find((one) => one.tiles.at(-1).at >= found.at);
    const beyond = () => bottom(layout) + estimated(found.at - layout.next + 1, this.width, this.rowHeight) - this.rowHeight;
    return { top: layout.top + layout.heading + (row ? row.top : beyond()), height: row?.height ?? this.rowHeight, row, layout };
  }

  topOfMonth(value) {
    const section = this.list.sections.find((one) => one.month === value);
    return this.layouts.get(section)?.top;
  }

  // The picture under or over another, so many rows away.
  beside(at, away) {
    const place = this.of(at);
    if (!place?.row) return at + Math.sign(away);
    const { row, layout } = place;
    const tile = row.tiles.find((one) => layout.before + one.at === at);
    const middle = tile.left + tile.width / 2;
    const all = [...this.layouts.values()].flatMap((one) => one.rows.map((row) => ({ row, layout: one })));
    const here = all.findIndex((one) => one.row === row);
    const next = all[Math.max(0, Math.min(here + away, all.length - 1))];
    const under = next.row.tiles.find((one) => one.left + one.width >= middle) ?? next.row.tiles.at(-1);
    const found = next.layout.before + under.at;
    return found === at ? at + Math.sign(away) * row.tiles.length : found;
  }
}

export const bottom = (layout) => layout.rows.at(-1)?.bottom ?? 0;
