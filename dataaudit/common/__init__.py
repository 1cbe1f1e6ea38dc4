"""Tools of every room: types, checks, progress, folders, registries."""
