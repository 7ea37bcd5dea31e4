"""`appliance models`: a person at a terminal asks a model server, or a model's folder.

A stranger to the server: it speaks TensorFlow Serving's gRPC and REST as any client does, so it serves
tensorflow_model_server as well; where the box says more than that one can, it is shown.
"""
