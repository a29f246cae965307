"""The parts of nbgrader that the course replaces, and how a course folder installs them."""
