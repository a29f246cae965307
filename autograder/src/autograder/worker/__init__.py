"""What runs inside the sandbox. Nothing here is secret, and nothing here imports `autograder`."""
