/** A drawing on glass, lit up to a fraction of its width, or from one to another. */
export function LitPath(props: {
  d: string;
  /** The drawing's own size, stretched to the element. */
  width: number;
  height: number;
  strokeWidth: number;
  /** Up to where it is lit, 0 to 1. */
  lit: number;
  /** From where on; absent: from its start. */
  from?: number;
  className?: string;
}) {
  const { from = 0, lit } = props;
  // A line's own width is not cut off at the edges of the drawing.
  const [right, left] = [1 - lit, from].map((cut) => (cut <= 0 ? '-2px' : `${cut * 100}%`));
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
      {lit > from && (
        <svg
          className="absolute inset-0 size-full overflow-visible text-glow"
          viewBox={box}
          preserveAspectRatio="none"
          aria-hidden="true"
          style={{ clipPath: `inset(-2px ${right} -2px ${left})` }}
        >
          {path}
        </svg>
      )}
    </div>
  );
}
