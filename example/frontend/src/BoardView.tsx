import { lazy, useEffect, useRef, useState, type SubmitEvent } from "react";

import { deleteNote, listNotes, writeNote, type Board, type Note } from "./api";
import { Failure } from "./Failure";
import { LatePart } from "./LatePart";

const ActivityPanel = lazy(() => import("./ActivityPanel"));

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

interface Props {
  board: Board;
  /** Tells that the board's number of notes changed by so many. */
  onCount: (board: number, change: number) => void;
}

export function BoardView({ board, onCount }: Props) {
  const [notes, setNotes] = useState<Note[] | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const [showsActivity, setShowsActivity] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);

  useEffect(() => {
    let left = false;
    listNotes(board.id).then(
      (found) => {
        if (!left) setNotes(found);
      },
      (reason: unknown) => {
        if (!left) setFailure(reason);
      },
    );
    return () => {
      left = true;
    };
  }, [board.id]);

  const write = async (text: string, author: string): Promise<boolean> => {
    try {
      const note = await writeNote(board.id, text, author);
      setNotes((all) => [note, ...(all ?? [])]);
      onCount(board.id, 1);
      setFailure(null);
      return true;
    } catch (reason) {
      setFailure(reason);
      return false;
    }
  };

  const remove = async (note: Note): Promise<void> => {
    try {
      await deleteNote(note.id);
      setNotes((all) => all?.filter((each) => each.id !== note.id) ?? null);
      onCount(board.id, -1);
      setFailure(null);
      // The button that had the focus is gone.
      heading.current?.focus();
    } catch (reason) {
      setFailure(reason);
    }
  };

  return (
    <section aria-labelledby="board">
      <h2 id="board" ref={heading} tabIndex={-1}>
        {board.name}
      </h2>
      {board.description && <p className="quiet">{board.description}</p>}
      <button
        type="button"
        className="plain"
        aria-expanded={showsActivity}
        onClick={() => {
          setShowsActivity(!showsActivity);
        }}
      >
        Activity
      </button>
      {showsActivity && (
        <LatePart>
          <ActivityPanel board={board.id} />
        </LatePart>
      )}
      <NoteForm onWrite={write} />
      <Failure reason={failure} />
      {notes === null && failure === null && <p className="quiet">Loading…</p>}
      {notes?.length === 0 && <p className="quiet">No notes yet. Write the first one.</p>}
      <ul className="notes" aria-label={`Notes on ${board.name}`}>
        {notes?.map((note) => (
          <NoteCard key={note.id} note={note} onRemove={remove} />
        ))}
      </ul>
    </section>
  );
}

function NoteForm({ onWrite }: { onWrite: (text: string, author: string) => Promise<boolean> }) {
  const [text, setText] = useState("");
  const [author, setAuthor] = useState("");
  const [busy, setBusy] = useState(false);

  const submit = async (): Promise<void> => {
    setBusy(true);
    if (await onWrite(text, author)) setText("");
    setBusy(false);
  };

  return (
    <form
      className="write"
      onSubmit={(event: SubmitEvent) => {
        event.preventDefault();
        if (!busy) void submit();
      }}
    >
      <label className="wide">
        Note
        <textarea
          rows={2}
          required
          maxLength={500}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
          }}
        />
      </label>
      <label>
        Your name <span className="quiet">(optional)</span>
        <input
          maxLength={40}
          autoComplete="name"
          value={author}
          onChange={(event) => {
            setAuthor(event.target.value);
          }}
        />
      </label>
      <button type="submit" aria-disabled={busy}>
        {busy ? "Adding…" : "Add note"}
      </button>
    </form>
  );
}

function NoteCard({ note, onRemove }: { note: Note; onRemove: (note: Note) => Promise<void> }) {
  return (
    <li>
      <p className="text">{note.text}</p>
      {note.attachment && (
        <p>
          <a href={note.attachment}>Attachment</a>
        </p>
      )}
      <div className="meta">
        <span>
          {note.author && <>{note.author}, </>}
          <time dateTime={note.created_at}>{TIME.format(new Date(note.created_at))}</time>
        </span>
        <button
          type="button"
          className="plain"
          aria-label={`Delete the note “${note.text}”`}
          onClick={() => void onRemove(note)}
        >
          Delete
        </button>
      </div>
    </li>
  );
}
