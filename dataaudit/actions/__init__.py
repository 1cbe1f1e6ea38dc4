"""What a user asks of an audit, in classes that `dataaudit.Audit` is made of; the work is done in other rooms."""
