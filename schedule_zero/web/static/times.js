// Times in the browser's zone; those with data-relative also say how far away they are.
const TIME = { hour: "numeric", minute: "2-digit" };
const DAY = { month: "short", day: "numeric" };
const formats = new Map();
const far = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function distance(seconds) {
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
  const amount = Math.trunc(seconds / size);
  return amount === 0 ? "now" : far.format(amount, unit);
}

function formatted(at, parts) {
  const key = Object.keys(parts).join();
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(undefined, parts));
  return formats.get(key).format(at);
}

function put(element) {
  const at = new Date(element.dateTime);
  const now = new Date();
  const away = at.toDateString() !== now.toDateString();
  const parts = {
    ...(away && DAY),
    ...(at.getFullYear() !== now.getFullYear() && { year: "numeric" }),
    ...TIME,
    // On another day, whole minutes need no seconds.
    ...(!(away && at.getSeconds() === 0) && { second: "2-digit" }),
  };
  element.textContent = formatted(at, parts);
  element.dataset.local = "";
  if ("relative" in element.dataset) {
    element.append(" ", document.createElement("small"));
    tick(element);
  }
}

function tick(element) {
  const text = distance((new Date(element.dateTime) - Date.now()) / 1000);
  const small = element.lastElementChild;
  if (small && small.textContent !== text) small.textContent = text;
}

export function localise(root) {
  for (const element of root.querySelectorAll("time:not([data-local])")) put(element);
}

setInterval(() => {
  if (!document.hidden) document.querySelectorAll("time[data-relative][data-local]").forEach(tick);
}, 1000);
