"""Day-2 verbs, one a file: what people do with a stack that stands."""
