"""Slipway beside other ways of replacing a release: same load, same application, same machine."""
