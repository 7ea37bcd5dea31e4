"""`python serve_flask.py PORT (model|signature) FILE`: one input's floats as the body, those of the answer back."""

import sys

import numpy as np
from flask import Flask, request
from saved_model import keras_call, shape, signature_call

PORT, WAY, FILE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
app = Flask(__name__)
call = keras_call(FILE) if WAY == "model" else signature_call(FILE)


@app.post("/predict")
def predict():
    return call(np.frombuffer(request.get_data(), np.float32).reshape(shape())).tobytes()


if WAY == "model":  # the whole way of the tutorial, its server included
    app.run("127.0.0.1", PORT, threaded=True)
else:
    import waitress

    waitress.serve(app, listen=f"127.0.0.1:{PORT}", threads=16)
