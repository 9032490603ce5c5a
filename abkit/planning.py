"""How long an experiment must run, from what is known of its units."""
