"""Git sources: refs chosen, commits fetched, signatures checked, the wanted files packed."""
