"""What can be done with an audit: the methods of `Audit` beyond looking at it."""
