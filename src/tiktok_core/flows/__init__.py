"""In which order things happen: coroutines over the ports. Rules live in `domain`, spelling in `wire`."""
