"""The verbs: one declaration a file, and the registry, from which everything else about a verb follows."""
