/** Says what went wrong, aloud to a screen reader; nothing when the reason is null. */
export function Failure({ reason }: { reason: unknown }) {
  return (
    <div role="alert">
      {reason !== null && (
        <p className="failure">
          {reason instanceof Error ? reason.message : "Something went wrong."}
        </p>
      )}
    </div>
  );
}
