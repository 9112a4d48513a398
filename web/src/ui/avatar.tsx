const HUES = 8;

/** A disc with a name's first sign; the same account has the same colour everywhere. */
export function Avatar({ account, name }: { account: string; name: string }) {
  return (
    <span class={`avatar hue-${hue(account)}`} aria-hidden="true">
      {name.slice(0, 1).toUpperCase()}
    </span>
  );
}

function hue(account: string): number {
  let sum = 0;
  for (const sign of account) sum = (sum * 31 + sign.codePointAt(0)!) % 65_521;
  return sum % HUES;
}
