import { Component, Suspense, type ReactNode } from "react";

/**
 * A part of the page whose code is loaded when it is first shown. When that fails, the line is
 * down, or the page is older than what the server still has: both are mended by loading it again.
 */
export class LatePart extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (this.state.failed) {
      return (
        <div role="alert" className="failure">
          <p>This part of the page could not be loaded. Reload the page to get it.</p>
          <button
            type="button"
            onClick={() => {
              window.location.reload();
            }}
          >
            Reload the page
          </button>
        </div>
      );
    }
    return <Suspense fallback={<p className="quiet">Loading…</p>}>{this.props.children}</Suspense>;
  }
}
