"""What operators tell the delivery process, and what it tells them: one JSON for REST, MQTT and the command line."""
