"""Words of people become commands: the grammar, the verbs, the request."""
