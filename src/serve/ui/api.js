// Asks the same HTTP interface that everyone else uses. Of requests for one purpose only the last is answered.
const listeners = new Set();
const running = new Map();

export class ApiError extends Error {
  constructor(message, status, code) {
    super(message);
    Object.assign(this, { status, code });
  }
}

// Whoever wants to know when the daemon is there no more.
export const onUnreachable = (listener) => listeners.add(listener);

// With `withTag` what tells the answer from any other comes with it: a change that names it does not go over one of somebody else.
export async function ask(path, { method, json, text, blob, signal, headers = {}, withTag = false } = {}) {
  const body = json === undefined ? text ?? blob : JSON.stringify(json);
  const type = json === undefined ? text === undefined ? "application/octet-stream" : "application/toml" : "application/json";
  const request = { method: method ?? (body === undefined ? "GET" : "POST"), body, signal, headers: { ...headers } };
  if (body !== undefined) request.headers["content-type"] = type;
  let response;
  try {
    response = await fetch(path.startsWith("/") ? path : `/api/v1/${path}`, request);
  } catch (error) {
    if (error.name !== "AbortError") listeners.forEach((listener) => listener());
    throw error;
  }
  if (response.status === 401) location.assign("/login");
  const answer = await response.json();
  if (!response.ok) throw new ApiError(answer.error, response.status, answer.code);
  return withTag ? { answer, tag: response.headers.get("etag") } : answer;
}

// Takes the place of whatever is still asked for the same purpose; that one comes to nothing.
export async function askLast(purpose, path, options = {}) {
  running.get(purpose)?.abort();
  const controller = new AbortController();
  running.set(purpose, controller);
  try {
    return await ask(path, { ...options, signal: controller.signal });
  } finally {
    if (running.get(purpose) === controller) running.delete(purpose);
  }
}

export const isAborted = (error) => error.name === "AbortError";

export const part = encodeURIComponent;
export function params(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== "" && value !== null);
  return new URLSearchParams(given).toString();
}
