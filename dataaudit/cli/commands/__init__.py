"""Commands: each file adds its own to the app of cli/base.py."""
