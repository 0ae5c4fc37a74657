import { useCallback, useEffect, useState } from "react";

/** The board that the address names, as in /boards/3, and a function that goes to another. */
export function useBoardAddress(): [number | null, (board: number) => void] {
  const [board, setBoard] = useState(fromAddress);

  useEffect(() => {
    const follow = () => {
      setBoard(fromAddress());
    };
    window.addEventListener("popstate", follow);
    return () => {
      window.removeEventListener("popstate", follow);
    };
  }, []);

  const goTo = useCallback((next: number) => {
    window.history.pushState(null, "", boardAddress(next));
    setBoard(next);
  }, []);

  return [board, goTo];
}

export function boardAddress(board: number): string {
  return `/boards/${board.toString()}`;
}

function fromAddress(): number | null {
  const match = /^\/boards\/(\d+)\/?$/.exec(window.location.pathname);
  return match === null ? null : Number(match[1]);
}
