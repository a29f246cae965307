"""The class report: what a class's grades say about the class, the tests and the questions."""
