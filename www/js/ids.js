// Random keys, also where the page is served by plain http and crypto.randomUUID is missing. Neighbours: conversation.js.

/** 32 hexadecimal digits. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
