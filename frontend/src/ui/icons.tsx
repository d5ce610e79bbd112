import type { ReactNode } from 'react';

function Icon(props: { children: ReactNode; size?: number }) {
  const size = props.size ?? 18;
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.8"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      className="shrink-0"
    >
      {props.children}
    </svg>
  );
}

export const PlayIcon = (props: { size?: number }) => (
  <Icon {...props}>
    <path
      d="M6 3.8v12.4a.6.6 0 0 0 .92.5l9.5-6.2a.6.6 0 0 0 0-1L6.92 3.3a.6.6 0 0 0-.92.5Z"
      fill="currentColor"
      stroke="none"
    />
  </Icon>
);

export const PauseIcon = (props: { size?: number }) => (
  <Icon {...props}>
    <path d="M5.5 4h3v12h-3zM11.5 4h3v12h-3z" fill="currentColor" stroke="none" />
  </Icon>
);

export const DownIcon = () => (
  <Icon size={15}>
    <path d="M10 3v9.5M5.8 8.7 10 12.9l4.2-4.2M4 16.6h12" />
  </Icon>
);

export const LoopIcon = () => (
  <Icon size={15}>
    <path d="M4 9.2A4.2 4.2 0 0 1 8.2 5H16m0 0-2.6-2.6M16 5l-2.6 2.6M16 10.8a4.2 4.2 0 0 1-4.2 4.2H4m0 0 2.6-2.6M4 15l2.6 2.6" />
  </Icon>
);

export const SearchIcon = () => (
  <Icon size={15}>
    <circle cx="8.8" cy="8.8" r="5" />
    <path d="m12.6 12.6 4 4" />
  </Icon>
);

export const TagIcon = () => (
  <Icon size={15}>
    <path d="M3.5 9.3V4a.5.5 0 0 1 .5-.5h5.3a1 1 0 0 1 .7.3l6 6a1 1 0 0 1 0 1.4l-4.8 4.8a1 1 0 0 1-1.4 0l-6-6a1 1 0 0 1-.3-.7ZM7 7h.01" />
  </Icon>
);

export const SunIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="3.4" />
    <path d="M10 2.5v1.4M10 16.1v1.4M2.5 10h1.4M16.1 10h1.4M4.7 4.7l1 1M14.3 14.3l1 1M4.7 15.3l1-1M14.3 5.7l1-1" />
  </Icon>
);

export const MoonIcon = () => (
  <Icon>
    <path d="M16.5 11.6A6.7 6.7 0 0 1 8.4 3.5a6.7 6.7 0 1 0 8.1 8.1Z" />
  </Icon>
);

export const PlanIcon = () => (
  <Icon size={15}>
    <path d="M3.5 16.5v-5h4v5zM7.5 16.5v-9h4.5v9zM12 16.5v-13h4.5v13z" />
  </Icon>
);

export const VariationIcon = () => (
  <Icon size={15}>
    <path d="M3 10h3.4c4.2 0 3.6-5.5 7.6-5.5h2.8m0 0-2.4-2.4m2.4 2.4-2.4 2.4M9.2 13c.9 1.5 2 2.5 4.8 2.5h2.8m0 0-2.4-2.4m2.4 2.4-2.4 2.4" />
  </Icon>
);

export const EngineIcon = () => (
  <Icon size={16}>
    <path d="M6 6h8v8H6zM8 3v3M12 3v3M8 14v3M12 14v3M3 8h3M3 12h3M14 8h3M14 12h3" />
  </Icon>
);

export const RegenerateIcon = () => (
  <Icon size={15}>
    <path d="M3 13.5V9M6 15V7M14 15V7M17 13.5V9" />
    <path d="M9 4.5 10 2l1 2.5L13.5 5.5 11 6.5 10 9 9 6.5 6.5 5.5z" strokeWidth="1.4" />
    <path d="M10 12v4" />
  </Icon>
);

export const GripIcon = () => (
  <Icon size={16}>
    <path d="M7 5h.01M13 5h.01M7 10h.01M13 10h.01M7 15h.01M13 15h.01" strokeWidth="2.4" />
  </Icon>
);

export const UpIcon = () => (
  <Icon size={16}>
    <path d="m5 12 5-5 5 5" />
  </Icon>
);

export const BelowIcon = () => (
  <Icon size={16}>
    <path d="m5 8 5 5 5-5" />
  </Icon>
);

export const FrontIcon = () => (
  <Icon size={16}>
    <path d="M4.5 4h11M5 13l5-5 5 5M10 8v8.5" />
  </Icon>
);
