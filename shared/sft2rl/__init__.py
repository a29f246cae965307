"""The student's side of the course: visible checks, data, plots, widgets and small models."""

__version__ = "0.1.0"
