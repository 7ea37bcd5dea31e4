"""The way to an MQTT broker: one connection at a time, kept as long as it can be. The only package that meets paho.

Import what is needed from its modules: `config` and `topics` are free of paho, and so is the line's process.
"""
