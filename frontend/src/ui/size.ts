/** A size as people say it: "3.2 MB". */
export function sizeWords(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return bytes < 1e9 ? `${short(bytes / 1e6)} MB` : `${short(bytes / 1e9)} GB`;
}

function short(number: number): number {
  return number < 100 ? Math.round(number * 10) / 10 : Math.round(number);
}
