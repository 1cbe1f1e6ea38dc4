"""From a request to an audit: plan, collect, assemble."""
