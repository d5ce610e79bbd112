/** A drawing on glass, lit up to a fraction of its width. */
export function LitPath(props: {
  d: string;
  /** The drawing's own size, stretched to the element. */
  width: number;
  height: number;
  strokeWidth: number;
  /** How much of it is lit, 0 to 1. */
  lit: number;
  className?: string;
}) {
  const box = `0 0 ${props.width} ${props.height}`;
  const path = (
    <path
      d={props.d}
      stroke="currentColor"
      strokeWidth={props.strokeWidth}
      strokeLinecap="round"
      vectorEffect="non-scaling-stroke"
    />
  );
  return (
    <div aria-hidden="true" className={`relative ${props.className ?? ''}`}>
      <svg
        className="absolute inset-0 size-full overflow-visible text-glow-dim"
        viewBox={box}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {path}
      </svg>
      {props.lit > 0 && (
        <svg
          className="absolute inset-0 size-full overflow-visible text-glow"
          viewBox={box}
          preserveAspectRatio="none"
          aria-hidden="true"
          style={{ clipPath: `inset(-2px ${(1 - props.lit) * 100}% -2px -2px)` }}
        >
          {path}
        </svg>
      )}
    </div>
  );
}
