"""When warming a worker pays: the policies as pure functions, and a simulation that compares them."""
