import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { lazy } from "react";
import { afterEach, expect, it, vi } from "vitest";

import { LatePart } from "./LatePart";

afterEach(cleanup);

it("shows the part once its code is there", async () => {
  const Part = lazy(() => Promise.resolve({ default: () => <p>Here.</p> }));
  render(
    <LatePart>
      <Part />
    </LatePart>,
  );
  expect(screen.getByText("Loading…")).toBeTruthy();
  expect(await screen.findByText("Here.")).toBeTruthy();
});

it("offers to reload the page when the code cannot be loaded", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined); // React tells of the error
  const reload = vi.fn();
  vi.stubGlobal("location", { reload });
  const Part = lazy(() => Promise.reject(new TypeError("Failed to fetch a module")));
  render(
    <div>
      <p>The rest of the page.</p>
      <LatePart>
        <Part />
      </LatePart>
    </div>,
  );
  expect((await screen.findByRole("alert")).textContent).toContain("could not be loaded");
  expect(screen.getByText("The rest of the page.")).toBeTruthy();

  await userEvent.click(screen.getByRole("button", { name: "Reload the page" }));
  expect(reload).toHaveBeenCalledOnce();
});
