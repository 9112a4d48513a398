import type { ComponentChildren } from "preact";

/** Drawn with the colour of the text. They say nothing to a screen reader: what they stand for is said in words. */
function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const ClockIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="6.5" />
    <path d="M10 6.5V10l2.3 1.6" />
  </Icon>
);

export const TickIcon = () => (
  <Icon>
    <path d="m5 10.5 3.4 3.5L15.5 6" />
  </Icon>
);

export const DoubleTickIcon = () => (
  <Icon>
    <path d="m1.5 10.5 3.4 3.5L12 6M9 13.2l.8.8L17.5 6" />
  </Icon>
);

export const WarningIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="7.5" />
    <path d="M10 6v5M10 13.6v.2" />
  </Icon>
);

export const BackIcon = () => (
  <Icon>
    <path d="M12.5 4.5 7 10l5.5 5.5" />
  </Icon>
);

export const DownIcon = () => (
  <Icon>
    <path d="M4.5 7.5 10 13l5.5-5.5" />
  </Icon>
);

export const SendIcon = () => (
  <Icon>
    <path d="M10 16V4.5M5 9.2l5-5 5 5" />
  </Icon>
);

export const SearchIcon = () => (
  <Icon>
    <circle cx="9" cy="9" r="5" />
    <path d="m13 13 3.5 3.5" />
  </Icon>
);

export const CloseIcon = () => (
  <Icon>
    <path d="m5.5 5.5 9 9m0-9-9 9" />
  </Icon>
);

/** The page's mark: a speech bubble with three dots, of which one is still filled. */
export const Logo = () => (
  <svg class="logo" viewBox="0 0 64 64" width="32" height="32" aria-hidden="true" focusable="false">
    <rect class="logo-ground" width="64" height="64" rx="15" />
    <path class="logo-bubble" d="M14 18a6 6 0 0 1 6-6h24a6 6 0 0 1 6 6v18a6 6 0 0 1-6 6H31l-9 9v-9h-2a6 6 0 0 1-6-6z" />
    <circle class="logo-dot" cx="23" cy="27" r="3.5" />
    <circle class="logo-ring" cx="32.5" cy="27" r="2.6" />
    <circle class="logo-ring" cx="42" cy="27" r="2.6" />
  </svg>
);
