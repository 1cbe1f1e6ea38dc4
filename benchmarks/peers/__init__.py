"""Against the tools in use today."""
