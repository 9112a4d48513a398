/** What one has switched on and off in this browser. */
export interface Settings {
  readonly sound: boolean;
  readonly notifications: boolean;
}

const PLACE = "lastword.settings";
const DEFAULTS: Settings = { sound: true, notifications: false };

/** A browser may forbid storage, and anybody may have written there: then what is usual holds. */
export function loadSettings(): Settings {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(PLACE) ?? "null");
    if (typeof stored !== "object" || stored === null) return DEFAULTS;
    const { sound, notifications } = stored as Partial<Record<keyof Settings, unknown>>;
    return { sound: sound !== false, notifications: notifications === true };
  } catch {
    return DEFAULTS;
  }
}

export function saveSettings(settings: Settings): void {
  try {
    localStorage.setItem(PLACE, JSON.stringify(settings));
  } catch {
    // They hold until the page is closed.
  }
}
