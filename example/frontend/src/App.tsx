import { useCallback, useEffect, useState } from "react";

import { listBoards, readVersion, type Board, type Version } from "./api";
import { BoardView } from "./BoardView";
import { Failure } from "./Failure";
import { boardAddress, useBoardAddress } from "./useBoardAddress";

export function App() {
  const [boards, setBoards] = useState<Board[] | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const [address, goTo] = useBoardAddress();

  useEffect(() => {
    listBoards().then(setBoards, setFailure);
  }, []);

  const count = useCallback((board: number, change: number) => {
    setBoards(
      (all) =>
        all?.map((each) => (each.id === board ? { ...each, notes: each.notes + change } : each)) ??
        null,
    );
  }, []);

  // An unknown address shows the first board.
  const selected = boards?.find((board) => board.id === address) ?? boards?.[0];

  return (
    <>
      <a className="skip" href="#main">
        Skip to the notes
      </a>
      <header className="top">
        <h1>Boards</h1>
        <nav aria-label="Boards">
          <ul>
            {boards?.map((board) => (
              <li key={board.id}>
                <a
                  href={boardAddress(board.id)}
                  aria-current={board === selected ? "page" : undefined}
                  onClick={(event) => {
                    // A click with a modifier opens a tab, as on any link.
                    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                    event.preventDefault();
                    goTo(board.id);
                  }}
                >
                  {board.name}{" "}
                  <span className="count">
                    {board.notes} <span className="unseen">notes</span>
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </nav>
      </header>
      <main id="main" tabIndex={-1}>
        <Failure reason={failure} />
        {boards === null && failure === null && <p className="quiet">Loading…</p>}
        {boards?.length === 0 && (
          <p className="quiet">
            There is no board yet. Add one in the <a href="/admin/boards/board/">admin</a>.
          </p>
        )}
        {selected && <BoardView key={selected.id} board={selected} onCount={count} />}
      </main>
      <Footer />
    </>
  );
}

function Footer() {
  const [version, setVersion] = useState<Version | null>(null);

  useEffect(() => {
    readVersion().then(setVersion, () => {
      // The footer stays empty; the notes say what is wrong.
    });
  }, []);

  return (
    <footer className="bottom">
      <span>
        {version && (
          <>
            Version <code>{version.version || "unknown"}</code>
            {version.release && (
              <>
                , release <code>{version.release}</code>
              </>
            )}
          </>
        )}
      </span>
      <a href="/admin/">Admin</a>
    </footer>
  );
}
