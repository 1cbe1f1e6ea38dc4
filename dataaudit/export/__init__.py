"""An audit's findings beside the data they are about."""
