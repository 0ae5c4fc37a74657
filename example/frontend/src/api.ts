/** The backend's API: what it answers, and the token that every write carries. */

export interface Board {
  id: number;
  name: string;
  description: string;
  notes: number;
}

export interface Note {
  id: number;
  text: string;
  author: string;
  /** Address of a file, or null. */
  attachment: string | null;
  /** ISO 8601. */
  created_at: string;
}

/** What was ever written on a board, and on its last busy days, the oldest first. */
export interface Activity {
  notes: number;
  words: number;
  days: { day: string; notes: number; words: number }[];
}

export interface Version {
  release: string;
  version: string;
}

/** A request that failed; the message is fit to show. */
export class ApiError extends Error {
  override name = "ApiError";
}

export async function listBoards(): Promise<Board[]> {
  const body = (await ask("GET", "/api/boards/")) as { boards: Board[] };
  return body.boards;
}

export async function listNotes(board: number): Promise<Note[]> {
  const body = (await ask("GET", `/api/boards/${board.toString()}/notes/`)) as { notes: Note[] };
  return body.notes;
}

export async function writeNote(board: number, text: string, author: string): Promise<Note> {
  return (await ask("POST", `/api/boards/${board.toString()}/notes/`, { text, author })) as Note;
}

export async function deleteNote(note: number): Promise<void> {
  await ask("DELETE", `/api/notes/${note.toString()}/`);
}

export async function readActivity(board: number): Promise<Activity> {
  return (await ask("GET", `/api/boards/${board.toString()}/activity/`)) as Activity;
}

export async function readVersion(): Promise<Version> {
  return (await ask("GET", "/version")) as Version;
}

async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: "same-origin",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError("The server cannot be reached. Try again in a moment.");
  }
  if (!response.ok) throw new ApiError(await reason(response));
  return response.status === 204 ? undefined : response.json();
}

/** Django's token; listing the boards sets the cookie. */
function csrfToken(): string {
  return /(?:^|;\s*)csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? "";
}

async function reason(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error?: unknown };
    if (typeof body.error === "string") return body.error;
  } catch {
    // Not JSON: the proxy answered, not the application.
  }
  return `The server answered ${response.status.toString()}. Try again in a moment.`;
}
