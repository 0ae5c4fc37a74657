import { configure } from "@testing-library/react";

// A part that is loaded late is compiled first, which takes seconds on a busy machine.
configure({ asyncUtilTimeout: 20_000 });
