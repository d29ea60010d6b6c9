"""Everything that touches the world: transports, stores, clocks, sources, sign-in, the simulated TikTok, the command line."""
