"""A kind of evidence is a file here and a line in table.py; evidence/ holds the values they bring."""
