// Decisions about labels: made here, shown at once wherever the picture is, and taken back by a toast.
import { ask, part } from "./api.js";
import { patch, refresh } from "./images.js";
import { clear, named } from "./selection.js";
import { toast } from "./toast.js";
import { number, t } from "./text.js";

const address = (id, { set, label }) => `images/${id}/decisions/${part(set)}/${part(label)}`;

const write = (id, tag, decision) =>
  ask(address(id, tag), decision ? { method: "PUT", json: { decision } } : { method: "DELETE" });

// What a person sees of a decision before the daemon has answered.
function foreseen(tags, { set, label }, decision) {
  const others = tags.filter((tag) => tag.set !== set || tag.label !== label);
  const old = tags.find((tag) => tag.set === set && tag.label === label);
  if (decision === "confirmed") return [...others, { ...old, set, label, score: 1, source: "person", decision }];
  return decision === "rejected" ? others : tags;
}

// Decides about one label on one picture; `before` is what was decided until now.
export async function decide(item, tag, decision, before = null) {
  const tags = item.tags;
  patch(item.id, { tags: foreseen(tags, tag, decision) });
  try {
    await write(item.id, tag, decision);
  } catch (error) {
    patch(item.id, { tags });
    throw error;
  }
  await refresh(item.id);
  toast(t(decision ?? "takenBack", tag.label), {
    undo: async () => {
      await write(item.id, tag, before);
      await refresh(item.id);
    },
  });
}

// Decides about one label on all that is selected. What each had been decided before is asked for first, so that undo brings that back.
export async function decideSelected(tag, decision) {
  const chosen = named();
  const images = chosen.isWhole ? await allFound(chosen.search) : chosen.images;
  const { decisions } = await ask(`decisions?set=${part(tag.set)}&label=${part(tag.label)}`);
  const before = new Map(decisions.map((one) => [one.image, one.decision]));
  await writeMany(tag, decision, images);
  clear();
  toast(t("decidedMany", tag.label, decision, number(images.length)), {
    undo: async () => {
      for (const verdict of ["confirmed", "rejected", null]) {
        const those = images.filter((id) => (before.get(id) ?? null) === verdict);
        if (those.length) await writeMany(tag, verdict, those);
      }
    },
  });
}

async function writeMany({ set, label }, decision, images) {
  const EACH = 20_000;
  for (let from = 0; from < images.length; from += EACH) {
    await ask("decisions", { json: { set, label, decision, images: images.slice(from, from + EACH) } });
  }
  images.slice(0, 500).forEach(refresh);
}

async function allFound(search) {
  const ids = [];
  let cursor;
  do {
    const answer = await ask("search", { json: { ...search, cursor } });
    ids.push(...answer.items.map((item) => item.id));
    cursor = answer.cursor;
  } while (cursor);
  return ids;
}
