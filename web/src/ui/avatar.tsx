const HUES = 8;

/** A disc with a name's first sign; the same name has the same colour everywhere. */
export function Avatar({ name }: { name: string }) {
  return (
    <span class={`avatar hue-${hue(name.toLowerCase())}`} aria-hidden="true">
      {name.slice(0, 1).toUpperCase()}
    </span>
  );
}

function hue(name: string): number {
  let sum = 0;
  for (const sign of name) sum = (sum * 31 + sign.codePointAt(0)!) % 65_521;
  return sum % HUES;
}
