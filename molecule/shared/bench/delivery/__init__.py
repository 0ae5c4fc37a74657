"""The shipped workflow files, run by act: from a commit to the production of a test host."""
