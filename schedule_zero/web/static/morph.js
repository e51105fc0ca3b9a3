// Makes one tree of elements like another by changing as little as possible: what has the focus keeps it.
const KEPT = new Set(["open", "aria-busy", "data-sent", "data-new"]);

// By attribute: the property `id` of a form is its field of that name.
const keyOf = (node) =>
  (node.nodeType === Node.ELEMENT_NODE && (node.getAttribute("data-key") || node.getAttribute("id"))) || null;

function sync(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value && !KEPT.has(name)) old.setAttribute(name, value);
  }
}

function children(old, fresh) {
  const byKey = new Map([...old.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));
  const wantedKeys = new Set([...fresh.childNodes].map(keyOf));
  for (const [key, node] of byKey) if (!wantedKeys.has(key)) node.remove();
  const stay = new Set();
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    while (place && stay.has(place)) place = place.nextSibling;
    // What has a key is not moved if it is enough to remove what stands before it: moved, it would lose the focus.
    while (key && byKey.has(key) && place && !keyOf(place)) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
    const found = key ? byKey.get(key) : place && !keyOf(place) ? place : null;
    if (found && !stay.has(found) && found.nodeName === wanted.nodeName) {
      if (found !== place) old.insertBefore(found, place);
      else place = place.nextSibling;
      stay.add(morph(found, wanted));
    } else {
      const made = document.importNode(wanted, true);
      if (made.nodeType === Node.ELEMENT_NODE && made.hasAttribute("data-key")) made.setAttribute("data-new", "");
      old.insertBefore(made, place);
      stay.add(made);
    }
  }
  for (const node of [...old.childNodes]) if (!stay.has(node)) node.remove();
}

// Returns what is there then: the old node, or the one that has taken its place.
export function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return old;
  }
  if (old.nodeName === "TIME") {
    // Put into the browser's zone already; a new time is put there by whoever calls this.
    if (old.dateTime === fresh.dateTime) return old;
    const made = document.importNode(fresh, true);
    old.replaceWith(made);
    return made;
  }
  // The key by which a form does its work once belongs to the page that was loaded.
  if (old.nodeName === "INPUT" && old.name === "once" && fresh.name === "once") return old;
  sync(old, fresh);
  children(old, fresh);
  return old;
}
