"""The process that talks to networks: MQTT, REST, metrics. The line goes on without it."""
