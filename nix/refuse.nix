# Nothing comes back: it throws, and says of what, why, and what to do.
what: check: remedy: throw "agent-sync: ${what}: ${check}; ${remedy}"
