// Pictures that are selected, to be decided about together: one by one, from one to another, or all that a search finds.
const listeners = new Set();
const ids = new Set();
let last = null;
// All hits, whether they were shown or not.
let whole = null;

export const onSelect = (listener) => listeners.add(listener);
const changed = () => listeners.forEach((listener) => listener());

export const isSelected = (id) => ids.has(id) || Boolean(whole);
export const count = () => (whole ? whole.total : ids.size);

export function toggle(list, at, isRange) {
  whole = null;
  if (isRange && last?.list === list) {
    list.between(last.at, at).forEach((item) => ids.add(item.id));
  } else {
    const { id } = list.at(at);
    if (!ids.delete(id)) ids.add(id);
  }
  last = { list, at };
  changed();
}

export function selectAll(list) {
  ids.clear();
  whole = list;
  changed();
}

export function clear() {
  if (!count()) return false;
  ids.clear();
  whole = null;
  last = null;
  changed();
  return true;
}

// As decisions name pictures: by their ids, or by the search that finds them.
export function named() {
  return whole ? { search: { q: whole.q, limit: 1000 }, isWhole: true } : { images: [...ids] };
}
