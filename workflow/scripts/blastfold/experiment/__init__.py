"""What will be computed: the config, checked and filled, and everything the rules ask about it."""
