import { cleanup, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

import * as api from "./api";
import { App } from "./App";

vi.mock(import("./api"), { spy: true });

const MILK: api.Note = {
  id: 7,
  text: "Milk",
  author: "Kim",
  attachment: "/media/notes/list.txt",
  created_at: "2026-01-02T03:04:05+00:00",
};

beforeEach(() => {
  window.history.replaceState(null, "", "/");
  vi.mocked(api.listBoards).mockResolvedValue([
    { id: 1, name: "Ideas", description: "One day.", notes: 0 },
    { id: 2, name: "Next", description: "", notes: 1 },
  ]);
  vi.mocked(api.listNotes).mockImplementation((board) => Promise.resolve(board === 2 ? [MILK] : []));
  vi.mocked(api.readActivity).mockResolvedValue({
    notes: 1,
    words: 12,
    days: [{ day: "2026-01-02", notes: 1, words: 12 }],
  });
  vi.mocked(api.readVersion).mockResolvedValue({
    release: "20260102-030405-0123abcd",
    version: "1.2.3",
  });
});

afterEach(cleanup);

it("shows the first board, its notes and the release", async () => {
  render(<App />);
  expect(await screen.findByRole("heading", { name: "Ideas" })).toBeTruthy();
  expect(await screen.findByText("No notes yet. Write the first one.")).toBeTruthy();
  expect((await screen.findByText("1.2.3")).closest("footer")?.textContent).toContain(
    "Version 1.2.3, release 20260102-030405-0123abcd",
  );
});

it("opens the board of the address and follows a link to another", async () => {
  window.history.replaceState(null, "", "/boards/2");
  render(<App />);
  expect(await screen.findByText("Milk")).toBeTruthy();
  expect(screen.getByRole("link", { name: "Attachment" }).getAttribute("href")).toBe(
    "/media/notes/list.txt",
  );

  await userEvent.click(screen.getByRole("link", { name: "Ideas 0 notes" }));
  expect(window.location.pathname).toBe("/boards/1");
  expect(await screen.findByRole("heading", { name: "Ideas" })).toBeTruthy();
});

it("writes a note, puts it first and counts it", async () => {
  vi.mocked(api.writeNote).mockResolvedValue({ ...MILK, id: 8, text: "Bread" });
  window.history.replaceState(null, "", "/boards/2");
  render(<App />);
  await screen.findByText("Milk");

  await userEvent.type(screen.getByRole("textbox", { name: "Note" }), "Bread");
  await userEvent.click(screen.getByRole("button", { name: "Add note" }));

  expect(api.writeNote).toHaveBeenCalledWith(2, "Bread", "");
  const notes = within(screen.getByRole("list", { name: "Notes on Next" }));
  expect(notes.getAllByRole("listitem").map((item) => item.textContent)).toEqual([
    expect.stringContaining("Bread"),
    expect.stringContaining("Milk"),
  ]);
  expect(screen.getByRole("link", { name: "Next 2 notes" })).toBeTruthy();
  expect(screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Note" }).value).toBe("");
});

it("deletes a note", async () => {
  vi.mocked(api.deleteNote).mockResolvedValue();
  window.history.replaceState(null, "", "/boards/2");
  render(<App />);

  await userEvent.click(await screen.findByRole("button", { name: "Delete the note “Milk”" }));

  expect(api.deleteNote).toHaveBeenCalledWith(7);
  expect(screen.queryByText("Milk")).toBeNull();
  expect(screen.getByRole("link", { name: "Next 0 notes" })).toBeTruthy();
});

it("keeps what was typed and says why when a note is refused", async () => {
  vi.mocked(api.writeNote).mockRejectedValue(new api.ApiError("text: Too long."));
  render(<App />);
  const text = await screen.findByRole<HTMLTextAreaElement>("textbox", { name: "Note" });

  await userEvent.type(text, "Bread");
  await userEvent.click(screen.getByRole("button", { name: "Add note" }));

  expect(await screen.findByText("text: Too long.")).toBeTruthy();
  expect(text.value).toBe("Bread");
});

it("says so when the boards cannot be listed", async () => {
  vi.mocked(api.listBoards).mockRejectedValue(new api.ApiError("The server answered 503."));
  render(<App />);
  expect((await screen.findByText("The server answered 503.")).closest("[role=alert]")).toBeTruthy();
});

it("shows a board's activity when it is asked for", async () => {
  window.history.replaceState(null, "", "/boards/2");
  render(<App />);
  const button = await screen.findByRole("button", { name: "Activity" });
  expect(api.readActivity).not.toHaveBeenCalled();

  await userEvent.click(button);
  const days = within(await screen.findByRole("list", { name: "Last busy days" }));
  // The list is there before its content is asked for.
  expect((await days.findByRole("listitem")).textContent).toContain("1 note, 12 words");
  expect(api.readActivity).toHaveBeenCalledWith(2);

  await userEvent.click(button);
  expect(screen.queryByRole("list", { name: "Last busy days" })).toBeNull();
});
