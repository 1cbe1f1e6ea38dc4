"""A campaign of faults: what is lost, silently wrong, or ends in a bare exception."""
