"""What this box says over MQTT, in one place: each topic, its schema, and the documents made of them."""
