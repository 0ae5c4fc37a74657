import { useEffect, useState } from "react";

import "./activity.css";
import { readActivity, type Activity } from "./api";
import { Failure } from "./Failure";

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

/** How much is written on a board; a part of its own, which the page loads when it is wanted. */
export default function ActivityPanel({ board }: { board: number }) {
  const [activity, setActivity] = useState<Activity | null>(null);
  const [failure, setFailure] = useState<unknown>(null);

  useEffect(() => {
    let left = false;
    readActivity(board).then(
      (found) => {
        if (!left) setActivity(found);
      },
      (reason: unknown) => {
        if (!left) setFailure(reason);
      },
    );
    return () => {
      left = true;
    };
  }, [board]);

  const most = Math.max(1, ...(activity?.days.map((day) => day.notes) ?? []));

  return (
    <>
      <Failure reason={failure} />
      {activity === null && failure === null && <p className="quiet">Loading…</p>}
      {activity && (
        <p>
          {count(activity.notes, "note")} and {count(activity.words, "word")} so far, with what is
          deleted by now. A new note counts within seconds.
        </p>
      )}
      <ul className="days" aria-label="Last busy days">
        {activity?.days.map((day) => (
          <li key={day.day}>
            <time dateTime={day.day}>{DAY.format(new Date(day.day))}</time>
            <meter value={day.notes} max={most} aria-hidden="true" />
            <span>
              {count(day.notes, "note")}, {count(day.words, "word")}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}

function count(number: number, of: string): string {
  return `${number.toLocaleString()} ${of}${number === 1 ? "" : "s"}`;
}
