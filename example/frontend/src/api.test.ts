import { beforeEach, describe, expect, it, vi } from "vitest";

import { ApiError, deleteNote, listBoards, listNotes, readActivity, writeNote } from "./api";

const fetched = vi.fn<typeof fetch>();

function answer(status: number, body?: unknown): void {
  fetched.mockResolvedValueOnce(
    body === undefined ? new Response(null, { status }) : Response.json(body, { status }),
  );
}

beforeEach(() => {
  fetched.mockReset();
  vi.stubGlobal("fetch", fetched);
  document.cookie = "other=1";
  document.cookie = "csrftoken=token-of-the-cookie";
});

describe("reading", () => {
  it("unwraps the boards and the notes", async () => {
    const boards = [{ id: 1, name: "Ideas", description: "", notes: 0 }];
    answer(200, { boards });
    expect(await listBoards()).toEqual(boards);

    answer(200, { notes: [] });
    expect(await listNotes(1)).toEqual([]);
    expect(fetched).toHaveBeenLastCalledWith("/api/boards/1/notes/", expect.anything());
  });

  it("asks for a board's activity", async () => {
    const activity = { notes: 0, words: 0, days: [] };
    answer(200, activity);
    expect(await readActivity(3)).toEqual(activity);
    expect(fetched).toHaveBeenLastCalledWith("/api/boards/3/activity/", expect.anything());
  });

  it("sends no token", async () => {
    answer(200, { boards: [] });
    await listBoards();
    expect(fetched.mock.lastCall?.[1]?.headers).not.toHaveProperty("X-CSRFToken");
  });
});

describe("writing", () => {
  it("sends the note as JSON with the token of the cookie", async () => {
    const note = { id: 7, text: "Milk", author: "Kim", attachment: null, created_at: "" };
    answer(201, note);

    expect(await writeNote(3, "Milk", "Kim")).toEqual(note);

    const [path, init] = fetched.mock.lastCall ?? [];
    expect(path).toBe("/api/boards/3/notes/");
    expect(init).toMatchObject({
      method: "POST",
      body: '{"text":"Milk","author":"Kim"}',
      headers: { "Content-Type": "application/json", "X-CSRFToken": "token-of-the-cookie" },
    });
  });

  it("takes an answer without a body", async () => {
    answer(204);
    await deleteNote(7);
    expect(fetched.mock.lastCall?.[1]).toMatchObject({
      method: "DELETE",
      headers: { "X-CSRFToken": "token-of-the-cookie" },
    });
  });
});

describe("failing", () => {
  it("passes on the application's reason", async () => {
    answer(400, { error: "text: This field is required." });
    await expect(writeNote(1, "", "")).rejects.toEqual(
      new ApiError("text: This field is required."),
    );
  });

  it("names the status when somebody else answers", async () => {
    fetched.mockResolvedValueOnce(new Response("<h1>Bad Gateway</h1>", { status: 502 }));
    await expect(listBoards()).rejects.toThrow("The server answered 502.");
  });

  it("says so when nobody answers", async () => {
    fetched.mockRejectedValueOnce(new TypeError("Failed to fetch"));
    await expect(listBoards()).rejects.toThrow("The server cannot be reached.");
  });
});
