"""planish beside other runtimes: see README.md."""
