// The text of a label set while it is edited: kept until it is saved, also over a reload, and never over what another editor wrote.
import { ApiError, ask, askLast, params, part } from "./api.js";

const address = (name) => `label-sets/${part(name)}`;
const kept = (name) => `draft ${name}`;

export class Draft {
  constructor(name) {
    Object.assign(this, { name, text: "", saved: "", tag: null, set: null, error: null, preview: null, chosen: null });
  }

  // What the file says, and what was not saved yet.
  async open() {
    try {
      const { answer, tag } = await ask(address(this.name), { withTag: true });
      Object.assign(this, { saved: answer.text ?? "", tag });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
    const stored = JSON.parse(sessionStorage.getItem(kept(this.name)) ?? "null");
    this.text = stored?.text ?? this.saved;
    // What was begun on another text is shown beside that one when it is saved.
    if (stored) this.tag = stored.tag;
    await this.change({});
  }

  get isChanged() {
    return this.text !== this.saved;
  }

  keep() {
    if (this.isChanged) sessionStorage.setItem(kept(this.name), JSON.stringify({ text: this.text, tag: this.tag }));
    else sessionStorage.removeItem(kept(this.name));
  }

  // The text with a change, made by the daemon, which leaves all the rest as it is.
  async change(edit) {
    const { text, set, error } = await askLast("edit", `${address(this.name)}/edit`, { json: { text: this.text, edit } });
    this.text = text;
    this.take(set, error);
  }

  // Another text, as it is typed.
  async write(text) {
    this.text = text;
    this.keep();
    try {
      const answer = await askLast("edit", `${address(this.name)}/edit`, { json: { text, edit: {} } });
      this.take(answer.set, answer.error);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
    }
  }

  take(set, error) {
    if (set) this.set = set;
    this.error = error ?? null;
    if (this.set && !this.set.labels.some((label) => label.name === this.chosen)) this.chosen = this.set.labels[0]?.name ?? null;
    this.keep();
  }

  // What it would do to the library.
  async look() {
    if (this.error || !this.set?.labels.length) { this.preview = null; return; }
    this.preview = await askLast("preview", `${address(this.name)}/preview?${params({ label: this.chosen, near: 12 })}`, { text: this.text, method: "POST" });
  }

  // Writes it, unless the file is not what it was begun on.
  async save() {
    const before = this.saved;
    const condition = this.tag ? { "if-match": this.tag } : { "if-none-match": "*" };
    const applied = await ask(address(this.name), { method: "PUT", text: this.text, headers: condition });
    await this.reopen();
    return { applied, undo: before ? () => ask(address(this.name), { method: "PUT", text: before, headers: { "if-match": this.tag } }) : () => this.remove() };
  }

  remove() {
    return ask(address(this.name), { method: "DELETE" });
  }

  // The file as it is now; the text stays where `isKept`.
  async reopen(isKept = false) {
    const { answer, tag } = await ask(address(this.name), { withTag: true });
    Object.assign(this, { saved: answer.text ?? "", tag });
    if (!isKept) this.text = this.saved;
    await this.write(this.text);
  }
}

// The lines that two texts do not share, after what begins and ends alike.
export function difference(before, after) {
  const [old, now] = [before.split("\n"), after.split("\n")];
  let start = 0;
  while (start < Math.min(old.length, now.length) && old[start] === now[start]) start += 1;
  let end = 0;
  while (end < Math.min(old.length, now.length) - start && old.at(-1 - end) === now.at(-1 - end)) end += 1;
  return { removed: old.slice(start, old.length - end), added: now.slice(start, now.length - end), line: start + 1 };
}

// How many images a threshold would keep, and what that changes, by the scores that were counted.
export function counted({ steps, threshold, images, added, removed }, other) {
  const above = (counts, from) => counts.slice(Math.round(from * 1000)).reduce((sum, count) => sum + count, 0);
  const change = (counts) => above(counts, other) - above(counts, threshold);
  const [carrying, others] = [change(steps.carrying), change(steps.others)];
  return { images: images + carrying + others, added: added + others, removed: removed - carrying };
}
