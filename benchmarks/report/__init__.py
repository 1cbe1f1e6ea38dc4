"""How long a page takes to make, how large it is, and how it moves."""
