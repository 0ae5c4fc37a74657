"""The deployment pipeline: what each of its steps does, on any CI and by hand.

A workflow only says in which order and with which secrets; `python -m pipeline` does the work.
"""
