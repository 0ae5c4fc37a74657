"""The bench: an engine, images, a registry, a builder and servers to try Slipway on."""
