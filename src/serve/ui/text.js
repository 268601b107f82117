// What the page says, in the reader's language and with its dates and numbers. Each language has a file of its own.
const LANGUAGES = ["en", "de"];

function chosen() {
  const wanted = [localStorage.getItem("language"), ...navigator.languages];
  for (const language of wanted) {
    const code = language?.split("-")[0];
    if (LANGUAGES.includes(code)) return code;
  }
  return "en";
}

export const language = chosen();
const texts = (await import(`./text-${language}.js`)).default;
// Dates and numbers as the reader's own region has them, where it speaks this language.
const locale = navigator.languages.find((other) => other.startsWith(language)) ?? language;

export function t(key, ...values) {
  const text = texts[key];
  return typeof text === "function" ? text(...values) : text;
}

const numbers = new Intl.NumberFormat(locale);
const percents = new Intl.NumberFormat(locale, { style: "percent" });
const decimals = new Intl.NumberFormat(locale, { maximumFractionDigits: 2, minimumFractionDigits: 2 });
const months = new Intl.DateTimeFormat(locale, { month: "long", year: "numeric" });
const days = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const times = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

export const number = (value) => numbers.format(value);
export const percent = (share) => percents.format(share);
export const decimal = (value) => decimals.format(value);
export const minutes = (ms) => `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;

// "2023-05" and "2023-05-31T18:30:00" are local times of wherever the picture was taken.
const local = (text) => new Date(text.length === 7 ? `${text}-01T00:00` : text.length === 10 ? `${text}T00:00` : text);
export const month = (text) => months.format(local(text));
// A month, or a year.
export const period = (text) => (text.length === 4 ? text : month(text));
export const day = (text) => days.format(local(text));
export const time = (text) => times.format(local(text));
export const moment = (seconds) => times.format(new Date(seconds * 1000));

const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
export function bytes(count) {
  let at = 0;
  for (; count >= 1000 && at < SIZES.length - 1; at += 1) count /= 1000;
  const digits = { maximumFractionDigits: count < 10 && at ? 1 : 0 };
  return new Intl.NumberFormat(locale, { style: "unit", unit: SIZES[at], unitDisplay: "short", ...digits }).format(count);
}

export function duration(seconds) {
  const [value, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(value);
}
