"""The inspection appliance: trigger, frame, verdict, message; and the model that changes in between."""

__version__ = "0.1.0"
