// Times in the browser's zone; those with data-relative also say how far away they are.
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = { month: "short", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit" };
const thisYear = new Intl.DateTimeFormat(undefined, day);
const full = new Intl.DateTimeFormat(undefined, { ...day, year: "numeric" });
const far = new Intl.RelativeTimeFormat("en", { numeric: "always" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function distance(seconds) {
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
  const amount = Math.trunc(seconds / size);
  return amount === 0 ? "now" : far.format(amount, unit);
}

function put(element) {
  const at = new Date(element.dateTime);
  const now = new Date();
  const format =
    at.toDateString() === now.toDateString() ? clock : at.getFullYear() === now.getFullYear() ? thisYear : full;
  element.textContent = format.format(at);
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
