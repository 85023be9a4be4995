"""Training on Lightning: the module, the callbacks, the command line, and runs of them."""
