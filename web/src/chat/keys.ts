/** Keys of deeds: UUIDs of version 7, which begin with the time (RFC 9562). */

export function newKey(wallNow: number, random: Uint8Array): string {
  const bytes = random.slice(0, 16);
  for (let n = 0; n < 6; n++) bytes[n] = Math.floor(wallNow / 2 ** (8 * (5 - n))) % 256;
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
