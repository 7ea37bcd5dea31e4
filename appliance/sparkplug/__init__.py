"""Sparkplug B 3.0 as an opt-in live view beside the durable topics. Never the system of record: it is QoS 0 by rule."""
