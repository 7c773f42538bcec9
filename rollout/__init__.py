"""How a new image of the worker gets its traffic: without any first, then a little, watched, then all of it or none."""
